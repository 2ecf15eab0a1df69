/** Repositories and their tags in lists: each page costs what is on it, however much there is (10,000 tags, 1,000 repositories). */
import { BUILD_CACHE_ARTIFACT } from '@slipway/core'
import { isBuildCache } from './build-caches'
import type { Tx } from './client'
import { Prisma } from './generated/client'
import type { RepositoryRow } from './images.repo'
import { type PageRequest, type RowPage, toPage } from './page'

export type RepositorySort = 'name' | 'pushed' | 'pulled' | 'pulls' | 'size'

export interface RepositoryQuery extends PageRequest {
  /** Part of the name, of the description or of a label (`team=core`). */
  query?: string | undefined
  sort: RepositorySort
  order: 'asc' | 'desc'
  visibility?: RepositoryRow['visibility'] | undefined
  /** Only those with an image that an app serves. */
  running?: boolean | undefined
}

/** Of a repository `r`: its blobs, each once, and its manifests. */
const SIZE = Prisma.sql`(COALESCE((SELECT SUM(l."size") FROM "RepositoryBlob" l WHERE l."repositoryId" = r."id"), 0)
  + COALESCE((SELECT SUM(m."size") FROM "Manifest" m WHERE m."repositoryId" = r."id"), 0))`

/** What is never is the oldest. */
const millis = (column: Prisma.Sql) => Prisma.sql`COALESCE((EXTRACT(EPOCH FROM ${column}) * 1000)::bigint, -1)`
const KEYS: Record<RepositorySort, Prisma.Sql> = {
  name: Prisma.sql`0`,
  pushed: millis(Prisma.sql`r."lastPushedAt"`),
  pulled: millis(Prisma.sql`r."lastPulledAt"`),
  pulls: Prisma.sql`r."pullCount"`,
  size: SIZE,
}

/** The cursor is `<key>:<name>` of the last one. */
export async function listRepositories(db: Tx, organizationId: string, page: RepositoryQuery): Promise<RowPage<RepositoryRow>> {
  const { query, sort, order, visibility, running, cursor, limit } = page
  const descending = sort !== 'name' && order === 'desc'
  const nameDescending = sort === 'name' && order === 'desc'
  const where = Prisma.sql`r."organizationId" = ${organizationId}
    ${query ? saysSql(`%${escapeLike(query)}%`) : Prisma.empty}
    ${visibility ? Prisma.sql`AND r."visibility" = ${visibility}::"Visibility"` : Prisma.empty}
    ${running ? Prisma.sql`AND r."id" IN (SELECT s."repositoryId" FROM (${servingSql(organizationId)}) s)` : Prisma.empty}`
  const [key = '', ...name] = (cursor ?? '').split(':')
  const before = descending ? Prisma.sql`<` : Prisma.sql`>`
  const nameBefore = nameDescending ? Prisma.sql`<` : Prisma.sql`>`
  const after = /^-?\d{1,18}$/.test(key)
    ? Prisma.sql`WHERE c."key" ${before} ${BigInt(key)} OR (c."key" = ${BigInt(key)} AND c."name" ${nameBefore} ${name.join(':')})`
    : Prisma.empty
  const [keys, counted] = await Promise.all([
    db.$queryRaw<{ id: string; key: bigint; name: string }[]>`
      SELECT c."id", c."key", c."name" FROM (SELECT r."id", r."name", (${KEYS[sort]})::bigint AS "key" FROM "Repository" r WHERE ${where}) c ${after}
      ORDER BY c."key" ${descending ? Prisma.sql`DESC` : Prisma.sql`ASC`}, c."name" ${nameDescending ? Prisma.sql`DESC` : Prisma.sql`ASC`} LIMIT ${limit + 1}`,
    db.$queryRaw<{ count: bigint }[]>`SELECT COUNT(*) AS count FROM "Repository" r WHERE ${where}`,
  ])
  const { rows, next, total } = toPage(keys, Number(counted[0]?.count ?? 0), limit, (row) => `${row.key}:${row.name}`)
  const found = await db.repository.findMany({ where: { organizationId, id: { in: rows.map((row) => row.id) } } })
  const byId = new Map(found.map((row) => [row.id, row]))
  return { rows: rows.flatMap(({ id }) => byId.get(id) ?? []), next, total }
}

/** Its name, or what it says of itself. */
const saysSql = (like: string) => Prisma.sql`AND (r."name" ILIKE ${like} OR EXISTS (
  SELECT 1 FROM "RepositoryAbout" s WHERE s."repositoryId" = r."id" AND (s."description" ILIKE ${like}
    OR EXISTS (SELECT 1 FROM jsonb_each_text(s."labels") l WHERE l."key" || '=' || l."value" ILIKE ${like}))))`

const escapeLike = (text: string) => text.replace(/[\\%_]/g, '\\$&')

/** Which app serves an image of which repository. */
const servingSql = (organizationId: string) => Prisma.sql`
  SELECT m."repositoryId", a."slug" FROM "App" a JOIN "Deployment" d ON d."id" = a."servingDeploymentId"
  JOIN "Manifest" m ON m."organizationId" = a."organizationId" AND m."digest" = d."imageDigest"
  WHERE a."organizationId" = ${organizationId} AND a."deletedAt" IS NULL`

export interface RepositoryFacts {
  /** Of images: a build cache and a signature have tags, and are none. */
  tags: number
  /** Bytes of its blobs, each counted once, and of its manifests. */
  size: number
  /** Slugs of the apps that serve an image of it. */
  runningIn: string[]
  description: string
  labels: Record<string, string>
}

export async function repositoryFacts(db: Tx, organizationId: string, ids: string[]): Promise<Map<string, RepositoryFacts>> {
  if (ids.length === 0) return new Map()
  const [rows, serving] = await Promise.all([
    db.$queryRaw<{ id: string; tags: bigint; size: bigint; description: string | null; labels: Record<string, string> | null }[]>`
      SELECT r."id", ${SIZE}::bigint AS size,
        (SELECT COUNT(*) FROM "Tag" t WHERE t."repositoryId" = r."id" AND t."attachedTo" IS NULL)
          - (SELECT COUNT(*) FROM "Tag" t WHERE ${isOfSystem} AND t."manifestId" IN (${cachesSql(Prisma.sql`r."id"`)})) AS tags,
        s."description", s."labels"
      FROM "Repository" r LEFT JOIN "RepositoryAbout" s ON s."repositoryId" = r."id" WHERE r."organizationId" = ${organizationId} AND r."id" = ANY(${ids})`,
    db.$queryRaw<{ repositoryId: string; slug: string }[]>`
      SELECT DISTINCT s."repositoryId", s."slug" FROM (${servingSql(organizationId)}) s WHERE s."repositoryId" = ANY(${ids}) ORDER BY s."slug"`,
  ])
  return new Map(
    rows.map(({ id, tags, size, description, labels }) => [
      id,
      {
        tags: Number(tags),
        size: Number(size),
        runningIn: serving.filter((s) => s.repositoryId === id).map((s) => s.slug),
        description: description ?? '',
        labels: labels ?? {},
      },
    ]),
  )
}

/** Ids of build caches of a repository: a few at most, so they are what is looked for (by index), and taken off. */
const cachesSql = (repositoryId: Prisma.Sql) => Prisma.sql`
  SELECT m."id" FROM "Manifest" m WHERE m."repositoryId" = ${repositoryId} AND m."artifactType" = ${BUILD_CACHE_ARTIFACT} AND ${isBuildCache}`
/** A tag that somebody else gave to a build cache is theirs, and shown. */
const isOfSystem = Prisma.sql`t."pushedBy" LIKE 'system:%'`

/** Newest first; the cursor is `<updatedAt in ms>:<name>`. `query`: part of the tag. */
export async function listTags(db: Tx, organizationId: string, repositoryId: string, page: PageRequest & { query?: string | undefined }) {
  const { cursor, limit, query } = page
  const [at = '', ...name] = (cursor ?? '').split(':')
  const updatedAt = /^\d{1,15}$/.test(at) ? new Date(Number(at)) : null
  const where = Prisma.sql`t."repositoryId" = ${repositoryId} AND t."attachedTo" IS NULL
    AND NOT (${isOfSystem} AND t."manifestId" IN (${cachesSql(Prisma.sql`${repositoryId}`)}))
    ${query ? Prisma.sql`AND t."name" ILIKE ${`%${escapeLike(query)}%`}` : Prisma.empty}`
  const [keys, counted] = await Promise.all([
    db.$queryRaw<{ name: string; updatedAt: Date }[]>`
      SELECT t."name", t."updatedAt" FROM "Tag" t WHERE ${where}
        ${updatedAt ? Prisma.sql`AND t."updatedAt" <= ${updatedAt} AND (t."updatedAt" < ${updatedAt} OR t."name" > ${name.join(':')})` : Prisma.empty}
      ORDER BY t."updatedAt" DESC, t."name" ASC LIMIT ${limit + 1}`,
    db.$queryRaw<{ count: bigint }[]>`SELECT COUNT(*) AS count FROM "Tag" t WHERE ${where}`,
  ])
  const { rows, next, total } = toPage(keys, Number(counted[0]?.count ?? 0), limit, (row) => `${row.updatedAt.getTime()}:${row.name}`)
  const found = await db.tag.findMany({
    where: { repositoryId, repository: { organizationId }, name: { in: rows.map((row) => row.name) } },
    include: { manifest: { omit: { content: true, config: true }, include: { children: true } } },
  })
  // Prisma's `_count` would count the layers of all manifests there are.
  const layers = await db.$queryRaw<{ id: string; count: bigint }[]>`
    SELECT "manifestId" AS id, COUNT(*) AS count FROM "ManifestLayer" WHERE "manifestId" = ANY(${found.map((row) => row.manifestId)}) GROUP BY 1`
  const counts = new Map(layers.map((row) => [row.id, Number(row.count)]))
  const byName = new Map(found.map((row) => [row.name, { ...row, layers: counts.get(row.manifestId) ?? 0 }]))
  return { rows: rows.flatMap(({ name }) => byName.get(name) ?? []), next, total }
}
