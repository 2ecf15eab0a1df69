/** The copies of manifests, tags and names of repositories that the store keeps: what they are to say now, and rows that are made of them again. */
import { newId, upstreamHost } from '@slipway/core'
import { writeAudit } from './audit.repo'
import type { Db, Tx } from './client'
import { lockRepository } from './registry.repo'
import { insertManifest, type NewManifest, recountIndexes } from './registry-manifests.repo'
import { linkVerified } from './verification.repo'

/** Of copies written in one transaction: so many, and manifests of so many bytes together. */
const CHANGES = 200
const BYTES = 8 * 1024 ** 2
/** Longer than a store may take that answers at its deadlines. */
const TRANSACTION = { maxWait: 15_000, timeout: 120_000 }
const LOCK = 'records of the store'

export interface RepositoryRecord {
  organization: string
  name: string
}
export interface ManifestRecord {
  mediaType: string
  pushedBy: string
  createdAt: Date
  content: Uint8Array
}
export interface TagRecord {
  digest: string
  pushedBy: string
  createdAt: Date
  updatedAt: Date
}

/** What a copy is of, and what it is to say; null: nothing, it goes. */
export type RecordState = { repositoryId: string } & (
  | { kind: 'repository'; now: RepositoryRecord | null }
  | { kind: 'manifest'; digest: string; now: ManifestRecord | null }
  | { kind: 'tag'; tag: string; now: TagRecord | null }
)

/**
 * Gives the oldest changes to `write`, as things stand now, and forgets them when it resolves: then the store has them for good. Resolves
 * to how many; 0 when there are none, or another process is at it. A crash in between has them written again.
 */
export async function takeRecordChanges(db: Db, write: (states: RecordState[]) => Promise<void>): Promise<number> {
  if (!(await db.recordChange.findFirst({ select: { id: true } }))) return 0
  return db.$transaction(async (tx) => {
    const [lock] = await tx.$queryRaw<{ held: boolean }[]>`SELECT pg_try_advisory_xact_lock(hashtextextended(${LOCK}, 0)) AS held`
    if (!lock?.held) return 0
    const changes = await tx.recordChange.findMany({ orderBy: { id: 'asc' }, take: CHANGES })
    // Read after the changes are: at least as new as they.
    const { states, taken } = await statesOf(tx, changes)
    await write(states)
    await tx.recordChange.deleteMany({ where: { id: { in: changes.slice(0, taken).map(({ id }) => id) } } })
    return taken
  }, TRANSACTION)
}

type Change = Awaited<ReturnType<Tx['recordChange']['findMany']>>[number]

/** Each once, and of so many of the changes that their manifests are not too many bytes. */
async function statesOf(tx: Tx, changes: readonly Change[]): Promise<{ states: RecordState[]; taken: number }> {
  const manifests = await manifestHeads(tx, changes)
  const tags = await tagRecords(tx, changes)
  const repositories = await repositoryRecords(tx, changes)
  const states = new Map<string, RecordState>()
  let taken = 0
  let bytes = 0
  for (const { repositoryId, digest, tag } of changes) {
    const key = `${repositoryId} ${digest ?? ''} ${tag ?? ''}`
    const head = digest === null ? undefined : manifests.get(key)
    if (head && !states.has(key)) bytes += head.size
    if (bytes > BYTES && taken > 0) break
    taken++
    if (states.has(key)) continue
    if (digest !== null) states.set(key, { kind: 'manifest', repositoryId, digest, now: head ? await manifestRecord(tx, head.id) : null })
    else if (tag !== null) states.set(key, { kind: 'tag', repositoryId, tag, now: tags.get(key) ?? null })
    else states.set(key, { kind: 'repository', repositoryId, now: repositories.get(repositoryId) ?? null })
  }
  return { states: [...states.values()], taken }
}

async function manifestHeads(tx: Tx, changes: readonly Change[]): Promise<Map<string, { id: string; size: number }>> {
  const asked = changes.flatMap(({ repositoryId, digest }) => (digest === null ? [] : [{ repositoryId, digest }]))
  if (asked.length === 0) return new Map()
  const rows = await tx.$queryRaw<{ id: string; repositoryId: string; digest: string; size: number }[]>`
    SELECT m."id", m."repositoryId", m."digest", m."size" FROM "Manifest" m JOIN UNNEST(
      ${asked.map((one) => one.repositoryId)}::text[], ${asked.map((one) => one.digest)}::text[]
    ) AS a("repository", "digest") ON m."repositoryId" = a."repository" AND m."digest" = a."digest"`
  return new Map(rows.map(({ id, size, repositoryId, digest }) => [`${repositoryId} ${digest} `, { id, size }]))
}

const manifestRecord = (tx: Tx, id: string): Promise<ManifestRecord | null> =>
  tx.manifest.findUnique({ where: { id }, select: { mediaType: true, pushedBy: true, createdAt: true, content: true } })

async function tagRecords(tx: Tx, changes: readonly Change[]): Promise<Map<string, TagRecord>> {
  const asked = changes.flatMap(({ repositoryId, tag }) => (tag === null ? [] : [{ repositoryId, tag }]))
  if (asked.length === 0) return new Map()
  const rows = await tx.$queryRaw<({ repositoryId: string; name: string } & TagRecord)[]>`
    SELECT t."repositoryId", t."name", m."digest", t."pushedBy", t."createdAt", t."updatedAt"
    FROM "Tag" t JOIN "Manifest" m ON m."id" = t."manifestId" JOIN UNNEST(
      ${asked.map((one) => one.repositoryId)}::text[], ${asked.map((one) => one.tag)}::text[]
    ) AS a("repository", "tag") ON t."repositoryId" = a."repository" AND t."name" = a."tag"`
  return new Map(rows.map(({ repositoryId, name, ...record }) => [`${repositoryId}  ${name}`, record]))
}

async function repositoryRecords(tx: Tx, changes: readonly Change[]): Promise<Map<string, RepositoryRecord>> {
  const ids = changes.flatMap(({ repositoryId, digest, tag }) => (digest === null && tag === null ? [repositoryId] : []))
  if (ids.length === 0) return new Map()
  const rows = await tx.repository.findMany({
    where: { id: { in: ids } },
    select: { id: true, name: true, organization: { select: { slug: true } } },
  })
  return new Map(rows.map(({ id, name, organization }) => [id, { organization: organization.slug, name }]))
}

/** What the database has of a repository, and what of it the copies have not been told; null: there is no such repository. */
export interface KnownRecords {
  repository: RepositoryRecord | null
  manifests: Set<string>
  tags: Map<string, Pick<TagRecord, 'digest' | 'updatedAt'>>
  untold: { repository: boolean; manifests: Set<string>; tags: Set<string> }
}

/** Read in this order: what a change has just taken away is in `untold`, or its copy is gone by now. */
export async function knownRecords(db: Tx, repositoryId: string): Promise<KnownRecords> {
  const repository = await db.repository.findUnique({
    where: { id: repositoryId },
    select: { name: true, organization: { select: { slug: true } } },
  })
  const manifests = await db.manifest.findMany({ where: { repositoryId }, select: { digest: true } })
  const tags = await db.tag.findMany({
    where: { repositoryId },
    select: { name: true, updatedAt: true, manifest: { select: { digest: true } } },
  })
  const untold = await db.recordChange.findMany({ where: { repositoryId } })
  return {
    repository: repository && { organization: repository.organization.slug, name: repository.name },
    manifests: new Set(manifests.map(({ digest }) => digest)),
    tags: new Map(tags.map(({ name, updatedAt, manifest }) => [name, { digest: manifest.digest, updatedAt }])),
    untold: {
      repository: untold.some(({ digest, tag }) => digest === null && tag === null),
      manifests: new Set(untold.flatMap(({ digest }) => digest ?? [])),
      tags: new Set(untold.flatMap(({ tag }) => tag ?? [])),
    },
  }
}

/** Those that neither are in the database nor were just taken out of it. */
export async function lostManifests<T extends { repositoryId: string; digest: string }>(db: Tx, some: readonly T[]): Promise<T[]> {
  if (some.length === 0) return []
  const rows = await db.$queryRaw<{ place: number }[]>`
    SELECT a.place::int AS place FROM UNNEST(${some.map((one) => one.repositoryId)}::text[], ${some.map((one) => one.digest)}::text[])
      WITH ORDINALITY AS a("repository", "digest", place)
    WHERE NOT EXISTS (SELECT 1 FROM "Manifest" m WHERE m."repositoryId" = a."repository" AND m."digest" = a."digest")
      AND NOT EXISTS (SELECT 1 FROM "RecordChange" c WHERE c."repositoryId" = a."repository" AND c."digest" = a."digest")`
  return rows.flatMap(({ place }) => some[place - 1] ?? [])
}

/** Whether the manifest is there, and its copy was told of it. */
export async function isToldOf(
  db: Tx,
  { id, repositoryId, digest }: { id: string; repositoryId: string; digest: string },
): Promise<boolean> {
  const rows = await db.$queryRaw<unknown[]>`
    SELECT 1 FROM "Manifest" m WHERE m."id" = ${id}
      AND NOT EXISTS (SELECT 1 FROM "RecordChange" c WHERE c."repositoryId" = ${repositoryId} AND c."digest" = ${digest})`
  return rows.length > 0
}

/** Bytes that have its digest, in place of those that had not. */
export async function setManifestContent(db: Tx, id: string, content: Uint8Array): Promise<void> {
  await db.manifest.updateMany({ where: { id }, data: { content: new Uint8Array(content), size: content.byteLength } })
}

export const repositoryIdsAfter = async (db: Tx, after: string, take: number): Promise<string[]> => {
  const rows = await db.repository.findMany({ where: { id: { gt: after } }, select: { id: true }, orderBy: { id: 'asc' }, take })
  return rows.map(({ id }) => id)
}

/** Has the registry write these copies anew. */
export async function tellRecords(
  db: Tx,
  repositoryId: string,
  { manifests = [], tags = [], repository = false }: { manifests?: readonly string[]; tags?: readonly string[]; repository?: boolean },
): Promise<void> {
  const data = [
    ...(repository ? [{ repositoryId }] : []),
    ...manifests.map((digest) => ({ repositoryId, digest })),
    ...tags.map((tag) => ({ repositoryId, tag })),
  ]
  if (data.length > 0) await db.recordChange.createMany({ data })
}

/** Where what a copy tells of belongs: `from` is the repository that the copy is kept under. */
export interface Restoring {
  from: string
  repositoryId: string
  /** Whether the store has the copy still, which goes away before its change is forgotten. */
  isKept: () => Promise<boolean>
}
/** `known`: the database has it, or it was deleted a moment ago. */
export type Restored = 'restored' | 'known'

const underLock = <T>(db: Db, repositoryId: string, work: (tx: Tx) => Promise<T>): Promise<T> =>
  db.$transaction(async (tx) => {
    await tx.$executeRaw`SELECT pg_advisory_xact_lock(hashtextextended(${LOCK}, 0))`
    await lockRepository(tx, repositoryId)
    return work(tx)
  }, TRANSACTION)

export interface RestoredManifest extends Omit<NewManifest, 'needsBlobs' | 'tags'> {
  createdAt: Date
  /** With the blobs that it names, as NewManifest has them. */
  totalSize: bigint
  /** Those of them that were seen to be whole in the store. */
  blobs: { digest: string; size: number }[]
}

/** The manifest with its layers and children, and rows and links of its blobs: all of them or nothing, so that no collector comes in between. */
export const restoreManifest = (db: Db, { from, repositoryId, isKept }: Restoring, manifest: RestoredManifest): Promise<Restored> =>
  underLock(db, repositoryId, async (tx) => {
    const { digest } = manifest
    const lost = await lostManifests(tx, [
      { repositoryId: from, digest },
      { repositoryId, digest },
    ])
    if (lost.length < 2 || !(await isKept())) return 'known'
    for (const blob of manifest.blobs.toSorted((a, b) => (a.digest < b.digest ? -1 : 1))) await linkVerified(tx, { repositoryId, ...blob })
    await insertManifest(tx, newId('manifest'), manifest, manifest.totalSize)
    for (const one of [manifest.children[0]?.digest, digest]) if (one) await recountIndexes(tx, repositoryId, one)
    return 'restored'
  })

/** `no-image`: the repository has no such image. A tag that names something else stays when it was set later. */
export const restoreTag = (
  db: Db,
  { from, repositoryId, isKept }: Restoring,
  name: string,
  record: TagRecord,
): Promise<Restored | 'no-image'> =>
  underLock(db, repositoryId, async (tx) => {
    if (await tx.recordChange.findFirst({ where: { repositoryId: { in: [from, repositoryId] }, tag: name }, select: { id: true } }))
      return 'known'
    const now = await tx.tag.findUnique({
      where: { repositoryId_name: { repositoryId, name } },
      select: { updatedAt: true, manifest: { select: { digest: true } } },
    })
    if (now && (now.updatedAt >= record.updatedAt || now.manifest.digest === record.digest)) return 'known'
    const { digest, pushedBy, createdAt, updatedAt } = record
    const manifest = await tx.manifest.findUnique({ where: { repositoryId_digest: { repositoryId, digest } }, select: { id: true } })
    if (!manifest) return 'no-image'
    if (!(await isKept())) return 'known'
    const set = { manifestId: manifest.id, pushedBy, createdAt, updatedAt }
    await tx.tag.upsert({
      where: { repositoryId_name: { repositoryId, name } },
      create: { repositoryId, name, ...set },
      update: set,
    })
    return 'restored'
  })

/**
 * The repository that is called so, or one that is made with the id that it had; private, whatever it was. Null: there is no such
 * organization. Those of upstreams, which nobody makes, are made.
 */
export const repositoryOf = (db: Db, id: string, { organization, name }: RepositoryRecord): Promise<RepositoryPlace | null> =>
  db.$transaction(async (tx) => {
    const find = () => tx.organization.findUnique({ where: { slug: organization }, select: { id: true } })
    let owner = await find()
    if (!owner && upstreamHost(organization) !== undefined) {
      await tx.organization.createMany({
        data: { id: newId('organization'), slug: organization, name: organization },
        skipDuplicates: true,
      })
      owner = await find()
    }
    if (!owner) return null
    const named = await tx.repository.findUnique({
      where: { organizationId_name: { organizationId: owner.id, name } },
      select: { id: true },
    })
    if (!named) await tx.repository.create({ data: { id, organizationId: owner.id, name } })
    return { id: named?.id ?? id, organizationId: owner.id, made: !named }
  })

export interface RepositoryPlace {
  id: string
  organizationId: string
  /** It was not there. */
  made: boolean
}

/** In the audit of its organization: what a check made again of what was lost. */
export const tellRestored = (
  db: Tx,
  {
    organizationId,
    repositoryId,
    label,
    ...data
  }: { organizationId: string; repositoryId: string; label: string; manifests: number; tags: number },
) =>
  writeAudit(db, organizationId, {
    actorUserId: null,
    actorLabel: 'Registry',
    action: 'repository.restore',
    targetType: 'repository',
    targetId: repositoryId,
    targetLabel: label,
    data,
  })
