/**
 * Repositories, blobs and uploads as the registry service reads and writes them. Callers have checked a token for
 * `<organization slug>/<repository>` and pass exactly that path, or the id they got for it here.
 *
 * Order of locks, so that pushes and the collector never wait for each other in a circle:
 * repository row → digest (advisory) → Blob row → RepositoryBlob row.
 */
import { newId } from '@slipway/core'
import type { Db, Tx } from './client'
import { directly, statement, timestamp } from './direct'
import { isUniqueViolation } from './errors'
import { recordDeed } from './events.repo'
import { Prisma } from './generated/client'

export interface RepositoryPath {
  organization: string
  name: string
}

export interface RepositoryRef {
  id: string
  organizationId: string
}

/** Transactions here wait for a digest's lock, held only during a rename or unlink. */
const TRANSACTION = { maxWait: 15_000, timeout: 30_000 }

export async function findRepositoryByPath(db: Tx, { organization, name }: RepositoryPath): Promise<RepositoryRef | null> {
  const rows = await directly(db).query<{ id: string; organizationId: string }>(statement`
    SELECT r."id", r."organizationId" FROM "Repository" r JOIN "Organization" o ON o."id" = r."organizationId"
    WHERE o."slug" = ${organization} AND r."name" = ${name}`)
  return rows[0] ?? null
}

/** The repository, made by `by` when it is missing. Null when there is no such organization. */
export async function ensureRepository(
  db: Db,
  path: RepositoryPath,
  by: { sub: string; address?: string | null },
): Promise<RepositoryRef | null> {
  const found = await findRepositoryByPath(db, path)
  if (found) return found
  const organization = await db.organization.findUnique({
    where: { slug: path.organization },
    // What an app's builds push belongs to the app's project, and is reached by that one's grants.
    select: { id: true, apps: { where: { slug: path.name, deletedAt: null, source: { not: 'image' } }, select: { projectId: true } } },
  })
  if (!organization) return null
  try {
    return await db.$transaction(async (tx) => {
      const made = await tx.repository.create({
        data: {
          id: newId('repository'),
          organizationId: organization.id,
          name: path.name,
          projectId: organization.apps[0]?.projectId ?? null,
        },
        select: { id: true, organizationId: true },
      })
      await recordDeed(tx, { repositoryId: made.id, ...by, action: 'repository.create', suffix: '', data: {} })
      return made
    })
  } catch (error) {
    // The first two layers of a new image arrive at once.
    if (isUniqueViolation(error)) return findRepositoryByPath(db, path)
    throw error
  }
}

/** The organization of images that every account may read (`base`); made at the first system push to it. */
export async function ensureSystemOrganization(db: Tx, slug: string, name: string): Promise<void> {
  await db.organization.upsert({ where: { slug }, create: { id: newId('organization'), slug, name }, update: {} })
}

export interface LinkedBlob {
  repositoryId: string
  size: number
  /** When a push last relied on the link. */
  seenAt: Date
  /** When all its bytes were last seen to be right. */
  verifiedAt: Date
  /** Since when they are not, or gone. */
  damagedAt: Date | null
}

/** A blob through its repository; null when this repository does not link it, whoever else does. */
export async function findLinkedBlob(db: Tx, { organization, name }: RepositoryPath, digest: string): Promise<LinkedBlob | null> {
  const rows = await directly(db).query<{
    repositoryId: string
    size: string
    seenAt: number
    verifiedAt: number
    damagedAt: number | null
  }>(statement`
    SELECT l."repositoryId", b."size"::text AS size, extract(epoch FROM l."seenAt")::float8 AS "seenAt",
      extract(epoch FROM b."verifiedAt")::float8 AS "verifiedAt", extract(epoch FROM b."damagedAt")::float8 AS "damagedAt"
    FROM "Organization" o
    JOIN "Repository" r ON r."organizationId" = o."id"
    JOIN "RepositoryBlob" l ON l."repositoryId" = r."id"
    JOIN "Blob" b ON b."digest" = l."digest"
    WHERE o."slug" = ${organization} AND r."name" = ${name} AND l."digest" = ${digest}`)
  const row = rows[0]
  if (!row) return null
  const date = (seconds: number) => new Date(seconds * 1000)
  const { repositoryId, size, seenAt, verifiedAt, damagedAt } = row
  return {
    repositoryId,
    size: Number(size),
    seenAt: date(seenAt),
    verifiedAt: date(verifiedAt),
    damagedAt: damagedAt === null ? null : date(damagedAt),
  }
}

/** Sizes by digest of those blobs that the repository links. */
export async function linkedBlobSizes(db: Tx, repositoryId: string, digests: readonly string[]): Promise<Map<string, number>> {
  const rows = await directly(db).query<{ digest: string; size: string }>(statement`
    SELECT l."digest", b."size"::text AS size FROM "RepositoryBlob" l JOIN "Blob" b ON b."digest" = l."digest"
    WHERE l."repositoryId" = ${repositoryId} AND l."digest" = ANY(${[...digests]}::text[])`)
  return new Map(rows.map((row) => [row.digest, Number(row.size)]))
}

/** A push that only asked for the blob will not upload it again: its link must stay until the manifest comes. */
export async function keepBlobLink(db: Tx, repositoryId: string, digest: string, now = new Date()): Promise<void> {
  await directly(db).query(statement`
    UPDATE "RepositoryBlob" SET "seenAt" = ${timestamp(now)}::timestamp WHERE "repositoryId" = ${repositoryId} AND "digest" = ${digest}`)
}

/** One writer at a time per digest, collector included; ends with the transaction. */
export async function lockDigest(tx: Tx, digest: string): Promise<void> {
  await tx.$executeRaw`SELECT pg_advisory_xact_lock(hashtextextended(${digest}, 0))`
}

/** Links a blob of one repository to another (cross-repository mount). Null when the source does not link it. */
export async function mountBlob(db: Tx, source: RepositoryPath, targetId: string, digest: string): Promise<{ size: number } | null> {
  const blob = await findLinkedBlob(db, source, digest)
  // Of a damaged one a link is worth nothing: the client shall upload, which repairs it.
  if (!blob || blob.damagedAt) return null
  const now = new Date()
  try {
    await db.repositoryBlob.upsert({
      where: { repositoryId_digest: { repositoryId: targetId, digest } },
      create: { repositoryId: targetId, digest, size: blob.size, seenAt: now },
      update: { seenAt: now },
    })
  } catch (error) {
    // P2003: the collector was faster; the client uploads instead.
    if (error instanceof Prisma.PrismaClientKnownRequestError && error.code === 'P2003') return null
    throw error
  }
  return { size: blob.size }
}

export type BlobUnlink = 'unlinked' | 'unknown' | 'in-use'

/** Takes the link away unless a manifest of the repository needs the blob; the bytes go with the collector. */
export async function unlinkBlob(
  db: Db,
  repositoryId: string,
  digest: string,
  by: { sub: string; address?: string | null },
): Promise<BlobUnlink> {
  return db.$transaction(async (tx) => {
    await lockRepository(tx, repositoryId)
    const inUse = await tx.manifest.findFirst({
      where: { repositoryId, OR: [{ configDigest: digest }, { layers: { some: { digest } } }] },
      select: { id: true },
    })
    if (inUse) return 'in-use'
    const { count } = await tx.repositoryBlob.deleteMany({ where: { repositoryId, digest } })
    if (count === 0) return 'unknown'
    await recordDeed(tx, { repositoryId, ...by, action: 'blob.delete', suffix: `@${digest}`, data: { digest } })
    return 'unlinked'
  }, TRANSACTION)
}

/** Manifest writes, deletes and the collector's look at one repository happen one after the other. False: it is gone. */
export async function lockRepository(tx: Tx, repositoryId: string): Promise<boolean> {
  return (await tx.$executeRaw`SELECT 1 FROM "Repository" WHERE "id" = ${repositoryId} FOR NO KEY UPDATE`) > 0
}

export interface BegunUpload {
  repository: RepositoryRef
  /** Null: the organization has as many open as it may have. */
  uploadId: string | null
}

/**
 * In one statement with the look-up of its repository; null when there is no such repository. Requests at the same moment may pass
 * `most` by a few. An upload's row is worth less than a wait for the disk: when a crash of the machine takes one, its client begins
 * again. The setting holds for the statement's own transaction.
 */
export async function createUpload(
  db: Tx,
  { organization, name }: RepositoryPath,
  startedBy: string,
  most: number,
): Promise<BegunUpload | null> {
  const now = timestamp(new Date())
  const rows = await directly(db).query<{ id: string; organizationId: string; uploadId: string | null }>(statement`
    WITH unsynced AS (SELECT set_config('synchronous_commit', 'off', true)),
    place AS (
      SELECT r."id", r."organizationId" FROM unsynced, "Repository" r JOIN "Organization" o ON o."id" = r."organizationId"
      WHERE o."slug" = ${organization} AND r."name" = ${name}
    ), begun AS (
      INSERT INTO "Upload" ("id", "repositoryId", "organizationId", "startedBy", "startedAt", "updatedAt")
      SELECT ${newId('upload')}, p."id", p."organizationId", ${startedBy}, now.at, now.at FROM place p, (SELECT ${now}::timestamp AS at) now
      WHERE (SELECT count(*) FROM (SELECT 1 FROM "Upload" u WHERE u."organizationId" = p."organizationId" LIMIT ${most}) open) < ${most}
      RETURNING "id"
    )
    SELECT p."id", p."organizationId", (SELECT b."id" FROM begun b) AS "uploadId" FROM place p`)
  const row = rows[0]
  return row ? { repository: { id: row.id, organizationId: row.organizationId }, uploadId: row.uploadId } : null
}

/** The open session, only through the repository it was started in. */
export async function findUpload(db: Tx, { organization, name }: RepositoryPath, id: string) {
  const rows = await directly(db).query<{ id: string; repositoryId: string; organizationId: string }>(statement`
    SELECT u."id", u."repositoryId", u."organizationId" FROM "Upload" u
    JOIN "Repository" r ON r."id" = u."repositoryId" JOIN "Organization" o ON o."id" = r."organizationId"
    WHERE u."id" = ${id} AND r."name" = ${name} AND o."slug" = ${organization}`)
  return rows[0] ?? null
}

/** Keeps the session from being swept as abandoned. */
export async function touchUpload(db: Tx, id: string, bytes: number, now = new Date()): Promise<void> {
  await directly(db).query(statement`
    WITH unsynced AS (SELECT set_config('synchronous_commit', 'off', true))
    UPDATE "Upload" u SET "updatedAt" = ${timestamp(now)}::timestamp, "bytes" = ${bytes} FROM unsynced WHERE u."id" = ${id}`)
}

/** Bytes of the organization's open uploads as they were told last, but for `except`. */
export async function openUploadBytes(db: Tx, organizationId: string, except: readonly string[]): Promise<number> {
  const rows = await directly(db).query<{ bytes: string }>(statement`
    SELECT COALESCE(SUM("bytes"), 0)::text AS bytes FROM "Upload" WHERE "organizationId" = ${organizationId} AND "id" <> ALL(${[...except]}::text[])`)
  return Number(rows[0]?.bytes ?? 0)
}

export async function deleteUpload(db: Tx, id: string): Promise<void> {
  await directly(db).query(statement`
    WITH unsynced AS (SELECT set_config('synchronous_commit', 'off', true))
    DELETE FROM "Upload" u USING unsynced WHERE u."id" = ${id}`)
}

/** Uploads that nobody wrote to since `before`, the oldest first, from behind `after` on. */
export const abandonedUploads = (
  db: Tx,
  { before, after, take }: { before: Date; after?: { updatedAt: Date; id: string } | undefined; take: number },
) =>
  db.upload.findMany({
    where: {
      updatedAt: { lt: before },
      ...(after && { OR: [{ updatedAt: { gt: after.updatedAt } }, { updatedAt: after.updatedAt, id: { gt: after.id } }] }),
    },
    select: { id: true, updatedAt: true },
    orderBy: [{ updatedAt: 'asc' }, { id: 'asc' }],
    take,
  })

export async function knownUploads(db: Tx, ids: readonly string[]): Promise<Set<string>> {
  const rows = await db.upload.findMany({ where: { id: { in: [...ids] } }, select: { id: true } })
  return new Set(rows.map((row) => row.id))
}

/** Pulls since the last time, each caller once. */
export interface Pulls {
  at: Date
  repositories: { id: string; count: number }[]
  tags: { repositoryId: string; name: string; count: number }[]
  /** Ids of all that were given out. */
  manifests: string[]
}

/** One statement for all of them. */
export async function recordPulls(db: Tx, { at, repositories, tags, manifests }: Pulls): Promise<void> {
  await db.$executeRaw`
    WITH repository AS (
      UPDATE "Repository" r SET "pullCount" = r."pullCount" + v.count, "lastPulledAt" = GREATEST(r."lastPulledAt", ${at}::timestamp)
      FROM UNNEST(${repositories.map((r) => r.id)}::text[], ${repositories.map((r) => r.count)}::int[]) AS v(id, count) WHERE r."id" = v.id
    ), tag AS (
      UPDATE "Tag" t SET "pullCount" = t."pullCount" + v.count, "lastPulledAt" = GREATEST(t."lastPulledAt", ${at}::timestamp)
      FROM UNNEST(${tags.map((t) => t.repositoryId)}::text[], ${tags.map((t) => t.name)}::text[], ${tags.map((t) => t.count)}::int[])
        AS v(repository, name, count)
      WHERE t."repositoryId" = v.repository AND t."name" = v.name
    )
    UPDATE "Manifest" SET "lastPulledAt" = GREATEST("lastPulledAt", ${at}::timestamp) WHERE "id" = ANY(${manifests})`
}
