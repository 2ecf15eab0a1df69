/**
 * Which images hold what a layer holds. All of it is counted, ordered and cut here: a base layer's file is in tens of thousands of images,
 * of which a page shows a hundred.
 */
import type { Tx } from './client'
import { Prisma } from './generated/client'
import { hasFiles } from './layers.repo'

/** A layer, and what of it was asked for; of a layer or of a name alone there is no path. */
export interface LayerHolding {
  digest: string
  path: string | null
  version: string | null
  type: string | null
}
/** A layer that hides the path from those below. */
export interface LayerHider {
  path: string
  digest: string
}

export interface UseRow extends Omit<LayerHolding, 'digest'> {
  /** Of the manifest. */
  id: string
  digest: string
  position: number
  hidden: boolean
}

export interface UsesPage {
  /** Digests of images that run now: these come first. */
  running: string[]
  /** `next` of the page before. */
  cursor?: string | null | undefined
  limit: number
}

export interface Uses {
  total: number
  /** Digests of `running` that are among them, and seen. */
  running: number
  /** Of packages that are seen: in how many images, the most first. */
  versions: { version: string; images: number }[]
  rows: UseRow[]
  next: string | null
}

const VERSIONS = 20
const NOWHERE: Uses = { total: 0, running: 0, versions: [], rows: [], next: null }

interface Answer {
  total: number
  running: number
  versions: { version: number; images: number }[] | null
  rows: { id: string; digest: string; what: number; position: number; rank: number; ms: string }[] | null
}

/**
 * One use per image, path and version, from the topmost layer that holds it: what runs first, then what is seen, then what a layer above
 * hides; the newest of each first. What is hidden is left out where another version of the same path is seen: that one is in the image.
 *
 * Few layers are asked for, and many images may hold each: the planner cannot know how many. So there is one chain of joins by index and
 * one window over it; numbers stand for paths and versions, because 30,000 rows of them are sorted.
 */
export async function usesOfLayers(
  db: Tx,
  organizationId: string,
  held: LayerHolding[],
  hiders: LayerHider[],
  page: UsesPage,
): Promise<Uses> {
  if (held.length === 0) return NOWHERE
  const { whats, versions, parts } = numbered(held, hiders)
  const [found] = await db.$queryRaw<Answer[]>`
    WITH part AS (
      SELECT * FROM unnest(${parts.map((one) => one.digest)}::text[], ${parts.map((one) => one.path)}::int[],
        ${parts.map((one) => one.what)}::int[]) AS x(digest, path, what)
    ), held AS (
      SELECT l."manifestId" AS id, x.path, x.what, max(l."position") AS position
      FROM part x JOIN "ManifestLayer" l ON l."digest" = x.digest GROUP BY 1, 2, 3
    ), topped AS (
      SELECT h.*, max(position) OVER w AS top, max(position) FILTER (WHERE what >= 0) OVER w AS holder
      FROM held h WINDOW w AS (PARTITION BY id, path)
    ), use AS MATERIALIZED (
      SELECT t.id, m."digest", m."createdAt", t.what, t.position,
        CASE WHEN t.position < t.top THEN 2 WHEN m."digest" = ANY(${page.running}::text[]) THEN 0 ELSE 1 END AS rank
      FROM topped t JOIN "Manifest" m ON m."id" = t.id
      WHERE t.what >= 0 AND (t.position = t.top OR t.holder < t.top)
        AND m."organizationId" = ${organizationId} AND ${hasFiles}
    )
    SELECT (SELECT count(*)::int FROM use) AS total,
      (SELECT count(DISTINCT "digest")::int FROM use WHERE rank = 0) AS running,
      ${versions.length === 0 ? Prisma.sql`NULL` : versionsSql(whats.map((one) => versions.indexOf(one.version ?? '')))} AS versions,
      (SELECT jsonb_agg(p ORDER BY p.rank, p."createdAt" DESC, p.id, p.what) FROM (
        SELECT u.*, (EXTRACT(EPOCH FROM u."createdAt") * 1000)::bigint::text AS ms FROM use u ${afterSql(page.cursor)}
        ORDER BY u.rank, u."createdAt" DESC, u.id, u.what LIMIT ${page.limit + 1}) p) AS rows`
  if (!found) return NOWHERE
  const shown = (found.rows ?? []).slice(0, page.limit)
  const last = shown.at(-1)
  return {
    total: found.total,
    running: found.running,
    versions: (found.versions ?? []).map(({ version, images }) => ({ version: versions[version] ?? '', images })),
    rows: shown.flatMap(({ id, digest, position, what, rank }) => {
      const one = whats[what]
      return one ? [{ id, digest, position, path: one.path, version: one.version, type: one.type, hidden: rank === 2 }] : []
    }),
    next: (found.rows?.length ?? 0) > page.limit && last ? `${last.rank}:${last.ms}:${last.id}:${last.what}` : null,
  }
}

/** `what`: a path with a version; -1 of a layer that only hides the path. In their order, so that a page begins where the last one ended. */
function numbered(held: LayerHolding[], hiders: LayerHider[]) {
  const keyOf = (one: { path: string | null; version: string | null }) => `${one.path ?? ''}\0${one.version ?? ''}`
  const byKey = new Map(held.map((one) => [keyOf(one), one]))
  const keys = [...byKey.keys()].sort()
  const whats = keys.flatMap((key) => byKey.get(key) ?? [])
  const whatOf = new Map(keys.map((key, index) => [key, index]))
  const paths = new Map([...new Set(held.map((one) => one.path))].map((path, index) => [path, index]))
  const parts = held.map((one) => ({ digest: one.digest, path: paths.get(one.path) ?? 0, what: whatOf.get(keyOf(one)) ?? -1 }))
  // A layer that holds a path hides it from those below, too: it is there once.
  const holders = new Set(held.map((one) => `${one.digest} ${one.path}`))
  for (const { digest, path } of hiders) {
    const number = paths.get(path)
    if (number !== undefined && !holders.has(`${digest} ${path}`)) parts.push({ digest, path: number, what: -1 })
  }
  return { whats, parts, versions: [...new Set(whats.flatMap((one) => one.version ?? []))].sort() }
}

/** In how many images each version is seen; `versionOf`: the number of each `what`'s. */
const versionsSql = (versionOf: number[]) => Prisma.sql`(
  SELECT jsonb_agg(v ORDER BY v.images DESC, v.version) FROM (
    SELECT version, count(*)::int AS images
    FROM (SELECT DISTINCT (${versionOf}::int[])[what + 1] AS version, "digest" FROM use WHERE rank < 2) d
    GROUP BY version ORDER BY 2 DESC, 1 LIMIT ${VERSIONS}) v)`

/** `<rank>:<createdAt in ms>:<id>:<what>` of the last one. */
function afterSql(cursor: string | null | undefined): Prisma.Sql {
  const [, rank, ms, id, what] = /^([012]):(\d{1,15}):([^:]+):(\d{1,9})$/.exec(cursor ?? '') ?? []
  if (rank === undefined || ms === undefined || id === undefined || what === undefined) return Prisma.empty
  const [r, at] = [Number(rank), new Date(Number(ms))]
  return Prisma.sql`WHERE u.rank > ${r} OR (u.rank = ${r} AND (u."createdAt" < ${at} OR (u."createdAt" = ${at}
    AND (u.id, u.what) > (${id}, ${Number(what)}))))`
}

/** What is shown of an image that is found, by the manifest's id. */
export const manifestsById = (db: Tx, organizationId: string, ids: string[]) =>
  db.manifest.findMany({
    where: { organizationId, id: { in: ids } },
    select: {
      id: true,
      digest: true,
      os: true,
      architecture: true,
      createdAt: true,
      repository: { select: { name: true } },
      tags: { select: { name: true }, orderBy: { updatedAt: 'desc' }, take: 5 },
      layers: { select: { position: true, digest: true, createdBy: true, size: true }, orderBy: { position: 'asc' } },
    },
  })

/** Of indexes of the organization, the platforms they name: apps may run an image by either. */
export async function childrenOfIndexes(db: Tx, organizationId: string, indexes: string[]): Promise<{ digest: string; index: string }[]> {
  if (indexes.length === 0) return []
  return db.$queryRaw<{ digest: string; index: string }[]>`
    SELECT DISTINCT c."digest", m."digest" AS index FROM "Manifest" m JOIN "ManifestChild" c ON c."manifestId" = m."id"
    WHERE m."organizationId" = ${organizationId} AND m."digest" = ANY(${[...new Set(indexes)]})`
}
