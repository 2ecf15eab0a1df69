/** What is attached to an image: by the `subject` of its manifest, or by a tag that names the image's digest. */
import { isNoBuildCache } from './build-caches'
import type { Tx } from './client'
import { Prisma } from './generated/client'

/**
 * An SBOM of an image that is gone is of no use: what is attached to it goes too, and what is attached to that. What has a tag of its
 * own, one that names a version, stays; so does what is attached to another image as well (two images of the same packages have the
 * same SBOM), and what is a part of an index: by calling a part of it a signature, nobody takes an image apart.
 */
export async function deleteAttached(tx: Tx, repositoryId: string, subject: string): Promise<void> {
  const rows = await tx.$queryRaw<{ id: string; digest: string }[]>`
    WITH RECURSIVE attached("id", "digest") AS (
      SELECT x."id", x."digest" FROM (${attachedTo(repositoryId, Prisma.sql`${subject}`)}) x
      UNION
      SELECT x."id", x."digest" FROM attached a CROSS JOIN LATERAL (${attachedTo(repositoryId, Prisma.sql`a."digest"`)}) x
    )
    SELECT "id", "digest" FROM attached`
  const subjects = [subject, ...rows.map((row) => row.digest)]
  // Of what stays, too, the tags that say what is not there any more.
  await tx.tag.deleteMany({ where: { repositoryId, attachedTo: { in: subjects } } })
  await tx.manifest.deleteMany({ where: { repositoryId, id: { in: rows.map((row) => row.id) } } })
}

const attachedTo = (repositoryId: string, subject: Prisma.Sql) => Prisma.sql`
  SELECT m."id", m."digest" FROM "Manifest" m
  WHERE m."repositoryId" = ${repositoryId} AND m."subjectDigest" = ${subject} AND ${isOnlyThere(subject)}
  UNION
  SELECT m."id", m."digest" FROM "Tag" s JOIN "Manifest" m ON m."id" = s."manifestId"
  WHERE s."repositoryId" = ${repositoryId} AND s."attachedTo" = ${subject} AND ${isOnlyThere(subject)}`

/**
 * `m` is attached to `subject` and nothing else holds it: no tag that names a version, no other image, no index that is one itself.
 * An index without a tag is one that is pulled by its digest, unless it is an older list of what says itself that it is attached.
 */
const isOnlyThere = (subject: Prisma.Sql) => Prisma.sql`
  NOT EXISTS (SELECT 1 FROM "Tag" t WHERE t."manifestId" = m."id" AND t."attachedTo" IS NULL)
  AND NOT EXISTS (
    SELECT 1 FROM "Manifest" o WHERE o."repositoryId" = m."repositoryId" AND o."digest" <> ${subject} AND (o."digest" = m."subjectDigest"
      OR o."digest" IN (SELECT t."attachedTo" FROM "Tag" t WHERE t."manifestId" = m."id" AND t."attachedTo" IS NOT NULL)))
  AND NOT EXISTS (
    WITH RECURSIVE whole("id", "digest") AS (
      SELECT p."id", p."digest" FROM "ManifestChild" c JOIN "Manifest" p ON p."id" = c."manifestId"
      WHERE c."digest" = m."digest" AND p."repositoryId" = m."repositoryId"
      UNION
      SELECT p."id", p."digest" FROM whole w JOIN "ManifestChild" c ON c."digest" = w."digest"
      JOIN "Manifest" p ON p."id" = c."manifestId" AND p."repositoryId" = m."repositoryId"
    )
    SELECT 1 FROM whole w WHERE EXISTS (SELECT 1 FROM "Tag" t WHERE t."manifestId" = w."id" AND t."attachedTo" IS NULL)
      OR (m."subjectDigest" IS DISTINCT FROM ${subject} AND NOT EXISTS (SELECT 1 FROM "Tag" t WHERE t."manifestId" = w."id")))`

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
    WHERE m."organizationId" = ${organizationId} AND ${isNoBuildCache}
    ORDER BY m."createdAt" DESC, m."id" DESC LIMIT ${take}`
