/** What is attached to an image: by the `subject` of its manifest, or by a tag that names the image's digest. */
import { BUILD_CACHE_ARTIFACT } from '@slipway/core'
import type { Tx } from './client'
import { Prisma } from './generated/client'

/**
 * An SBOM of an image that is gone is of no use: what is attached to it goes too, and what is attached to that. What has a tag of its
 * own, one that names a version, stays.
 */
export const deleteAttached = (tx: Tx, repositoryId: string, subject: string): Promise<number> =>
  tx.$executeRaw`
    WITH RECURSIVE attached("id", "digest") AS (
      SELECT x."id", x."digest" FROM (${attachedTo(repositoryId, Prisma.sql`${subject}`)}) x
      UNION
      SELECT x."id", x."digest" FROM attached a CROSS JOIN LATERAL (${attachedTo(repositoryId, Prisma.sql`a."digest"`)}) x
    )
    DELETE FROM "Manifest" WHERE "id" IN (SELECT "id" FROM attached)`

const attachedTo = (repositoryId: string, subject: Prisma.Sql) => Prisma.sql`
  SELECT m."id", m."digest" FROM "Manifest" m
  WHERE m."repositoryId" = ${repositoryId} AND m."subjectDigest" = ${subject} AND ${hasNoVersion}
  UNION
  SELECT m."id", m."digest" FROM "Tag" s JOIN "Manifest" m ON m."id" = s."manifestId"
  WHERE s."repositoryId" = ${repositoryId} AND s."attachedTo" = ${subject} AND ${hasNoVersion}`

const hasNoVersion = Prisma.sql`NOT EXISTS (SELECT 1 FROM "Tag" t WHERE t."manifestId" = m."id" AND t."attachedTo" IS NULL)`

export interface AttachedRow {
  digest: string
  artifactType: string | null
  mediaType: string
  annotations: unknown
  /** Of the tag that attaches it; null: its manifest does. */
  tag: string | null
  size: bigint
  pushedBy: string
  pushedAt: Date
}

/** The newest first, `take` of them; build caches and the index of OCI's tag schema, which only lists others, are left out. */
export const listAttached = (db: Tx, organizationId: string, repositoryId: string, subject: string, take: number): Promise<AttachedRow[]> =>
  db.$queryRaw<AttachedRow[]>`
    SELECT m."digest", m."artifactType", m."mediaType", m."annotations", f."tag", m."totalSize" AS size, m."pushedBy", m."createdAt" AS "pushedAt"
    FROM (
      SELECT m."id", NULL AS tag FROM "Manifest" m WHERE m."repositoryId" = ${repositoryId} AND m."subjectDigest" = ${subject}
      UNION ALL
      SELECT s."manifestId", s."name" FROM "Tag" s JOIN "Manifest" m ON m."id" = s."manifestId"
      WHERE s."repositoryId" = ${repositoryId} AND s."attachedTo" = ${subject} AND s."name" LIKE '%.%' AND m."subjectDigest" IS DISTINCT FROM ${subject}
    ) f JOIN "Manifest" m ON m."id" = f."id"
    WHERE m."organizationId" = ${organizationId} AND m."artifactType" IS DISTINCT FROM ${BUILD_CACHE_ARTIFACT}
    ORDER BY m."createdAt" DESC, m."id" DESC LIMIT ${take}`
