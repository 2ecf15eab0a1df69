/** Pages of places that have several, in the order shown. `tab` is the end of the address; null: the first page. */
export interface Tab {
  tab: string | null
  label: string
}

/** `/[org]/settings/<tab>`: a folder each in `app/[org]/settings`. */
export const SETTINGS_TABS: Tab[] = [
  { tab: null, label: 'General' },
  { tab: 'members', label: 'Members' },
  { tab: 'upstreams', label: 'Upstreams' },
  { tab: 'teams', label: 'Teams' },
  { tab: 'webhooks', label: 'Webhooks' },
  { tab: 'robots', label: 'Robots' },
]

/** `/[org]/images/<repository>/-/<tab>`: a component each in `components/images/repository-page.tsx`. */
export const REPOSITORY_TABS: Tab[] = [{ tab: null, label: 'Tags' }]

/** `/[org]/images/<repository>:<tag>/-/<tab>`: a component each in `components/images/image-page.tsx`. */
export const IMAGE_TABS: Tab[] = [{ tab: null, label: 'Overview' }]
