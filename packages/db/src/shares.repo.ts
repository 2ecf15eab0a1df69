import { newId } from '@slipway/core'
import type { Tx } from './client'
import { Prisma } from './generated/client'
import type { RepositoryPath } from './registry.repo'

export interface NewShare {
  organizationId: string
  repositoryId: string
  digest: string
  tag: string | null
  prefix: string
  hash: string
  createdBy: string
  expiresAt: Date
}

export const createShare = (tx: Tx, data: NewShare) => tx.share.create({ data: { id: newId('share'), ...data } })

/** The links to an image that still open, the newest first. */
export const listShares = (db: Tx, organizationId: string, repositoryId: string, digest: string, now = new Date()) =>
  db.share.findMany({
    where: { organizationId, repositoryId, digest, revokedAt: null, expiresAt: { gt: now } },
    orderBy: { createdAt: 'desc' },
    take: 100,
  })

export const countShares = (db: Tx, organizationId: string, now = new Date()) =>
  db.share.count({ where: { organizationId, revokedAt: null, expiresAt: { gt: now } } })

const WITH_IMAGE = { repository: { include: { organization: { select: { slug: true, name: true } } } } } as const

export const findShare = (db: Tx, organizationId: string, id: string) =>
  db.share.findFirst({ where: { id, organizationId }, include: WITH_IMAGE })

/** The revoked link, or null when the organization has no such live one. */
export async function revokeShare(tx: Tx, organizationId: string, id: string, now = new Date()) {
  const { count } = await tx.share.updateMany({ where: { id, organizationId, revokedAt: null }, data: { revokedAt: now } })
  return count === 1 ? tx.share.findUnique({ where: { id }, include: WITH_IMAGE }) : null
}

/** A link by the hash of its token, while it opens and its image is there. */
export async function findLiveShare(db: Tx, hash: string, now = new Date()) {
  const share = await db.share.findFirst({ where: { hash, revokedAt: null, expiresAt: { gt: now } }, include: WITH_IMAGE })
  // A repository that went to another organization takes none of its links with it.
  if (!share || share.repository.organizationId !== share.organizationId) return null
  const { repositoryId, digest } = share
  const manifest = await db.manifest.findUnique({ where: { repositoryId_digest: { repositoryId, digest } }, select: { id: true } })
  return manifest ? { ...share, manifestId: manifest.id } : null
}

/** Links of the organization that ended before: they open nothing, and the audit log knows of them. */
export const forgetShares = (tx: Tx, organizationId: string, before: Date) =>
  tx.share.deleteMany({ where: { organizationId, OR: [{ expiresAt: { lt: before } }, { revokedAt: { lt: before } }] } })

/** Pulls since the last time, by share. */
export async function recordSharePulls(db: Tx, pulls: readonly { shareId: string; count: number; at: Date }[]): Promise<void> {
  if (pulls.length === 0) return
  const values = Prisma.join(pulls.map((p) => Prisma.sql`(${p.shareId}::text, ${p.count}::int, ${p.at}::timestamp)`))
  await db.$executeRaw`
    UPDATE "Share" s SET "pullCount" = s."pullCount" + v.count, "lastPulledAt" = GREATEST(s."lastPulledAt", v.at)
    FROM (VALUES ${values}) AS v(id, count, at) WHERE s."id" = v.id`
}

/** The image `root` of the repository, and of an index those of its images whose manifests are here. */
const partsOfImage = ({ organization, name }: RepositoryPath, root: string) => Prisma.sql`
  WITH RECURSIVE part AS (
    SELECT m."id", m."repositoryId", m."digest", m."configDigest"
    FROM "Organization" o JOIN "Repository" r ON r."organizationId" = o."id" JOIN "Manifest" m ON m."repositoryId" = r."id"
    WHERE o."slug" = ${organization} AND r."name" = ${name} AND m."digest" = ${root}
    UNION
    SELECT m."id", m."repositoryId", m."digest", m."configDigest"
    FROM part p JOIN "ManifestChild" c ON c."manifestId" = p."id"
    JOIN "Manifest" m ON m."repositoryId" = p."repositoryId" AND m."digest" = c."digest"
  )`

/**
 * Whether `digest` is the image `root` of the repository, one of an index's images (as a manifest also one that is not here yet), or a
 * configuration or layer of these. What refers to an image is no part of it.
 */
export async function isPartOfImage(
  db: Tx,
  path: RepositoryPath,
  root: string,
  { digest, kind }: { digest: string; kind: 'manifest' | 'blob' },
): Promise<boolean> {
  const rows = await db.$queryRaw<{ found: boolean }[]>`
    ${partsOfImage(path, root)}
    SELECT EXISTS (
      SELECT 1 FROM part p WHERE p."digest" = ${digest} OR p."configDigest" = ${digest}
        OR EXISTS (SELECT 1 FROM "ManifestLayer" l WHERE l."manifestId" = p."id" AND l."digest" = ${digest})
        OR ${kind === 'manifest'} AND EXISTS (SELECT 1 FROM "ManifestChild" c WHERE c."manifestId" = p."id" AND c."digest" = ${digest})
    ) AS found`
  return rows[0]?.found ?? false
}

/** What indexes of the image `root` name and the repository does not have. */
export async function absentImages(db: Tx, path: RepositoryPath, root: string, limit: number): Promise<string[]> {
  const rows = await db.$queryRaw<{ digest: string }[]>`
    ${partsOfImage(path, root)}
    SELECT DISTINCT c."digest" FROM part p JOIN "ManifestChild" c ON c."manifestId" = p."id"
    WHERE NOT EXISTS (SELECT 1 FROM part h WHERE h."digest" = c."digest") LIMIT ${limit}`
  return rows.map(({ digest }) => digest)
}
