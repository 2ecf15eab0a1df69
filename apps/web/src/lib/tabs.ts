/** Pages of places that have several, in the order shown. `tab` is the end of the address; null: the first page. */
export interface Tab {
  tab: string | null
  label: string
}

/** `/[org]/settings/<tab>`: a folder each in `app/[org]/settings`. */
export const SETTINGS_TABS: Tab[] = [
  { tab: null, label: 'General' },
  { tab: 'members', label: 'Members' },
  { tab: 'teams', label: 'Teams' },
  { tab: 'registry', label: 'Registry' },
  { tab: 'upstreams', label: 'Upstreams' },
  { tab: 'replication', label: 'Replication' },
  { tab: 'webhooks', label: 'Webhooks' },
  { tab: 'robots', label: 'Robots' },
]

/** `/[org]/images/<repository>/-/<tab>`: a component each in `components/images/repository-page.tsx`. */
export const REPOSITORY_TABS: Tab[] = [
  { tab: null, label: 'Tags' },
  { tab: 'about', label: 'About' },
  { tab: 'policies', label: 'Policies' },
  { tab: 'access', label: 'Access' },
  { tab: 'settings', label: 'Settings' },
]

/** `/[org]/images/<repository>:<tag>/-/<tab>`: a component each in `components/images/image-page.tsx`. */
export const IMAGE_TABS: Tab[] = [
  { tab: null, label: 'Overview' },
  { tab: 'files', label: 'Files' },
  { tab: 'compare', label: 'Compare' },
  { tab: 'history', label: 'History' },
]

/** Those of them that are also for who is no member of the organization. */
export const OUTSIDE_TABS = new Set<string | null>([null, 'about', 'access', 'files', 'compare', 'history'])
