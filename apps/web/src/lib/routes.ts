/** Every address of the face, in one place. */
const segment = encodeURIComponent

export const routes = {
  overview: (org: string) => `/${org}`,
  apps: (org: string) => `/${org}/apps`,
  newApp: (org: string, query?: { image?: string; source?: 'git' | 'image' | 'example' }) => {
    const search = new URLSearchParams(query).toString()
    return `/${org}/apps/new${search ? `?${search}` : ''}`
  },
  app: (org: string, app: string) => `/${org}/apps/${app}`,
  appTab: (org: string, app: string, tab: 'deployments' | 'builds' | 'logs' | 'variables' | 'settings') => `/${org}/apps/${app}/${tab}`,
  build: (org: string, app: string, number: number) => `/${org}/apps/${app}/builds/${number}`,
  deployment: (org: string, app: string, number: number) => `/${org}/apps/${app}/deployments/${number}`,
  builds: (org: string) => `/${org}/builds`,
  images: (org: string) => `/${org}/images`,
  repository: (org: string, name: string) => `/${org}/images/${name.split('/').map(segment).join('/')}`,
  /** No part of a repository's name is a lone dash, so what follows `/-/` is never taken for one. */
  repositoryTab: (org: string, name: string, tab: string) => `${routes.repository(org, name)}/-/${tab}`,
  /** As docker writes it: `name:tag` or `name@sha256:…`. */
  image: (org: string, name: string, reference: string) =>
    `/${org}/images/${name.split('/').map(segment).join('/')}${reference.startsWith('sha256:') ? '@' : ':'}${reference}`,
  imageTab: (org: string, name: string, reference: string, tab: string) => `${routes.image(org, name, reference)}/-/${tab}`,
  imageArchive: (org: string, repository: string, reference: string, format: 'oci' | 'docker') =>
    `/api/images/archive?${new URLSearchParams({ org, repository, reference, format })}`,
  storage: (org: string) => `/${org}/storage`,
  imageFile: (org: string, repository: string, reference: string, path: string, layer: number) =>
    `/api/images/file?${new URLSearchParams({ org, repository, reference, path, layer: String(layer) })}`,
  compareImages: (org: string, name: string, reference: string, other: string) =>
    `${routes.imageTab(org, name, reference, 'compare')}?${new URLSearchParams({ with: other })}`,
  whereUsed: (org: string, query?: { kind: 'layer' | 'package' | 'file'; q: string; version?: string }) =>
    `/${org}/where-used${query ? `?${new URLSearchParams(query)}` : ''}`,
  hosts: (org: string) => `/${org}/hosts`,
  activity: (org: string) => `/${org}/activity`,
  activityExport: (org: string, format: 'csv' | 'ndjson', filter: Record<string, string>) =>
    `/api/activity/export?${new URLSearchParams({ org, format, ...filter })}`,
  settings: (org: string) => `/${org}/settings`,
  replication: (org: string, rule: string) => `/${org}/settings/replication/${rule}`,
  webhook: (org: string, id: string) => `/${org}/settings/webhooks/${id}`,
  settingsTab: (org: string, tab: string) => `/${org}/settings/${tab}`,
  account: (org?: string) => (org ? `/account?from=${org}` : '/account'),
  newOrganization: '/new-organization',
  /** No organization can be called `-`. */
  shared: '/-/shared',
  invitation: (token: string) => `/-/invite/${segment(token)}`,
}

export interface ImagePath {
  /** The repository. */
  name: string
  /** Tag or digest; null for the repository's own pages. */
  reference: string | null
  /** What follows `/-/`; null for the first page. */
  tab: string | null
}

/** The last segments of an image's address taken apart: `guestbook:main/-/files` → the repository, its tag and the tab. */
export function parseImagePath(segments: string[]): ImagePath {
  const parts = segments.map(decodeURIComponent)
  const dash = parts.indexOf('-')
  const tab = dash > 0 ? parts.slice(dash + 1).join('/') || null : null
  const path = (dash > 0 ? parts.slice(0, dash) : parts).join('/')
  const digest = path.indexOf('@')
  if (digest > 0) return { name: path.slice(0, digest), reference: path.slice(digest + 1), tab }
  const colon = path.indexOf(':', path.lastIndexOf('/') + 1)
  if (colon > 0) return { name: path.slice(0, colon), reference: path.slice(colon + 1), tab }
  return { name: path, reference: null, tab }
}

/** Only addresses of this site are followed after signing in. */
export function safeNext(next: string | null): string {
  return next && /^\/(?![/\\])/.test(next) && !next.startsWith('/login') ? next : '/'
}
