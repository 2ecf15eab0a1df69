/** What tags named, one after the other. Triggers write it (migration 20261202001000_tag_history); here it is read. */
import { isNoBuildCache } from './build-caches'
import type { Tx } from './client'
import { Prisma } from './generated/client'
import { type PageRequest, toPage } from './page'

/** Of a removal: the tag was deleted, or its image; a rule of retention took it; the upstream has it no more. */
export type RemovedBecause = 'tag' | 'image' | 'retention' | 'upstream'

/** What the histories of tags tell of what this transaction removes from here on. `by`: the subject of a token; empty: nobody. */
export async function tellRemoval(tx: Tx, by: string, why: RemovedBecause): Promise<void> {
  await tx.$executeRaw`SELECT set_config('slipway.by', ${by}, true), set_config('slipway.why', ${why}, true)`
}

export interface TagMoveRow {
  id: bigint
  digest: string | null
  size: bigint | null
  by: string | null
  why: RemovedBecause | null
  at: Date
  /** When the tag moved on or was removed; null: this is its last. */
  until: Date | null
  /** Of the manifest, when it is there. */
  mediaType: string | null
  goneAt: Date | null
  goneBy: string | null
  goneWhy: RemovedBecause | null
  /** The version before it that is still there and another one, for comparing. */
  previous: string | null
}

/** The newest first; the cursor is the last one's id. */
export async function listTagMoves(db: Tx, organizationId: string, repositoryId: string, name: string, { cursor, limit }: PageRequest) {
  const before = /^\d{1,18}$/.test(cursor ?? '') ? Prisma.sql`AND m."id" < ${BigInt(cursor ?? 0)}` : Prisma.empty
  const of = (m: Prisma.Sql) => Prisma.sql`${m}."repositoryId" = ${repositoryId} AND ${m}."name" = ${name}`
  const [rows, counted] = await Promise.all([
    db.$queryRaw<TagMoveRow[]>`
      SELECT m."id", m."digest", m."size", m."by", m."why", m."at", m."goneAt", m."goneBy", m."goneWhy", h."mediaType", n."at" AS until, p."digest" AS previous
      FROM (SELECT m.* FROM "TagMove" m JOIN "Repository" r ON r."id" = m."repositoryId" AND r."organizationId" = ${organizationId}
        WHERE ${of(Prisma.sql`m`)} ${before} ORDER BY m."id" DESC LIMIT ${limit + 1}) m
      LEFT JOIN "Manifest" h ON h."repositoryId" = ${repositoryId} AND h."digest" = m."digest"
      LEFT JOIN LATERAL (SELECT n."at" FROM "TagMove" n WHERE ${of(Prisma.sql`n`)} AND n."id" > m."id" ORDER BY n."id" LIMIT 1) n ON true
      LEFT JOIN LATERAL (
        SELECT p."digest" FROM "TagMove" p WHERE h."id" IS NOT NULL AND ${of(Prisma.sql`p`)} AND p."id" < m."id" AND p."digest" <> m."digest"
          AND EXISTS (SELECT 1 FROM "Manifest" x WHERE x."repositoryId" = ${repositoryId} AND x."digest" = p."digest")
        ORDER BY p."id" DESC LIMIT 1
      ) p ON true
      ORDER BY m."id" DESC`,
    db.tagMove.count({ where: { repositoryId, name, repository: { organizationId } } }),
  ])
  return toPage(rows, counted, limit, (row) => `${row.id}`)
}

export interface UntaggedRow {
  id: string
  digest: string
  mediaType: string
  artifactType: string | null
  os: string | null
  architecture: string | null
  size: bigint
  pushedBy: string
  pushedAt: Date
  lastPulledAt: Date | null
  /** The tag that named it last, as far as is known, and when it moved on. */
  lastTag: string | null
  until: Date | null
}

/**
 * Manifests that no tag names, that are no part of an index here and attached to nothing here. The newest first; the cursor is the last
 * one's id. All manifests of the repository are gone through once, for the page and the count together.
 */
export async function listUntagged(db: Tx, organizationId: string, repositoryId: string, { cursor, limit }: PageRequest) {
  const found = await db.$queryRaw<(UntaggedRow & { total: bigint; id: string | null })[]>`
    WITH untagged AS MATERIALIZED (
      SELECT m."id" FROM "Manifest" m WHERE m."repositoryId" = ${repositoryId} AND m."organizationId" = ${organizationId} AND ${isNoBuildCache}
        AND NOT EXISTS (SELECT 1 FROM "Tag" t WHERE t."repositoryId" = ${repositoryId} AND t."manifestId" = m."id")
        AND NOT EXISTS (SELECT 1 FROM "ManifestChild" c JOIN "Manifest" i ON i."id" = c."manifestId" AND i."repositoryId" = ${repositoryId}
          WHERE c."digest" = m."digest")
        AND (m."subjectDigest" IS NULL
          OR NOT EXISTS (SELECT 1 FROM "Manifest" s WHERE s."repositoryId" = ${repositoryId} AND s."digest" = m."subjectDigest"))
    ), page AS (
      SELECT u."id" FROM untagged u ${cursor ? Prisma.sql`WHERE u."id" < ${cursor}` : Prisma.empty} ORDER BY u."id" DESC LIMIT ${limit + 1}
    )
    SELECT a.total, m."id", m."digest", m."mediaType", m."artifactType", m."os", m."architecture", m."totalSize" AS size, m."pushedBy",
      m."createdAt" AS "pushedAt", m."lastPulledAt", v."name" AS "lastTag", n."at" AS until
    FROM (SELECT COUNT(*) AS total FROM untagged) a
    LEFT JOIN page p ON true
    LEFT JOIN "Manifest" m ON m."id" = p."id"
    LEFT JOIN LATERAL (SELECT v."id", v."name" FROM "TagMove" v WHERE v."repositoryId" = ${repositoryId} AND v."digest" = m."digest"
      ORDER BY v."id" DESC LIMIT 1) v ON true
    LEFT JOIN LATERAL (SELECT n."at" FROM "TagMove" n WHERE n."repositoryId" = ${repositoryId} AND n."name" = v."name" AND n."id" > v."id"
      ORDER BY n."id" LIMIT 1) n ON true
    ORDER BY m."id" DESC`
  // Without any there is one row, which has the count alone.
  const rows: UntaggedRow[] = found.filter((row) => row.id !== null)
  return toPage(rows, Number(found[0]?.total ?? 0), limit, (row) => row.id)
}

/**
 * Removes the histories of tags that have been gone since `before`, of so many at most: where each commit has a tag of its own, they
 * would be all that a repository consists of. Returns of how many tags.
 */
export async function forgetGoneTags(db: Tx, before: Date, take: number): Promise<number> {
  const [row] = await db.$queryRaw<{ tags: bigint }[]>`
    WITH gone AS (
      SELECT g."repositoryId", g."name" FROM "TagMove" g WHERE g."digest" IS NULL AND g."at" < ${before} AND NOT EXISTS (
        SELECT 1 FROM "TagMove" n WHERE n."repositoryId" = g."repositoryId" AND n."name" = g."name" AND n."id" > g."id"
      ) ORDER BY g."at" LIMIT ${take}
    ), forgotten AS (
      DELETE FROM "TagMove" t USING gone g WHERE t."repositoryId" = g."repositoryId" AND t."name" = g."name"
    )
    SELECT count(*) AS tags FROM gone`
  return Number(row?.tags ?? 0)
}
