/** Prefix per kind of row: an id in a log line tells what it is. */
export const ID_PREFIX = {
  user: 'usr',
  organization: 'org',
  member: 'mem',
  team: 'tea',
  grant: 'grt',
  invitation: 'inv',
  apiKey: 'key',
  project: 'prj',
  app: 'app',
  variable: 'var',
  secret: 'sec',
  repository: 'rep',
  manifest: 'man',
  upload: 'upl',
  build: 'bld',
  buildStep: 'stp',
  inspection: 'ins',
  deployment: 'dep',
  deploymentStep: 'dst',
  container: 'ctr',
  host: 'hst',
  domain: 'dom',
  webhook: 'whk',
  delivery: 'dlv',
  audit: 'aud',
  knownHost: 'knh',
  upstream: 'ups',
  event: 'evt',
  outgoingWebhook: 'owh',
  outgoingDelivery: 'odl',
  replicationRule: 'rpl',
  replicationRun: 'rrn',
  damage: 'dmg',
  verification: 'ver',
  robot: 'rob',
  share: 'shr',
  refreshToken: 'rft',
  tagRule: 'tgr',
  retention: 'ret',
  retentionRun: 'rtr',
} as const
export type IdKind = keyof typeof ID_PREFIX

// Crockford base32: no i, l, o, u, so that an id can be read aloud.
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz'

/** `<prefix>_` + 9 characters of time + 13 of randomness (65 bits); ids of one kind sort by creation time. */
export function newId(kind: IdKind, now = Date.now()): string {
  let time = ''
  for (let i = 0, t = now; i < 9; i++, t = Math.floor(t / 32)) time = ALPHABET[t % 32] + time
  const random = crypto.getRandomValues(new Uint8Array(13))
  let tail = ''
  for (const byte of random) tail += ALPHABET[byte % 32]
  return `${ID_PREFIX[kind]}_${time}${tail}`
}

/** Lower-case letters, digits and single dashes; usable as a DNS label, a path segment and an image name. */
export const SLUG_PATTERN = /^[a-z0-9](?:[a-z0-9]|-(?=[a-z0-9])){0,47}$/

/** A slug made of free text: `My Shop!` → `my-shop`. Empty when nothing usable is left. */
export function slugify(text: string): string {
  return text
    .normalize('NFKD')
    .replace(/[\u0300-\u036f]/g, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 48)
    .replace(/-+$/, '')
}
