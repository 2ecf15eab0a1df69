import type { Crumb } from '@slipway/ui'
import { parseImagePath, routes } from './routes'
import { IMAGE_TABS, REPOSITORY_TABS, SETTINGS_TABS } from './tabs'

const PLACES: Record<string, string> = {
  apps: 'Apps',
  builds: 'Builds',
  images: 'Images',
  storage: 'Storage',
  'where-used': 'Where used',
  hosts: 'Hosts',
  activity: 'Activity',
  settings: 'Settings',
}
const APP_TABS: Record<string, string> = {
  deployments: 'Deployments',
  builds: 'Builds',
  logs: 'Logs',
  variables: 'Variables',
  settings: 'Settings',
}

/** The path shown in the bar, made of the address alone, so that it is there before any data. */
export function crumbsOf(pathname: string, organization: string): Crumb[] {
  const [org = '', place, ...rest] = pathname.split('/').filter(Boolean)
  if (org === '-') return [{ label: organization, href: '/' }, { label: 'Shared with you' }]
  if (org === 'account') return [{ label: organization, href: '/' }, { label: 'Account' }]
  const crumbs: Crumb[] = [{ label: organization, href: routes.overview(org) }]
  if (!place) return [...crumbs, { label: 'Overview' }]
  crumbs.push({ label: PLACES[place] ?? place, href: `/${org}/${place}` })
  if (place === 'apps') {
    const [app, tab, number] = rest
    if (app === 'new') return [...crumbs, { label: 'New app' }]
    if (app) crumbs.push({ label: decodeURIComponent(app), href: routes.app(org, app) })
    if (tab && number) crumbs.push({ label: `${tab === 'builds' ? 'Build' : 'Deployment'} #${number}` })
    else if (tab) crumbs.push({ label: APP_TABS[tab] ?? tab })
  }
  if (place === 'images' && rest.length > 0) {
    const { name, reference, tab } = parseImagePath(rest)
    crumbs.push({ label: name, href: routes.repository(org, name) })
    const short = reference?.startsWith('sha256:') ? reference.slice(0, 19) : reference
    if (reference && short) crumbs.push({ label: short, href: routes.image(org, name, reference) })
    const page = (reference ? IMAGE_TABS : REPOSITORY_TABS).find((t) => t.tab === tab)
    if (tab && page) crumbs.push({ label: page.label })
  }
  if (place === 'settings' && rest[0]) {
    const page = SETTINGS_TABS.find((t) => t.tab === rest[0])
    if (page) crumbs.push({ label: page.label })
  }
  return crumbs
}
