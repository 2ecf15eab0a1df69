/** Upstreams as the registry and the worker ask for them, and the copies that are kept of what they have. */
import { newId, upstreamNamespace } from '@slipway/core'
import type { Db, Tx } from './client'
import { isUniqueViolation } from './errors'
import type { Prisma } from './generated/client'
import { findRepositoryByPath, lockRepository, type RepositoryPath, type RepositoryRef } from './registry.repo'
import { insertManifest, type NewManifest } from './registry-manifests.repo'
import { tellRemoval } from './tag-history.repo'

export interface UpstreamRow {
  id: string
  host: string
  url: string
  username: string | null
  secret: Uint8Array | null
  allowPrivate: boolean
  anonymous: boolean
  limitBytes: number
  revalidateMinutes: number
}

/** Null: there is none, or it is switched off. */
export async function findUpstream(db: Tx, host: string): Promise<UpstreamRow | null> {
  const row = await db.upstream.findFirst({
    where: { host, enabled: true },
    select: {
      id: true,
      host: true,
      url: true,
      username: true,
      secret: true,
      allowPrivate: true,
      anonymous: true,
      limitBytes: true,
      revalidateMinutes: true,
    },
  })
  return row && { ...row, limitBytes: Number(row.limitBytes) }
}

/** A person, perhaps with a key of one organization only; `account`: who logged in as no person; `nobody`: who did not. */
export type Puller = { userId: string; organization: string | null } | 'account' | 'nobody'

/**
 * Those of `hosts` that one may pull through. What an upstream shows to everybody is everybody's here who logged in; what it shows to
 * our credentials is for the organizations that these are shared with.
 */
export async function pullableUpstreams(db: Tx, puller: Puller, hosts: readonly string[]): Promise<Set<string>> {
  const rows = await db.upstream.findMany({
    where: {
      host: { in: [...hosts] },
      enabled: true,
      ...(puller === 'nobody' ? { anonymous: true, secret: null } : { OR: [{ secret: null }, ...sharedWith(puller)] }),
    },
    select: { host: true },
  })
  return new Set(rows.map((row) => row.host))
}

function sharedWith(puller: Exclude<Puller, 'nobody'>): Prisma.UpstreamWhereInput[] {
  if (puller === 'account') return []
  const { userId, organization } = puller
  return [{ shares: { some: { organization: { members: { some: { userId } }, ...(organization !== null && { slug: organization }) } } } }]
}

/** Whether builds and deployments of the organization pull through the upstream; null: those that may use nobody's credentials. */
export async function organizationPullsThrough(db: Tx, organization: string | null, host: string): Promise<boolean> {
  const where = {
    host,
    enabled: true,
    OR: [{ secret: null }, ...(organization === null ? [] : [{ shares: { some: { organization: { slug: organization } } } }])],
  }
  return (await db.upstream.count({ where })) > 0
}

/** The repository that keeps the copies, made with the first one. Nobody did this, so nobody's audit tells of it. */
export async function ensureCacheRepository(db: Db, path: RepositoryPath): Promise<RepositoryRef> {
  const found = await findRepositoryByPath(db, path)
  if (found) return found
  try {
    const { id: organizationId } = await db.organization.upsert({
      where: { slug: path.organization },
      create: { id: newId('organization'), slug: path.organization, name: path.organization },
      update: {},
      select: { id: true },
    })
    const id = newId('repository')
    await db.repository.create({ data: { id, organizationId, name: path.name } })
    return { id, organizationId }
  } catch (error) {
    const other = isUniqueViolation(error) ? await findRepositoryByPath(db, path) : null
    if (other) return other
    throw error
  }
}

/** A manifest as the upstream has it: its blobs come when somebody asks for them. False: the repository is gone. */
export async function putCachedManifest(db: Db, input: NewManifest): Promise<boolean> {
  const { repositoryId, digest } = input
  return db.$transaction(
    async (tx) => {
      if (!(await lockRepository(tx, repositoryId))) return false
      const known = await tx.manifest.findUnique({ where: { repositoryId_digest: { repositoryId, digest } }, select: { id: true } })
      const manifestId = known?.id ?? newId('manifest')
      if (!known) {
        const blobs = input.needsBlobs.reduce((sum, blob) => sum + blob.size, input.content.byteLength)
        await insertManifest(tx, manifestId, input, BigInt(blobs))
      }
      for (const name of input.tags)
        await tx.tag.upsert({
          where: { repositoryId_name: { repositoryId, name } },
          create: { repositoryId, name, manifestId, pushedBy: input.pushedBy },
          update: { manifestId, updatedAt: new Date() },
        })
      return true
    },
    { maxWait: 15_000, timeout: 30_000 },
  )
}

/** The upstream has it no more. */
export const forgetCachedTag = (db: Db, repositoryId: string, name: string): Promise<void> =>
  db.$transaction(async (tx) => {
    await tellRemoval(tx, 'system:upstream', 'upstream')
    await tx.tag.deleteMany({ where: { repositoryId, name } })
  })

/**
 * Links a blob that another repository of the same upstream keeps, if a manifest of this one names it: the upstream itself said so.
 * Never one of other organizations, since a manifest may name any digest. Gives its size.
 */
export async function linkCachedBlob(db: Tx, path: RepositoryPath, digest: string): Promise<number | null> {
  const rows = await db.$queryRaw<{ size: bigint }[]>`
    WITH here AS (
      SELECT r."id", r."organizationId" FROM "Repository" r JOIN "Organization" o ON o."id" = r."organizationId"
      WHERE o."slug" = ${path.organization} AND r."name" = ${path.name}
    ), found AS (
      SELECT b."digest", b."size" FROM "Blob" b, here
      WHERE b."digest" = ${digest} AND b."damagedAt" IS NULL
        AND EXISTS (SELECT 1 FROM "RepositoryBlob" l JOIN "Repository" r ON r."id" = l."repositoryId"
                    WHERE l."digest" = b."digest" AND r."organizationId" = here."organizationId")
        AND EXISTS (SELECT 1 FROM "Manifest" m WHERE m."repositoryId" = here."id" AND (m."configDigest" = b."digest"
                    OR EXISTS (SELECT 1 FROM "ManifestLayer" y WHERE y."manifestId" = m."id" AND y."digest" = b."digest")))
      FOR KEY SHARE OF b
    ), linked AS (
      INSERT INTO "RepositoryBlob" ("repositoryId", "digest", "size", "createdAt", "seenAt")
      SELECT here."id", found."digest", found."size", now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC' FROM here, found
      ON CONFLICT ("repositoryId", "digest") DO UPDATE SET "seenAt" = EXCLUDED."seenAt"
    )
    SELECT "size" FROM found`
  return rows[0] ? Number(rows[0].size) : null
}

/** Somebody pulls the image: its blobs are the last to go, all of them, as an image is of no use without one. */
export const touchCachedImage = (db: Tx, manifestId: string, now = new Date()): Promise<number> =>
  db.$executeRaw`
    UPDATE "RepositoryBlob" l SET "seenAt" = ${now} FROM "Manifest" m
    WHERE m."id" = ${manifestId} AND l."repositoryId" = m."repositoryId"
      AND (l."digest" = m."configDigest" OR l."digest" IN (SELECT y."digest" FROM "ManifestLayer" y WHERE y."manifestId" = m."id"))`

/** Repositories of upstreams that keep the blob. */
export async function cacheRepositoriesWith(db: Tx, digest: string, take: number): Promise<RepositoryPath[]> {
  const rows = await db.repositoryBlob.findMany({
    where: { digest, repository: { organization: { OR: [{ slug: { contains: '.' } }, { slug: { contains: '_' } }] } } },
    select: { repository: { select: { name: true, organization: { select: { slug: true } } } } },
    take,
  })
  return rows.map(({ repository }) => ({ organization: repository.organization.slug, name: repository.name }))
}

/** Bytes of the blobs that are kept of the upstream, each once. */
export async function cachedBytes(db: Tx, host: string): Promise<number> {
  const rows = await db.$queryRaw<{ bytes: bigint | null }[]>`
    SELECT SUM(b."size")::bigint AS bytes FROM "Blob" b WHERE b."digest" IN (
      SELECT l."digest" FROM "RepositoryBlob" l JOIN "Repository" r ON r."id" = l."repositoryId"
      JOIN "Organization" o ON o."id" = r."organizationId" WHERE o."slug" = ${upstreamNamespace(host)})`
  return Number(rows[0]?.bytes ?? 0)
}

/**
 * Lets go of those that nobody pulled for longest, until at most `keepBytes` are kept; the collector takes their bytes. Gives how many
 * links went. Tags and manifests stay: the blobs come again when they are asked for.
 */
export const evictCached = (db: Tx, host: string, keepBytes: number): Promise<number> =>
  db.$executeRaw`
    WITH kept AS (
      SELECT l."digest", b."size", MAX(l."seenAt") AS used FROM "RepositoryBlob" l
      JOIN "Repository" r ON r."id" = l."repositoryId" JOIN "Organization" o ON o."id" = r."organizationId"
      JOIN "Blob" b ON b."digest" = l."digest"
      WHERE o."slug" = ${upstreamNamespace(host)} GROUP BY l."digest", b."size"
    ), ranked AS (
      SELECT "digest", SUM("size") OVER (ORDER BY used DESC, "digest") AS upto FROM kept
    )
    DELETE FROM "RepositoryBlob" l USING ranked k, "Repository" r, "Organization" o
    WHERE l."digest" = k."digest" AND k.upto > ${keepBytes}::bigint
      AND r."id" = l."repositoryId" AND o."id" = r."organizationId" AND o."slug" = ${upstreamNamespace(host)}`

export interface UpstreamUse {
  hits: number
  misses: number
  fetchedBytes: number
  contactAt: Date | null
  /** Undefined: as it was; null: it is well again. */
  error?: { message: string; at: Date } | null
}

export async function recordUpstreamUse(db: Tx, id: string, { hits, misses, fetchedBytes, contactAt, error }: UpstreamUse): Promise<void> {
  await db.upstream.updateMany({
    where: { id },
    data: {
      hits: { increment: hits },
      misses: { increment: misses },
      fetchedBytes: { increment: fetchedBytes },
      ...(contactAt && { lastContactAt: contactAt }),
      ...(error !== undefined && { lastError: error?.message ?? null, lastErrorAt: error?.at ?? null }),
    },
  })
}
