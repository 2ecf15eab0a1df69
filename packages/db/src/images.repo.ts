/** The registry's tables as the panel reads them; writing them is the registry's (registry.repo.ts). */
import { BUILD_CACHE_ARTIFACT } from '@slipway/core'
import type { Tx } from './client'
import type { Prisma } from './generated/client'
import type { PageRequest, RowPage } from './page'
import { toPage } from './page'
import { deleteReferrers } from './registry-manifests.repo'

/** A build cache has a tag, and is no image. */
const ofImages = {
  manifest: { OR: [{ artifactType: null }, { artifactType: { not: BUILD_CACHE_ARTIFACT } }] },
} satisfies Prisma.TagWhereInput
const repositoryColumns = { _count: { select: { tags: { where: ofImages } } } } satisfies Prisma.RepositoryInclude
export type RepositoryRow = Prisma.RepositoryGetPayload<{ include: typeof repositoryColumns }>

/** By name, so that a list does not move under the reader; the cursor is the last name. */
export async function listRepositories(
  db: Tx,
  organizationId: string,
  page: PageRequest & { query?: string },
): Promise<RowPage<RepositoryRow>> {
  const where = { organizationId, ...(page.query && { name: { contains: page.query, mode: 'insensitive' as const } }) }
  const [rows, total] = await Promise.all([
    db.repository.findMany({
      where: { AND: [where, page.cursor ? { name: { gt: page.cursor } } : {}] },
      take: page.limit + 1,
      orderBy: { name: 'asc' },
      include: repositoryColumns,
    }),
    db.repository.count({ where }),
  ])
  return toPage(rows, total, page.limit, (row) => row.name)
}

export const findRepositoryByName = (db: Tx, organizationId: string, name: string): Promise<RepositoryRow | null> =>
  db.repository.findFirst({ where: { organizationId, name }, include: repositoryColumns })

/** Bytes of each repository's own blobs, each counted once. */
export async function repositorySizes(db: Tx, organizationId: string, repositoryIds: string[]): Promise<Map<string, number>> {
  if (repositoryIds.length === 0) return new Map()
  const rows = await db.$queryRaw<{ id: string; size: bigint }[]>`
    SELECT rb."repositoryId" AS id, SUM(b."size")::bigint AS size
    FROM "RepositoryBlob" rb JOIN "Blob" b USING ("digest") JOIN "Repository" r ON r."id" = rb."repositoryId"
    WHERE r."organizationId" = ${organizationId} AND rb."repositoryId" = ANY(${repositoryIds}) GROUP BY rb."repositoryId"`
  return new Map(rows.map((row) => [row.id, Number(row.size)]))
}

const manifestDetail = {
  repository: { select: { name: true } },
  layers: { orderBy: { position: 'asc' } },
  children: { orderBy: { position: 'asc' } },
  tags: { orderBy: { updatedAt: 'desc' } },
} satisfies Prisma.ManifestInclude
export type ManifestRow = Omit<Prisma.ManifestGetPayload<{ include: typeof manifestDetail }>, 'content'>

/** Newest first; the cursor is `<updatedAt in ms>:<name>`. */
export async function listTags(db: Tx, organizationId: string, repositoryId: string, page: PageRequest) {
  const where = { repositoryId, repository: { organizationId }, ...ofImages }
  const [at, ...name] = (page.cursor ?? '').split(':')
  const updatedAt = new Date(Number(at))
  const after: Prisma.TagWhereInput =
    page.cursor && !Number.isNaN(updatedAt.getTime())
      ? { OR: [{ updatedAt: { lt: updatedAt } }, { updatedAt, name: { gt: name.join(':') } }] }
      : {}
  const [rows, total] = await Promise.all([
    db.tag.findMany({
      where: { AND: [where, after] },
      take: page.limit + 1,
      orderBy: [{ updatedAt: 'desc' }, { name: 'asc' }],
      include: { manifest: { omit: { content: true }, include: { layers: { select: { digest: true } }, children: true } } },
    }),
    db.tag.count({ where }),
  ])
  return toPage(rows, total, page.limit, (row) => `${row.updatedAt.getTime()}:${row.name}`)
}

/** By digest or by tag, in one repository of the organization. */
export const findManifest = (db: Tx, organizationId: string, repositoryId: string, reference: string): Promise<ManifestRow | null> =>
  db.manifest.findFirst({
    where: {
      organizationId,
      repositoryId,
      ...(reference.includes(':') ? { digest: reference } : { tags: { some: { name: reference } } }),
    },
    omit: { content: true },
    include: manifestDetail,
  })

/** Children of an index that are in the same repository, for their sizes. */
export const findChildManifests = (db: Tx, organizationId: string, repositoryId: string, digests: string[]) =>
  db.manifest.findMany({
    where: { organizationId, repositoryId, digest: { in: digests } },
    select: { digest: true, totalSize: true, os: true, architecture: true },
  })

/** How many images (manifest digests) of the organization hold each layer. */
export async function layerHolders(db: Tx, organizationId: string, layers: string[]): Promise<Map<string, number>> {
  if (layers.length === 0) return new Map()
  const rows = await db.$queryRaw<{ digest: string; holders: bigint }[]>`
    SELECT l."digest", COUNT(DISTINCT m."digest")::bigint AS holders
    FROM "ManifestLayer" l JOIN "Manifest" m ON m."id" = l."manifestId"
    WHERE m."organizationId" = ${organizationId} AND m."artifactType" IS DISTINCT FROM ${BUILD_CACHE_ARTIFACT} AND l."digest" = ANY(${[...new Set(layers)]}) GROUP BY l."digest"`
  return new Map(rows.map((row) => [row.digest, Number(row.holders)]))
}

/** One manifest per digest, with what the way shows of an image. */
export const manifestsByDigest = (db: Tx, organizationId: string, digests: string[]) =>
  db.manifest.findMany({
    where: { organizationId, digest: { in: [...new Set(digests)] } },
    distinct: ['digest'],
    select: { digest: true, totalSize: true, layers: { select: { digest: true } } },
  })

/** The newest build that made each digest. */
export const buildsOfDigests = (db: Tx, organizationId: string, digests: string[]) =>
  db.build.findMany({
    where: { organizationId, manifestDigest: { in: [...new Set(digests)] }, state: 'succeeded', app: { deletedAt: null } },
    orderBy: { id: 'asc' },
    include: { app: { select: { slug: true } } },
  })

/** Apps that serve an image of one of these digests now. */
export const appsServing = (db: Tx, organizationId: string, digests: string[]) =>
  db.app.findMany({
    where: { organizationId, deletedAt: null, servingDeployment: { imageDigest: { in: [...new Set(digests)] } } },
    select: {
      slug: true,
      servingDeployment: {
        select: {
          number: true,
          imageDigest: true,
          imageReference: true,
          _count: { select: { containers: { where: { state: 'running' } } } },
        },
      },
    },
  })

/** Digests of each repository, to tell which apps run an image of it. */
export async function digestsOfRepositories(db: Tx, organizationId: string, repositoryIds: string[]) {
  const rows = await db.manifest.findMany({
    where: { organizationId, repositoryId: { in: repositoryIds } },
    select: { repositoryId: true, digest: true },
  })
  const byRepository = new Map<string, string[]>()
  for (const row of rows) byRepository.set(row.repositoryId, [...(byRepository.get(row.repositoryId) ?? []), row.digest])
  return byRepository
}

export const removeImageTag = async (tx: Tx, organizationId: string, repositoryId: string, name: string): Promise<boolean> =>
  (await tx.tag.deleteMany({ where: { repositoryId, name, repository: { organizationId } } })).count === 1

/** With its tags; its blobs stay for the registry's garbage collection. */
export async function removeImageManifest(tx: Tx, organizationId: string, repositoryId: string, digest: string): Promise<boolean> {
  const removed = (await tx.manifest.deleteMany({ where: { organizationId, repositoryId, digest } })).count === 1
  if (removed) await deleteReferrers(tx, repositoryId, digest)
  return removed
}

/** Manifests of one artifact type that are attached to an image, the newest first. */
export const attachedManifests = (db: Tx, organizationId: string, repositoryId: string, subjectDigest: string, artifactType: string) =>
  db.manifest.findMany({
    where: { organizationId, repositoryId, subjectDigest, artifactType },
    select: {
      digest: true,
      annotations: true,
      pushedBy: true,
      createdAt: true,
      layers: { select: { digest: true, mediaType: true, size: true }, orderBy: { position: 'asc' }, take: 2 },
    },
    orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
    take: 20,
  })

/** An image of our own registry by its name, whoever's it is: the caller decides who may use it. */
export async function findOwnImage(db: Tx, name: { organization: string; repository: string; reference: string }) {
  const repository = await db.repository.findFirst({
    where: { name: name.repository, organization: { slug: name.organization } },
    select: { id: true, organizationId: true, visibility: true },
  })
  if (!repository) return null
  const manifest = await findManifest(db, repository.organizationId, repository.id, name.reference)
  return manifest ? { digest: manifest.digest, isOpen: repository.visibility !== 'private' } : null
}

/** Digest of an index of the repository that names this manifest as one of its platforms. */
export const findParentIndex = (db: Tx, organizationId: string, repositoryId: string, digest: string) =>
  db.manifest.findFirst({
    where: { organizationId, repositoryId, children: { some: { digest } } },
    select: {
      digest: true,
      children: { orderBy: { position: 'asc' }, select: { digest: true, os: true, architecture: true, variant: true } },
      tags: { orderBy: { updatedAt: 'desc' }, take: 1, select: { name: true } },
    },
    orderBy: { createdAt: 'desc' },
  })
