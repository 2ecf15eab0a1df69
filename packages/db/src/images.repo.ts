/** The registry's tables as the panel reads them; writing them is the registry's (registry.repo.ts). */

import { deleteAttached } from './attached.repo'
import { isNoBuildCache } from './build-caches'
import type { Tx } from './client'
import type { Prisma } from './generated/client'
import { tellRemoval } from './tag-history.repo'

export type RepositoryRow = Prisma.RepositoryGetPayload<object>

export const findRepositoryByName = (db: Tx, organizationId: string, name: string): Promise<RepositoryRow | null> =>
  db.repository.findFirst({ where: { organizationId, name } })

const manifestDetail = {
  repository: { select: { name: true } },
  layers: { orderBy: { position: 'asc' } },
  children: { orderBy: { position: 'asc' } },
  tags: { orderBy: { updatedAt: 'desc' } },
} satisfies Prisma.ManifestInclude
export type ManifestRow = Omit<Prisma.ManifestGetPayload<{ include: typeof manifestDetail }>, 'content'>

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

/** A layer of a base image can be in all images there are; beyond so many only that it is many is told. */
export const MANY_HOLDERS = 1000

/** How many images (manifest digests) of the organization hold each layer; counted up to `MANY_HOLDERS`. */
export async function layerHolders(db: Tx, organizationId: string, layers: string[]): Promise<Map<string, number>> {
  if (layers.length === 0) return new Map()
  const rows = await db.$queryRaw<{ digest: string; holders: bigint }[]>`
    SELECT w."digest", (
      SELECT COUNT(DISTINCT h."digest") FROM (
        SELECT m."digest" FROM "ManifestLayer" l JOIN "Manifest" m ON m."id" = l."manifestId"
        WHERE l."digest" = w."digest" AND m."organizationId" = ${organizationId} AND ${isNoBuildCache}
        LIMIT ${MANY_HOLDERS}
      ) h
    )::bigint AS holders FROM UNNEST(${[...new Set(layers)]}::text[]) AS w("digest")`
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

/** Apps that serve an image of one of these digests, or any, now. */
export const appsServing = (db: Tx, organizationId: string, digests?: string[]) =>
  db.app.findMany({
    where: {
      organizationId,
      deletedAt: null,
      servingDeployment: { imageDigest: digests ? { in: [...new Set(digests)] } : { not: null } },
    },
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

/** `by`: the id of a user. */
export async function removeImageTag(tx: Tx, organizationId: string, repositoryId: string, name: string, by: string): Promise<boolean> {
  await tellRemoval(tx, by, 'tag')
  return (await tx.tag.deleteMany({ where: { repositoryId, name, repository: { organizationId } } })).count === 1
}

/** With its tags; its blobs stay for the registry's garbage collection. `by`: the id of a user. */
export async function removeImageManifest(
  tx: Tx,
  organizationId: string,
  repositoryId: string,
  digest: string,
  by: string,
): Promise<boolean> {
  await tellRemoval(tx, by, 'image')
  const removed = (await tx.manifest.deleteMany({ where: { organizationId, repositoryId, digest } })).count === 1
  if (removed) await deleteAttached(tx, repositoryId, digest)
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
