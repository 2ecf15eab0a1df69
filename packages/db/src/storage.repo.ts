/**
 * Where the bytes are, for the storage page: of one organization, and of the whole installation. Each blob is counted once per
 * answer, and each manifest where it is, so that the parts add up to the whole: to what the organization's limit counts.
 */
import { isBuildCache, isNoBuildCache } from './build-caches'
import type { Tx } from './client'
import { Prisma } from './generated/client'

export interface ByteCount {
  blobs: number
  bytes: number
}

/** What a blob of the organization is kept for; exactly one of them. */
export const BLOB_USES = ['single', 'shared', 'cache', 'unused'] as const
export type BlobUse = (typeof BLOB_USES)[number]

export interface OrganizationStorage {
  /** They lie in this database, beside the blobs. */
  manifests: { count: number; bytes: number }
  /** single: images of one repository; shared: images of several; cache: only build caches; unused: no manifest names it. */
  uses: Record<BlobUse, ByteCount>
  /** Largest first. Bytes: what the repository links, and its manifests; only: what goes when it goes. */
  repositories: { name: string; blobs: number; bytes: number; only: number; unused: number }[]
  sharedLayers: { digest: string; size: number; repositories: number; images: number; step: string | null; example: string }[]
  /** What the collector would take, the largest first; it goes an hour after `seenAt`. */
  collectable: { digest: string; size: number; repository: string; repositories: number; seenAt: Date }[]
}

const SHARED_SHOWN = 12
const COLLECTABLE_SHOWN = 100

/**
 * Each link of the organization, with what its blob is used for there. A link is loose when no manifest of its repository names the blob:
 * the same as the collector asks (registry-gc.repo.ts), as joins over all links at once.
 */
const linksOf = (organization: Prisma.Sql) => Prisma.sql`
  named AS (
    SELECT m."repositoryId", y."digest", ${isBuildCache} AS cache
    FROM "Manifest" m JOIN "ManifestLayer" y ON y."manifestId" = m."id" WHERE ${organization}
    UNION ALL
    SELECT m."repositoryId", m."configDigest", ${isBuildCache}
    FROM "Manifest" m WHERE m."configDigest" IS NOT NULL AND ${organization}
  ), needed AS (
    SELECT "repositoryId", "digest", bool_and(cache) AS cache FROM named GROUP BY 1, 2
  )`

interface Totals {
  use: BlobUse
  blobs: number
  bytes: bigint
}

interface Answer {
  manifests: { count: number; bytes: number } | null
  uses: Totals[] | null
  repositories: never[] | null
  shared: never[] | null
  loose: never[] | null
}
const NO_ANSWER: Answer = { manifests: null, uses: null, repositories: null, shared: null, loose: null }

/** One statement for all of it: the parts are of one moment. */
export async function organizationStorage(db: Tx, organizationId: string): Promise<OrganizationStorage> {
  const rows = await db.$queryRaw<Answer[]>`
    WITH ${linksOf(Prisma.sql`m."organizationId" = ${organizationId}`)}, link AS MATERIALIZED (
      SELECT l."repositoryId", l."digest", l."seenAt", l."size", n."digest" IS NULL AS loose, COALESCE(n.cache, true) AS cache
      FROM "Repository" r JOIN "RepositoryBlob" l ON l."repositoryId" = r."id"
      LEFT JOIN needed n ON n."repositoryId" = l."repositoryId" AND n."digest" = l."digest"
      WHERE r."organizationId" = ${organizationId}
    ), blob AS MATERIALIZED (
      SELECT "digest", max("size") AS size, count(*)::int AS links, min("repositoryId") AS first, max("seenAt") AS "seenAt",
        CASE WHEN bool_and(loose) THEN 'unused' WHEN bool_and(cache) THEN 'cache' WHEN count(*) = 1 THEN 'single' ELSE 'shared' END AS use
      FROM link GROUP BY "digest"
    ), manifest AS MATERIALIZED (
      SELECT "repositoryId", count(*)::int AS count, sum("size")::bigint AS bytes FROM "Manifest"
      WHERE "organizationId" = ${organizationId} GROUP BY 1
    )
    SELECT
      (SELECT jsonb_build_object('count', COALESCE(sum(m.count), 0), 'bytes', COALESCE(sum(m.bytes), 0)) FROM manifest m) AS manifests,
      (SELECT jsonb_agg(u) FROM (SELECT use, count(*)::int AS blobs, sum(size) AS bytes FROM blob GROUP BY use) u) AS uses,
      (SELECT jsonb_agg(t ORDER BY t.bytes DESC, t.name) FROM (
        SELECT r."name", count(l."digest")::int AS blobs, COALESCE(sum(l."size"), 0) + COALESCE(min(m.bytes), 0) AS bytes,
          COALESCE(sum(l."size") FILTER (WHERE b.links = 1), 0) + COALESCE(min(m.bytes), 0) AS only,
          COALESCE(sum(l."size") FILTER (WHERE l.loose), 0) AS unused
        FROM "Repository" r LEFT JOIN link l ON l."repositoryId" = r."id" LEFT JOIN blob b ON b."digest" = l."digest"
          LEFT JOIN manifest m ON m."repositoryId" = r."id"
        WHERE r."organizationId" = ${organizationId} GROUP BY r."id") t) AS repositories,
      (SELECT jsonb_agg(s ORDER BY s.size * (s.links - 1) DESC, s."digest") FROM (
        SELECT b."digest", b.size, b.links, r."name" AS example FROM blob b JOIN "Repository" r ON r."id" = b.first
        WHERE b.use = 'shared' ORDER BY b.size * (b.links - 1) DESC, b."digest" LIMIT ${SHARED_SHOWN}) s) AS shared,
      (SELECT jsonb_agg(c ORDER BY c.size DESC, c."digest") FROM (
        SELECT b."digest", b.size, b.links, b."seenAt", r."name" AS repository FROM blob b JOIN "Repository" r ON r."id" = b.first
        WHERE b.use = 'unused' ORDER BY b.size DESC, b."digest" LIMIT ${COLLECTABLE_SHOWN}) c) AS loose`
  const { uses, manifests, repositories, shared, loose } = rows[0] ?? NO_ANSWER
  const none = { blobs: 0, bytes: 0 }
  const counts: Record<BlobUse, ByteCount> = { single: none, shared: none, cache: none, unused: none }
  for (const { use, blobs, bytes } of uses ?? []) counts[use] = { blobs, bytes: Number(bytes) }
  return {
    uses: counts,
    manifests: { count: Number(manifests?.count ?? 0), bytes: Number(manifests?.bytes ?? 0) },
    repositories: repositories ?? [],
    sharedLayers: await withSteps(db, organizationId, shared ?? []),
    collectable: (loose ?? []).map(({ digest, size, links, seenAt, repository }: LooseBlob) => ({
      digest,
      size,
      repository,
      repositories: links,
      // JSON has no instants: Postgres writes it without a zone, and it is UTC.
      seenAt: new Date(`${seenAt}Z`),
    })),
  }
}

interface LooseBlob {
  digest: string
  size: number
  links: number
  seenAt: string
  repository: string
}

interface SharedBlob {
  digest: string
  size: number
  links: number
  example: string
}

/** How many images have each layer, and the step that made it. */
async function withSteps(db: Tx, organizationId: string, layers: SharedBlob[]): Promise<OrganizationStorage['sharedLayers']> {
  if (layers.length === 0) return []
  const rows = await db.$queryRaw<{ digest: string; images: number; step: string | null }[]>`
    SELECT y."digest", count(DISTINCT m."digest")::int AS images, max(y."createdBy") AS step
    FROM "ManifestLayer" y JOIN "Manifest" m ON m."id" = y."manifestId"
    WHERE m."organizationId" = ${organizationId} AND y."digest" IN (${Prisma.join(layers.map((layer) => layer.digest))})
    GROUP BY y."digest"`
  const known = new Map(rows.map((row) => [row.digest, row]))
  return layers.map(({ digest, size, links, example }) => {
    const { images = 0, step = null } = known.get(digest) ?? {}
    return { digest, size, repositories: links, images, step, example }
  })
}

/** The largest images that have a tag. */
export async function largestImages(db: Tx, organizationId: string, take: number) {
  const rows = await db.$queryRaw<{ repository: string; digest: string; size: bigint; tag: string; pushedAt: Date }[]>`
    SELECT r."name" AS repository, m."digest", m."totalSize" AS size, t."name" AS tag, t."updatedAt" AS "pushedAt" FROM (
      SELECT m."id", m."digest", m."totalSize", m."repositoryId" FROM "Manifest" m
      WHERE m."organizationId" = ${organizationId} AND ${isNoBuildCache}
        AND EXISTS (SELECT 1 FROM "Tag" t WHERE t."manifestId" = m."id")
      ORDER BY m."totalSize" DESC, m."id" LIMIT ${take}) m
    JOIN "Repository" r ON r."id" = m."repositoryId"
    JOIN LATERAL (SELECT "name", "updatedAt" FROM "Tag" WHERE "manifestId" = m."id" ORDER BY "updatedAt" DESC LIMIT 1) t ON true
    ORDER BY m."totalSize" DESC, m."id"`
  return rows.map((row) => ({ ...row, size: Number(row.size) }))
}

/** Uploads that were begun and not ended, the one that somebody wrote to last first. */
export async function openUploads(db: Tx, organizationId: string, take: number) {
  const [sum, rows] = await Promise.all([
    db.upload.aggregate({ where: { organizationId }, _count: true, _sum: { bytes: true } }),
    db.upload.findMany({
      where: { organizationId },
      select: { id: true, bytes: true, startedBy: true, startedAt: true, updatedAt: true, repository: { select: { name: true } } },
      orderBy: { updatedAt: 'desc' },
      take,
    }),
  ])
  const uploads = rows.map(({ repository, bytes, ...row }) => ({ ...row, bytes: Number(bytes), repository: repository.name }))
  return { count: sum._count, bytes: Number(sum._sum.bytes ?? 0), uploads }
}

/** Blobs of the organization whose bytes were found damaged or gone, and are not back yet. */
export async function damagedBlobs(db: Tx, organizationId: string, take: number) {
  const rows = await db.$queryRaw<{ digest: string; size: bigint; damagedAt: Date; repository: string; images: number }[]>`
    WITH bad AS MATERIALIZED (
      SELECT b."digest", b."size", b."damagedAt", min(r."name") AS repository
      FROM "Blob" b JOIN "RepositoryBlob" l ON l."digest" = b."digest" JOIN "Repository" r ON r."id" = l."repositoryId"
      WHERE b."damagedAt" IS NOT NULL AND r."organizationId" = ${organizationId}
      GROUP BY b."digest" ORDER BY b."damagedAt" DESC LIMIT ${take}
    ), image AS (
      SELECT y."digest", m."digest" AS image FROM bad JOIN "ManifestLayer" y ON y."digest" = bad."digest"
      JOIN "Manifest" m ON m."id" = y."manifestId" WHERE m."organizationId" = ${organizationId}
      UNION
      SELECT m."configDigest", m."digest" FROM bad JOIN "Manifest" m ON m."configDigest" = bad."digest"
      WHERE m."organizationId" = ${organizationId}
    )
    SELECT bad.*, (SELECT count(*)::int FROM image i WHERE i."digest" = bad."digest") AS images
    FROM bad ORDER BY bad."damagedAt" DESC`
  return rows.map((row) => ({ ...row, size: Number(row.size) }))
}

export interface InstallationStorage {
  /** Every blob that has a row, once. */
  total: ByteCount
  manifests: { count: number; bytes: number }
  /** Linked by repositories of several organizations. */
  shared: ByteCount
  /** No repository links it any more: the collector's. */
  unlinked: ByteCount
  /** Of linked ones, those that no manifest names. */
  unused: ByteCount
  /** Largest first, with their manifests; only: what no other organization links. */
  organizations: { slug: string; name: string; repositories: number; bytes: number; only: number }[]
}

export async function installationStorage(db: Tx): Promise<InstallationStorage> {
  const rows = await db.$queryRaw<
    {
      parts: { part: string; blobs: number; bytes: number }[] | null
      manifests: { count: number; bytes: number } | null
      organizations: never[] | null
    }[]
  >`
    WITH ${linksOf(Prisma.sql`true`)}, held AS MATERIALIZED (
      SELECT r."organizationId", l."digest", bool_and(n."digest" IS NULL) AS loose
      FROM "RepositoryBlob" l JOIN "Repository" r ON r."id" = l."repositoryId"
      LEFT JOIN needed n ON n."repositoryId" = l."repositoryId" AND n."digest" = l."digest" GROUP BY 1, 2
    ), blob AS MATERIALIZED (
      SELECT b."digest", b."size", count(h."digest")::int AS holders, COALESCE(bool_and(h.loose), false) AS loose
      FROM "Blob" b LEFT JOIN held h ON h."digest" = b."digest" GROUP BY b."digest"
    ), manifest AS MATERIALIZED (
      SELECT "organizationId", count(*)::int AS count, sum("size")::bigint AS bytes FROM "Manifest" GROUP BY 1
    )
    SELECT
      (SELECT jsonb_build_object('count', COALESCE(sum(m.count), 0), 'bytes', COALESCE(sum(m.bytes), 0)) FROM manifest m) AS manifests,
      (SELECT jsonb_agg(p) FROM (
        SELECT CASE WHEN holders = 0 THEN 'unlinked' WHEN loose THEN 'unused' WHEN holders > 1 THEN 'shared' ELSE 'single' END AS part,
          count(*)::int AS blobs, sum("size") AS bytes FROM blob GROUP BY 1) p) AS parts,
      (SELECT jsonb_agg(t ORDER BY t.bytes DESC, t.slug) FROM (
        SELECT o."slug", o."name", (SELECT count(*)::int FROM "Repository" r WHERE r."organizationId" = o."id") AS repositories,
          COALESCE(sum(b."size"), 0) + COALESCE(min(m.bytes), 0) AS bytes,
          COALESCE(sum(b."size") FILTER (WHERE b.holders = 1), 0) + COALESCE(min(m.bytes), 0) AS only
        FROM "Organization" o LEFT JOIN held h ON h."organizationId" = o."id" LEFT JOIN blob b ON b."digest" = h."digest"
          LEFT JOIN manifest m ON m."organizationId" = o."id"
        GROUP BY o."id") t) AS organizations`
  const parts = new Map((rows[0]?.parts ?? []).map(({ part, blobs, bytes }) => [part, { blobs, bytes }]))
  const of = (part: string): ByteCount => parts.get(part) ?? { blobs: 0, bytes: 0 }
  const total = [...parts.values()].reduce((sum, one) => ({ blobs: sum.blobs + one.blobs, bytes: sum.bytes + one.bytes }), {
    blobs: 0,
    bytes: 0,
  })
  const { manifests, organizations } = rows[0] ?? { manifests: null, organizations: null }
  return {
    total,
    manifests: { count: Number(manifests?.count ?? 0), bytes: Number(manifests?.bytes ?? 0) },
    shared: of('shared'),
    unlinked: of('unlinked'),
    unused: of('unused'),
    organizations: organizations ?? [],
  }
}

export const storeState = (db: Tx) => db.blobStoreState.findUnique({ where: { id: 'store' } })
export const latestDamages = (db: Tx, take: number) => db.blobDamage.findMany({ orderBy: { foundAt: 'desc' }, take })
