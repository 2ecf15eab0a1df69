/** What is inside layers: written by the worker by digest, read by the panel through what repositories of one organization link. */
import { isNoBuildCache } from './build-caches'
import type { Db, Tx } from './client'
import { Prisma } from './generated/client'

/** Archives of files: what artifacts call a layer may be anything. */
export const isArchive = Prisma.sql`l."mediaType" LIKE '%tar%'`
export const INDEX_TYPES = ['application/vnd.oci.image.index.v1+json', 'application/vnd.docker.distribution.manifest.list.v2+json']
/** What lies in a cache, ours or BuildKit's (an index of blobs), lies beside each other: it makes no files of an image. */
export const hasFiles = Prisma.sql`(${isNoBuildCache} AND m."mediaType" <> ALL(${INDEX_TYPES}))`
/** A layer that could not be read is tried again after 1, 4, 9 … minutes. */
const TRIES = 6
/** Not read, and not given up. */
export const isToRead = Prisma.sql`(i."digest" IS NULL OR (i."state" = 'failed' AND i."attempts" < ${TRIES}))`
/**
 * That the repository links the layer `l` of its manifest `m`. A manifest may name layers that it says lie elsewhere, of any digest: without
 * a link the layer is somebody else's, whose listing is not to be told.
 */
export const isLinked = Prisma.sql`EXISTS (
  SELECT 1 FROM "RepositoryBlob" k WHERE k."repositoryId" = m."repositoryId" AND k."digest" = l."digest")`
/** That an image of the organization holds the layer, by a link of its repository. */
const isHeld = (organizationId: string, digest: Prisma.Sql) => Prisma.sql`EXISTS (
  SELECT 1 FROM "ManifestLayer" l JOIN "Manifest" m ON m."id" = l."manifestId"
  WHERE l."digest" = ${digest} AND m."organizationId" = ${organizationId} AND ${isLinked})`
const isDue = Prisma.sql`(i."digest" IS NULL OR (i."state" = 'failed' AND i."attempts" < ${TRIES}
  AND i."updatedAt" < now() - make_interval(mins => i."attempts" * i."attempts")))`

/** Digests of layers that nobody has looked into, the newest first. */
export async function unreadLayers(db: Tx, take: number): Promise<string[]> {
  const rows = await db.$queryRaw<{ digest: string }[]>`
    SELECT b."digest" FROM "Blob" b LEFT JOIN "LayerIndex" i ON i."digest" = b."digest"
    WHERE ${isDue} AND b."damagedAt" IS NULL AND EXISTS (
      SELECT 1 FROM "ManifestLayer" l JOIN "Manifest" m ON m."id" = l."manifestId"
      WHERE l."digest" = b."digest" AND ${isArchive} AND ${isLinked} AND ${hasFiles})
    ORDER BY b."createdAt" DESC LIMIT ${take}`
  return rows.map((row) => row.digest)
}

/** Where the blob can be read, whoever's it is; null when it is read already or nowhere. For the worker alone. */
export async function layerToRead(db: Tx, digest: string) {
  const link = await db.repositoryBlob.findFirst({
    where: { digest, blob: { OR: [{ index: null }, { index: { state: 'failed' } }] } },
    select: {
      blob: { select: { size: true } },
      repository: { select: { name: true, organization: { select: { slug: true } } } },
    },
  })
  return link && { repository: `${link.repository.organization.slug}/${link.repository.name}`, size: Number(link.blob.size) }
}

export interface LayerPackageInput {
  type: string
  name: string
  version: string
  licence: string | null
  path: string
}

/** False when the blob is gone meanwhile. */
export async function saveLayerIndex(
  db: Db,
  digest: string,
  found: { entries: number; bytes: bigint; document: Uint8Array<ArrayBuffer>; names: bigint[]; packages: LayerPackageInput[] },
): Promise<boolean> {
  const { packages, ...row } = found
  return whileThere(
    db.$transaction(
      async (tx) => {
        await tx.layerIndex.deleteMany({ where: { digest } })
        await tx.layerIndex.create({ data: { digest, state: 'ready', ...row } })
        // Postgres takes 65,535 values in one statement.
        for (let at = 0; at < packages.length; at += 5000) {
          const part = packages.slice(at, at + 5000)
          await tx.layerPackage.createMany({ data: part.map((one, index) => ({ digest, position: at + index, ...one })) })
        }
      },
      { maxWait: 15_000, timeout: 120_000 },
    ),
  )
}

export const failLayerIndex = (db: Tx, digest: string, state: 'refused' | 'failed', error: string): Promise<boolean> =>
  whileThere(
    db.layerIndex.upsert({
      where: { digest },
      create: { digest, state, error, attempts: 1, names: [] },
      update: { state, error, attempts: { increment: 1 }, updatedAt: new Date() },
    }),
  )

/** The collector may take a blob while it is read: nothing is left to write down then. */
async function whileThere(write: Promise<unknown>): Promise<boolean> {
  try {
    await write
    return true
  } catch (error) {
    if (error instanceof Prisma.PrismaClientKnownRequestError && error.code === 'P2003') return false
    throw error
  }
}

export const layerStates = (db: Tx, digests: string[]) =>
  db.layerIndex.findMany({
    where: { digest: { in: [...new Set(digests)] } },
    select: { digest: true, state: true, entries: true, bytes: true, error: true, attempts: true },
  })

/** Packed documents. The caller has come to these digests through a link of the organization. */
export async function layerDocuments(db: Tx, digests: string[]): Promise<Map<string, Uint8Array>> {
  const rows = await db.layerIndex.findMany({
    where: { digest: { in: digests }, state: 'ready' },
    select: { digest: true, document: true },
  })
  return new Map(rows.flatMap(({ digest, document }) => (document ? [[digest, document] as const] : [])))
}

/** Layers of the organization's images that are not read yet, counted up to `most`. */
export async function countUnreadLayers(db: Tx, organizationId: string, most: number): Promise<number> {
  const rows = await db.$queryRaw<{ count: bigint }[]>`
    SELECT COUNT(*)::bigint AS count FROM (
      SELECT 1 FROM "Blob" b LEFT JOIN "LayerIndex" i ON i."digest" = b."digest"
      WHERE ${isToRead} AND EXISTS (
        SELECT 1 FROM "ManifestLayer" l JOIN "Manifest" m ON m."id" = l."manifestId"
        WHERE l."digest" = b."digest" AND ${isArchive} AND m."organizationId" = ${organizationId} AND ${isLinked}
          AND ${hasFiles})
      LIMIT ${most}) AS unread`
  return Number(rows[0]?.count ?? 0)
}

/**
 * Which layers of the organization's images hold which of these hashes. The planner takes the table for a small one, because its arrays
 * lie elsewhere, and would read them all (1.4 s of a thousand layers): the index takes 3 ms.
 */
export async function layersWithNames(db: Db, organizationId: string, names: bigint[]): Promise<{ name: bigint; digest: string }[]> {
  if (names.length === 0) return []
  const [, found] = await db.$transaction([
    db.$executeRaw`SET LOCAL enable_seqscan = off`,
    db.$queryRaw<{ name: bigint; digest: string }[]>`
      SELECT n.name, i."digest" FROM unnest(${names}::bigint[]) AS n(name) JOIN "LayerIndex" i ON i."names" @> ARRAY[n.name]
      WHERE ${isHeld(organizationId, Prisma.sql`i."digest"`)}`,
  ])
  return found
}

/** Packages of that name in layers of the organization's images. */
export async function packagesNamed(db: Tx, organizationId: string, name: string, version: string | undefined, take: number) {
  return db.$queryRaw<{ digest: string; type: string; version: string; path: string }[]>`
    SELECT p."digest", p."type", p."version", p."path" FROM "LayerPackage" p
    WHERE p."name" = ${name} AND (${version ?? null}::text IS NULL OR p."version" = ${version ?? null})
      AND ${isHeld(organizationId, Prisma.sql`p."digest"`)}
    ORDER BY p."digest", p."position" LIMIT ${take}`
}

/** Names of packages in the organization's images that begin so. */
export async function packageNames(db: Tx, organizationId: string, start: string, take: number): Promise<string[]> {
  const pattern = `${start.replace(/[\\%_]/g, '\\$&')}%`
  const rows = await db.$queryRaw<{ name: string }[]>`
    SELECT DISTINCT p."name" FROM "LayerPackage" p WHERE p."name" LIKE ${pattern}
      AND ${isHeld(organizationId, Prisma.sql`p."digest"`)}
    ORDER BY 1 LIMIT ${take}`
  return rows.map((row) => row.name)
}
