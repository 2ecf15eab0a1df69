/** Tells webhooks that what is inside a pushed image was read. */
import type { Db, Tx } from './client'
import { emitEvent } from './events.repo'
import { hasFiles, isArchive, isLinked, isToRead } from './layers.repo'

/** Tells of at most `take` images, each once; how many it took up. */
export const tellScans = (db: Db, take: number): Promise<number> =>
  db.$transaction(async (tx) => {
    const done = await takeRead(tx, take)
    const images = done.filter((row) => row.archives > 0n)
    const facts = new Map((await factsOf(tx, images)).map((row) => [row.id, row]))
    for (const { id, organizationId, repository, digest, os, architecture } of images) {
      const { tags, files, bytes, unread, packages } = facts.get(id) ?? NOTHING
      const platform = os === null ? {} : { platform: `${os}/${architecture ?? 'unknown'}` }
      const counted = { files: Number(files), bytes: Number(bytes), packages: packages ?? {}, unreadLayers: Number(unread) }
      await emitEvent(tx, organizationId, { kind: 'scan', repository, actor: 'Slipway', data: { digest, tags, ...platform, ...counted } })
    }
    return done.length
  })

interface ReadRow {
  id: string
  organizationId: string
  repository: string
  digest: string
  os: string | null
  architecture: string | null
  archives: bigint
}

/** Manifests without a layer that is still to be read (one that is not linked never is); what is no image is ticked off with them. */
const takeRead = (tx: Tx, take: number) =>
  tx.$queryRaw<ReadRow[]>`
    WITH done AS (
      SELECT m."id" FROM "Manifest" m WHERE m."contentsReadAt" IS NULL AND (NOT ${hasFiles} OR NOT EXISTS (
        SELECT 1 FROM "ManifestLayer" l LEFT JOIN "LayerIndex" i ON i."digest" = l."digest"
        WHERE l."manifestId" = m."id" AND ${isArchive} AND ${isLinked} AND ${isToRead}))
      ORDER BY m."createdAt" LIMIT ${take} FOR UPDATE SKIP LOCKED
    )
    UPDATE "Manifest" m SET "contentsReadAt" = now() FROM "Repository" r WHERE m."id" IN (SELECT "id" FROM done) AND r."id" = m."repositoryId"
    RETURNING m."id", m."organizationId", r."name" AS repository, m."digest", m."os", m."architecture",
      CASE WHEN NOT ${hasFiles} THEN 0 ELSE
        (SELECT COUNT(*) FROM "ManifestLayer" l WHERE l."manifestId" = m."id" AND ${isArchive}) END AS archives`

interface Facts {
  id: string
  /** Its own and those of indexes that name it. */
  tags: string[]
  files: bigint
  bytes: bigint
  /** Layers that cannot be read. */
  unread: bigint
  /** How many by type; null: none. */
  packages: Record<string, number> | null
}
const NOTHING = { tags: [], files: 0n, bytes: 0n, unread: 0n, packages: null }

/** Of files that several layers have, as of lists of packages, the topmost counts. */
const factsOf = (tx: Tx, images: { id: string }[]): Promise<Facts[]> =>
  images.length === 0
    ? Promise.resolve([])
    : tx.$queryRaw<Facts[]>`
    WITH linked AS (
      SELECT l."manifestId", l."position", l."digest" FROM "Manifest" m JOIN "ManifestLayer" l ON l."manifestId" = m."id"
      WHERE m."id" = ANY(${images.map((image) => image.id)}) AND ${isLinked}
    )
    SELECT m."id",
      ARRAY(SELECT DISTINCT t."name" FROM "Tag" t WHERE t."attachedTo" IS NULL AND (t."manifestId" = m."id" OR t."manifestId" IN (
        SELECT p."id" FROM "ManifestChild" c JOIN "Manifest" p ON p."id" = c."manifestId"
        WHERE c."digest" = m."digest" AND p."repositoryId" = m."repositoryId")) ORDER BY 1 LIMIT 100) AS tags,
      COALESCE(SUM(i."entries"), 0)::bigint AS files, COALESCE(SUM(i."bytes"), 0)::bigint AS bytes,
      COUNT(*) FILTER (WHERE i."state" IS DISTINCT FROM 'ready') AS unread,
      (SELECT jsonb_object_agg(n."type", n.count) FROM (
        SELECT p."type", COUNT(*) AS count FROM linked y JOIN "LayerPackage" p ON p."digest" = y."digest"
        WHERE y."manifestId" = m."id" AND y."position" = (
          SELECT MAX(z."position") FROM linked z JOIN "LayerPackage" q ON q."digest" = z."digest" AND q."path" = p."path" WHERE z."manifestId" = m."id")
        GROUP BY 1) n) AS packages
    FROM "Manifest" m JOIN "ManifestLayer" l ON l."manifestId" = m."id" AND ${isArchive} LEFT JOIN "LayerIndex" i ON i."digest" = l."digest" AND ${isLinked}
    WHERE m."id" = ANY(${images.map((image) => image.id)}) GROUP BY m."id"`
