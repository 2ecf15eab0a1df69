/** What the pages of people, of storage and of the content of images ask, with the rows that they need besides `fillLarge`. */
import { createHash } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { newId } from '@slipway/core'
import { saveLayerIndex } from '@slipway/db'
import { namesOf, readDocument, type Scope } from '@slipway/services'
import { type Harness, listingOf } from '@slipway/services/testing'

export type Calls = Record<string, () => Promise<unknown>>

const MEMBERS = 200
const TEAMS = 20
const SHARED = 300
const KEEP_TEN = { repositories: '*', keepLast: 10, keepUsedDays: null, keepTags: [], keepDeployments: 10, untaggedDays: null }

/** 200 members in 20 teams, 500 grants, 50,000 events of the audit log; somebody outside with whom 300 repositories are shared. */
export async function peopleCalls({ db, services }: Harness, scope: Scope): Promise<Calls> {
  const { organizationId } = scope
  const users = Array.from({ length: MEMBERS + 1 }, (_, n) => ({
    id: newId('user'),
    name: `Person ${n}`,
    email: `person-${n}@example.com`,
  }))
  await db.user.createMany({ data: users })
  const [guest, ...people] = users as [(typeof users)[0], ...typeof users]
  await db.member.createMany({ data: people.map(({ id: userId }) => ({ id: newId('member'), organizationId, userId, role: 'developer' })) })
  const members = await db.member.findMany({ where: { organizationId }, select: { id: true, userId: true } })
  for (let n = 0; n < TEAMS; n++) {
    const { slug: team } = await services.teams.create(scope, { name: `Team ${n}` })
    for (const { id } of members.slice(n * 10, n * 10 + 10)) await services.teams.addMember(scope, { team, member: id })
  }
  const repositories = await db.repository.findMany({
    where: { organizationId },
    select: { name: true },
    take: SHARED,
    orderBy: { name: 'asc' },
  })
  for (const { name: repository } of repositories)
    await services.access.grantOnRepository(scope, { repository, role: 'guest', to: { kind: 'user', email: guest.email } })
  const outsider = { userId: guest.id, label: guest.name, ip: null }
  const { activity, access, organizations, teams, policies, robots, outgoing } = services
  // By the order of ids, the large one comes first.
  const large = { repository: 'large/history', rules: KEEP_TEN }
  const after = (cursor: string | null) => policies.previewRetention(scope, { rules: KEEP_TEN, cursor })
  const { next: blobs } = await services.repositories.previewRetention(scope, large)
  let { next: cursor, within } = await after(null)
  while (within) ({ next: cursor, within } = await after(cursor))
  const day = 24 * 60 * 60 * 1000
  return {
    members: () => organizations.members(scope),
    teams: () => teams.list(scope),
    'access of a repository': () => access.repository(scope, { repository: 'large/history' }),
    'shared with somebody outside': () => access.shared(outsider, { limit: 50 }),
    'shared, searched': () => access.shared(outsider, { limit: 50, query: 'vice-77' }),
    'audit log, searched': () => activity.list(scope, { limit: 50, query: '1.4777' }),
    'audit log of one action': () => activity.list(scope, { limit: 50, action: 'image.push' }),
    'audit log of one person': () => activity.list(scope, { limit: 50, actor: 'Ada' }),
    'audit log of a day a week ago': () =>
      activity.list(scope, { limit: 50, from: new Date(Date.now() - 8 * day), to: new Date(Date.now() - 7 * day) }),
    'audit log’s filters': () => activity.facets(scope),
    robots: () => robots.list(scope),
    webhooks: () => outgoing.list(scope),
    quota: () => policies.quota(scope),
    'rules of tags': () => policies.rules(scope),
    'dry run of retention, 25 repositories': () => after(cursor),
    'dry run of retention, what goes of 10,000 tags': () => services.repositories.previewRetention(scope, large),
    'dry run of retention, what 3,200 blobs free': () => services.repositories.previewRetention(scope, { ...large, cursor: blobs }),
  }
}

/** A tag that moved 200 times among 10,000 tags, each of which has a history, and 5,000 images more that none of them names. */
export async function historyCalls({ db, services: { images } }: Harness, scope: Scope): Promise<Calls> {
  const repository = 'large/history'
  const { id } = await db.repository.findFirstOrThrow({
    where: { name: repository, organizationId: scope.organizationId },
    select: { id: true },
  })
  await db.$executeRaw`
    INSERT INTO "TagMove" ("repositoryId", "name", "digest", "size", "by", "at")
    SELECT ${id}, '1.50.7', m."digest", m."totalSize", 'Ada', m."createdAt" FROM "Manifest" m WHERE m."repositoryId" = ${id} ORDER BY m."id" LIMIT 199`
  await db.$executeRaw`
    INSERT INTO "Manifest" ("id", "repositoryId", "organizationId", "digest", "mediaType", "content", "size", "totalSize", "pushedBy", "createdAt")
    SELECT 'man_untagged' || lpad(n::text, 8, '0'), ${id}, ${scope.organizationId}, 'sha256:' || encode(sha256(('untagged' || n)::bytea), 'hex'),
      'application/vnd.oci.image.manifest.v1+json', '\\x7b7d', 2, 80000000, 'Ada', now() FROM generate_series(1, 5000) n`
  await db.$executeRaw`VACUUM ANALYZE "TagMove", "Manifest"`
  let last: string | null = null
  for (let page = 0; page < 40; page++) last = (await images.untagged(scope, { repository, limit: 100, cursor: last })).next
  return {
    'history of a tag': () => images.history(scope, { repository, tag: '1.50.7', limit: 25 }),
    'images without a tag': () => images.untagged(scope, { repository, limit: 50 }),
    'images without a tag, page 80': () => images.untagged(scope, { repository, limit: 50, cursor: last }),
  }
}

/** The layers that every image of `fillLarge` has are read: ten thousands of images answer for what is in them. */
export async function contentCalls({ db, services }: Harness, scope: Scope): Promise<Calls> {
  const packages = Array.from({ length: 200 }, (_, n) => ({
    type: 'deb',
    name: `library-${n}`,
    version: `1.${n}`,
    licence: null,
    path: 'var/lib/dpkg/status',
  }))
  for (const layer of ['base0', 'base1', 'base2']) {
    const files = Object.fromEntries(Array.from({ length: 2000 }, (_, n) => [`usr/lib/${layer}/file-${n}`, `${n}`]))
    const listing = listingOf({ ...files, 'var/lib/dpkg/status': layer }, layer === 'base0' ? packages : [])
    const document = new Uint8Array(gzipSync(JSON.stringify(listing)))
    const read = await readDocument(document)
    const found = { entries: read.length, bytes: BigInt(read.bytes), document, names: await namesOf(read), packages: read.packages }
    await saveLayerIndex(db, digestOf(layer), found)
  }
  const { storage, files } = services
  const own = await db.manifest.findFirstOrThrow({
    where: { organizationId: scope.organizationId, repository: { name: 'large/history' } },
    select: { layers: { select: { digest: true }, orderBy: { position: 'desc' }, take: 1 } },
  })
  const where = (kind: 'file' | 'package' | 'layer', query: string, cursor?: string | null) => () =>
    files.whereUsed(scope, { kind, query, limit: 50, cursor })
  let deep: string | null = null
  for (let page = 0; page < 20; page++)
    deep = (await files.whereUsed(scope, { kind: 'layer', query: digestOf('base1'), limit: 200, cursor: deep })).next
  return {
    storage: () => storage.get(scope),
    'storage by repository': () => storage.repositories(scope, { by: 'bytes', limit: 20 }),
    'storage by what only one has': () => storage.repositories(scope, { by: 'only', limit: 20 }),
    'what the collector takes': () => storage.collectable(scope),
    'where a layer of one image is used': where('layer', own.layers[0]?.digest ?? ''),
    'where nothing is found': where('file', '/no/such/file'),
    'where a layer of 30,000 images is used': where('layer', digestOf('base1')),
    'where a layer of 30,000 images is used, page 80': where('layer', digestOf('base1'), deep),
    'where a file of 30,000 images is used': where('file', '/usr/lib/base1/file-7'),
    'where a package of 30,000 images is used': where('package', 'library-7'),
  }
}

const digestOf = (name: string) => `sha256:${createHash('sha256').update(name).digest('hex')}`
