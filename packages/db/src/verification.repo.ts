/** Walks over everything the registry keeps: asked for by somebody, taken by one registry process, resumed where another one died. */
import { newId } from '@slipway/core'
import type { Db, Tx } from './client'
import type { StoreVerification } from './generated/client'
import { lockDigest, lockRepository } from './registry.repo'
import { type NewManifest, recountIndexes } from './registry-manifests.repo'

const TRANSACTION = { maxWait: 15_000, timeout: 60_000 }
/** Without a sign of life for so long, another process goes on. */
const LEASE_MS = 60_000

export type VerificationRow = StoreVerification
export interface VerificationProblem {
  /** One of the verifier's kinds. */
  kind: string
  /** A digest, or `<organization>/<repository>@<digest>`. */
  subject: string
  text: string
  repaired: boolean
}

export interface NewVerification {
  requestedBy: string
  repair: boolean
  bytesPerSecond: number | null
  /** The process that asks works on it itself. */
  holder?: string
}

/** Null while another one is under way: two at once would read everything twice. */
export async function createVerification(
  db: Db,
  { holder, ...input }: NewVerification,
  record?: (tx: Tx, id: string) => Promise<unknown>,
): Promise<VerificationRow | null> {
  return db.$transaction(async (tx) => {
    await tx.$executeRaw`SELECT pg_advisory_xact_lock(hashtextextended('store verification', 0))`
    if (await tx.storeVerification.findFirst({ where: { state: { in: ['queued', 'running'] } }, select: { id: true } })) return null
    const now = new Date()
    const [blobs] = await tx.$queryRaw<{ count: number; bytes: bigint }[]>`
      SELECT COUNT(*)::int AS count, COALESCE(SUM("size"), 0)::bigint AS bytes FROM "Blob"`
    const manifests = await tx.manifest.count()
    const held = holder ? { holder, state: 'running' as const, startedAt: now, leaseUntil: new Date(now.getTime() + LEASE_MS) } : {}
    const totals = { totalBlobs: blobs?.count ?? 0, totalBytes: blobs?.bytes ?? 0n, totalManifests: manifests }
    const row = await tx.storeVerification.create({ data: { id: newId('verification'), ...input, ...totals, ...held } })
    await record?.(tx, row.id)
    return row
  }, TRANSACTION)
}

/** The next one that nobody works on, now held by `holder`. */
export async function claimVerification(db: Tx, holder: string, now = new Date()): Promise<VerificationRow | null> {
  const rows = await db.$queryRaw<{ id: string }[]>`
    UPDATE "StoreVerification" SET "holder" = ${holder}, "leaseUntil" = ${new Date(now.getTime() + LEASE_MS)}, "state" = 'running',
      "startedAt" = COALESCE("startedAt", ${now})
    WHERE "id" = (
      SELECT "id" FROM "StoreVerification"
      WHERE "state" IN ('queued', 'running') AND ("leaseUntil" IS NULL OR "leaseUntil" < ${now})
      ORDER BY "createdAt" LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING "id"`
  return rows[0] ? db.storeVerification.findUnique({ where: { id: rows[0].id } }) : null
}

export type VerificationProgress = Pick<
  VerificationRow,
  'phase' | 'cursor' | 'blobs' | 'bytes' | 'files' | 'manifests' | 'found' | 'repaired'
> & { problems: VerificationProblem[] }

/** False: it was cancelled, or another process has it. */
export async function saveVerification(db: Tx, id: string, holder: string, progress: VerificationProgress): Promise<boolean> {
  const data = { ...progress, problems: progress.problems.map((problem) => ({ ...problem })), leaseUntil: new Date(Date.now() + LEASE_MS) }
  return (await db.storeVerification.updateMany({ where: { id, holder, state: 'running' }, data })).count > 0
}

export async function endVerification(db: Tx, id: string, holder: string, state: 'done' | 'failed', error?: string): Promise<void> {
  const data = { state, error, finishedAt: new Date(), leaseUntil: null }
  await db.storeVerification.updateMany({ where: { id, holder, state: 'running' }, data })
}

/** The process stops; whoever comes next goes on. */
export async function releaseVerification(db: Tx, id: string, holder: string): Promise<void> {
  await db.storeVerification.updateMany({ where: { id, holder, state: 'running' }, data: { leaseUntil: null } })
}

export const cancelVerification = async (db: Tx, id: string): Promise<boolean> =>
  (
    await db.storeVerification.updateMany({
      where: { id, state: { in: ['queued', 'running'] } },
      data: { state: 'cancelled', finishedAt: new Date(), leaseUntil: null },
    })
  ).count > 0

export const findVerification = (db: Tx, id: string) => db.storeVerification.findUnique({ where: { id } })
/** When everything was last looked at to the end. */
export const lastVerifiedAt = async (db: Tx): Promise<Date | null> =>
  (await db.storeVerification.findFirst({ where: { state: 'done' }, orderBy: { createdAt: 'desc' }, select: { finishedAt: true } }))
    ?.finishedAt ?? null
export const latestVerifications = (db: Tx, take: number) => db.storeVerification.findMany({ orderBy: { createdAt: 'desc' }, take })

/** Manifests in the order of their ids, after `after`, with the bytes and with the rows that were made of them. */
export const manifestsAfter = (db: Tx, after: string, take: number) =>
  db.manifest.findMany({ where: { id: { gt: after } }, include: withParts, orderBy: { id: 'asc' }, take })
export type ManifestWithParts = NonNullable<Awaited<ReturnType<typeof manifestsAfter>>[number]>

const withParts = {
  layers: { orderBy: { position: 'asc' } },
  children: { orderBy: { position: 'asc' } },
  repository: { select: { name: true, organization: { select: { slug: true } } } },
} as const

export type ManifestParts = Pick<
  NewManifest,
  'mediaType' | 'artifactType' | 'subjectDigest' | 'annotations' | 'configDigest' | 'os' | 'architecture' | 'config' | 'layers' | 'children'
>

/**
 * Looks at a manifest while nothing else may change its repository, and writes its rows anew when `rebuild` gives other ones.
 * Resolves to whether it did; false as well when the manifest is gone.
 */
export async function rebuildManifest(
  db: Db,
  { id, repositoryId }: { id: string; repositoryId: string },
  rebuild: (row: ManifestWithParts, tx: Tx) => Promise<(ManifestParts & { totalSize: bigint }) | null>,
): Promise<boolean> {
  return db.$transaction(async (tx) => {
    await lockRepository(tx, repositoryId)
    const row = await tx.manifest.findUnique({ where: { id }, include: withParts })
    const parts = row && (await rebuild(row, tx))
    if (!row || !parts) return false
    const { layers, children, annotations, config, ...rest } = parts
    const json = { annotations: annotations ?? undefined, config: config as object | undefined }
    const nullable = { artifactType: null, subjectDigest: null, configDigest: null, os: null, architecture: null }
    await tx.manifest.update({ where: { id }, data: { ...nullable, ...defined(rest), ...json, size: row.content.byteLength } })
    await tx.manifestLayer.deleteMany({ where: { manifestId: id } })
    await tx.manifestChild.deleteMany({ where: { manifestId: id } })
    if (layers.length > 0)
      await tx.manifestLayer.createMany({ data: layers.map((layer, position) => ({ ...layer, manifestId: id, position })) })
    if (children.length > 0)
      await tx.manifestChild.createMany({ data: children.map((child, position) => ({ ...child, manifestId: id, position })) })
    // Its own sum when it is an index, and those of indexes that name it.
    for (const digest of [children[0]?.digest, row.digest]) if (digest) await recountIndexes(tx, repositoryId, digest)
    return true
  }, TRANSACTION)
}

const defined = <T extends object>(values: T): T =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as T

/** Which of these the repository links, and which of them have a row at all. */
export async function blobsOfManifest(db: Tx, repositoryId: string, digests: readonly string[]) {
  if (digests.length === 0) return { linked: new Set<string>(), known: new Set<string>() }
  const [links, rows] = await Promise.all([
    db.repositoryBlob.findMany({ where: { repositoryId, digest: { in: [...digests] } }, select: { digest: true } }),
    db.blob.findMany({ where: { digest: { in: [...digests] } }, select: { digest: true } }),
  ])
  return { linked: new Set(links.map((link) => link.digest)), known: new Set(rows.map((row) => row.digest)) }
}

/** A row for bytes that were verified, and the link that an image of the repository needs. False: that image is gone. */
export async function relinkBlob(
  db: Db,
  { repositoryId, manifestId, digest, size }: { repositoryId: string; manifestId: string; digest: string; size: number | undefined },
): Promise<boolean> {
  return db.$transaction(async (tx) => {
    await lockRepository(tx, repositoryId)
    await lockDigest(tx, digest)
    if (!(await tx.manifest.findUnique({ where: { id: manifestId }, select: { id: true } }))) return false
    return link(tx, { repositoryId, digest, size })
  }, TRANSACTION)
}

/** The same in a transaction that has the repository, for whoever saw to the image. */
export async function linkVerified(tx: Tx, blob: { repositoryId: string; digest: string; size: number }): Promise<void> {
  await lockDigest(tx, blob.digest)
  await link(tx, blob)
}

/** `size`: of bytes that were verified; undefined: of those that have a row only. */
async function link(tx: Tx, { repositoryId, digest, size }: { repositoryId: string; digest: string; size: number | undefined }) {
  if (size !== undefined) await tx.blob.upsert({ where: { digest }, create: { digest, size }, update: {} })
  const blob = await tx.blob.findUnique({ where: { digest }, select: { size: true } })
  if (!blob) return false
  await tx.repositoryBlob.upsert({
    where: { repositoryId_digest: { repositoryId, digest } },
    create: { repositoryId, digest, size: blob.size },
    update: {},
  })
  return true
}

/** Of the blob, and of the links that repeat it. */
export async function setBlobSize(db: Db, digest: string, size: number): Promise<void> {
  await db.$transaction(async (tx) => {
    await lockDigest(tx, digest)
    await tx.blob.updateMany({ where: { digest }, data: { size } })
    await tx.repositoryBlob.updateMany({ where: { digest }, data: { size } })
  }, TRANSACTION)
}
