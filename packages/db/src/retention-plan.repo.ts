/** What plans of retention are made of, what they free, and their removal; packages/core's retention.ts decides. */
import { keptByRule, type RetentionInput, type RetentionManifest, type RetentionPlan, type RetentionTag } from '@slipway/core'
import { isBuildCache } from './build-caches'
import type { Tx } from './client'
import { Prisma } from './generated/client'
import { INDEX_TYPES } from './layers.repo'
import { tellRemoval } from './tag-history.repo'
import { rulesOfRepositories } from './tag-rules.repo'

const DAY_MS = 86_400_000

/** A repository, and how many deployments of an app may be gone back to. */
export interface RetentionPlace {
  id: string
  /** As apps name it, without a tag. */
  reference: string
  keepDeployments: number
}

export interface PlannedManifest extends RetentionManifest {
  id: string
  /** Of its document. */
  bytes: number
}

/**
 * Everything that the plans of these repositories are made of, by id: asked once for all of them. Lock a repository first to act on its
 * plan. A repository is one row with its columns joined, which takes a third of the time of ten thousand rows; no value has a comma.
 */
export async function retentionInputs(tx: Tx, places: readonly RetentionPlace[]): Promise<Map<string, RetentionInput<PlannedManifest>>> {
  const now = Date.now()
  const ids = places.map(({ id }) => id)
  // At once, but for a transaction, on whose one connection they wait for each other.
  const [tags, { manifests, parts }, rules, used, followed] = await Promise.all([
    tagColumns(tx, ids),
    manifestColumns(tx, ids),
    rulesOfRepositories(tx, ids),
    usedDigests(tx, places, now),
    followedTags(
      tx,
      places.map(({ reference }) => reference),
    ),
  ])
  return new Map(
    places.map(({ id, reference }) => [
      id,
      {
        ...inputOf(tags.get(id), manifests.get(id), parts),
        used: used.get(id) ?? new Set(),
        followed: new Set(followed.get(reference)),
        held: (tag) => keptByRule(rules.get(id) ?? [], tag) !== undefined,
        now,
      },
    ]),
  )
}

const tagColumns = async (tx: Tx, ids: readonly string[]) =>
  byRepository(
    await tx.$queryRaw<TagColumns[]>`
      SELECT r."id" AS "repositoryId", x.* FROM unnest(${ids}::text[]) r("id") CROSS JOIN LATERAL (
        SELECT string_agg(t."name", ',') FILTER (WHERE t."attachedTo" IS NULL) AS names,
          string_agg(t."manifestId", ',') FILTER (WHERE t."attachedTo" IS NULL) AS targets,
          string_agg(t."updatedAt"::text, ',') FILTER (WHERE t."attachedTo" IS NULL) AS pushed,
          string_agg(COALESCE(t."lastPulledAt"::text, ''), ',') FILTER (WHERE t."attachedTo" IS NULL) AS pulled,
          string_agg(t."manifestId", ',') FILTER (WHERE t."attachedTo" IS NOT NULL) AS hangers, string_agg(t."attachedTo", ',') AS subjects
        FROM "Tag" t WHERE t."repositoryId" = r."id"
      ) x`,
  )

/** With the parts of those that are indexes. */
async function manifestColumns(tx: Tx, ids: readonly string[]) {
  const manifests = byRepository(
    await tx.$queryRaw<ManifestColumns[]>`
      SELECT r."id" AS "repositoryId", x.* FROM unnest(${ids}::text[]) r("id") CROSS JOIN LATERAL (
        SELECT string_agg(m."id", ',') AS ids, string_agg(m."digest", ',') AS digests, string_agg(m."createdAt"::text, ',') AS created,
          string_agg(m."size"::text, ',') AS sizes,
          string_agg(m."id", ',') FILTER (WHERE m."subjectDigest" IS NOT NULL) AS hangers, string_agg(m."subjectDigest", ',') AS subjects,
          string_agg(m."id", ',') FILTER (WHERE ${isBuildCache}) AS caches,
          string_agg(m."id", ',') FILTER (WHERE m."mediaType" = ANY(${INDEX_TYPES})) AS indexes
        FROM "Manifest" m WHERE m."repositoryId" = r."id"
      ) x`,
  )
  const indexes = [...manifests.values()].flatMap((columns) => split(columns.indexes))
  return { manifests, parts: await partsOf(tx, indexes) }
}

/** Columns of a repository's rows in the same order, each with commas between its values; null: there is none. */
type Columns<C extends string> = { repositoryId: string } & Record<C, string | null>
type TagColumns = Columns<'names' | 'targets' | 'pushed' | 'pulled' | 'hangers' | 'subjects'>
type ManifestColumns = Columns<'ids' | 'digests' | 'created' | 'sizes' | 'hangers' | 'subjects' | 'caches' | 'indexes'>

const byRepository = <R extends { repositoryId: string }>(rows: readonly R[]) => new Map(rows.map((row) => [row.repositoryId, row]))
const split = (values: string | null | undefined) => (values ? values.split(',') : [])
/** Of a column without a time zone, which holds UTC. */
const timeOf = (text: string | undefined) => Date.parse(`${text}Z`)

function inputOf(
  tags: TagColumns | undefined,
  manifests: ManifestColumns | undefined,
  /** By the id of the index. */
  parts: ReadonlyMap<string, readonly string[]>,
): Pick<RetentionInput<PlannedManifest>, 'tags' | 'manifests'> {
  const targets = split(tags?.targets)
  // By ids. What is attached by a tag stays and goes with its image, as what says so in its manifest.
  const attachedTo = groups(split(tags?.hangers), split(tags?.subjects))
  if (attachedTo.size > 0) for (const version of targets) attachedTo.delete(version)
  const subject = groups(split(manifests?.hangers), split(manifests?.subjects))
  const caches = new Set(split(manifests?.caches))
  const digests = split(manifests?.digests)
  const created = split(manifests?.created)
  const sizes = split(manifests?.sizes)
  const byId = new Map<string, PlannedManifest>()
  split(manifests?.ids).forEach((id, n) => {
    const own = subject.get(id)?.[0] ?? null
    const attached = attachedTo.get(id) ?? NONE
    byId.set(id, new Manifest(id, digests[n] ?? '', own, attached, parts.get(id) ?? NONE, caches.has(id), created[n] ?? '', sizes[n] ?? ''))
  })
  const pushed = split(tags?.pushed)
  const pulled = split(tags?.pulled)
  const versions: RetentionTag[] = []
  split(tags?.names).forEach((name, n) => {
    const manifest = byId.get(targets[n] ?? '')
    // Without one its image was removed since the tags were read, which happens outside of a transaction only.
    if (manifest)
      versions.push({ name, digest: manifest.digest, pushedAt: timeOf(pushed[n]), lastPulledAt: pulled[n] ? timeOf(pulled[n]) : null })
  })
  return { tags: versions, manifests: [...byId.values()] }
}

/** Its numbers are read from their texts when they are asked for: the time of ten thousand with a tag never is. */
class Manifest implements PlannedManifest {
  constructor(
    readonly id: string,
    readonly digest: string,
    readonly subject: string | null,
    readonly attachedTo: readonly string[],
    readonly children: readonly string[],
    readonly cache: boolean,
    readonly created: string,
    readonly size: string,
  ) {}

  get bytes(): number {
    return Number(this.size)
  }

  get createdAt(): number {
    return timeOf(this.created)
  }
}

const NONE: readonly string[] = []

/** The values that have the same key; keys and values stand at the same places. */
function groups<K>(keys: readonly K[], values: readonly string[]): Map<K, string[]> {
  const found = new Map<K, string[]>()
  keys.forEach((key, n) => {
    const group = found.get(key)
    const value = values[n] ?? ''
    if (group) group.push(value)
    else found.set(key, [value])
  })
  return found
}

/** Digests of the parts of these indexes, by the index's id. */
async function partsOf(tx: Tx, indexes: readonly string[]): Promise<Map<string, string[]>> {
  if (indexes.length === 0) return new Map()
  const [row] = await tx.$queryRaw<{ indexes: string | null; parts: string | null }[]>`
    SELECT string_agg("manifestId", ',') AS indexes, string_agg("digest", ',') AS parts FROM "ManifestChild" WHERE "manifestId" = ANY(${listOf(indexes)})`
  return groups(split(row?.indexes), split(row?.parts))
}

/** Ten thousand ids in few bytes; a constant when PostgreSQL plans, so that it looks them up by a hash. */
const listOf = (ids: readonly string[]) => Prisma.sql`string_to_array(${ids.join(',')}, ',')`

/** The tags that apps are deployed from, by reference without the tag. */
async function followedTags(tx: Tx, references: readonly string[]): Promise<Map<string, string[]>> {
  const rows = await tx.$queryRaw<{ reference: string; tag: string }[]>`
    SELECT a."reference", a."tag" FROM (
      SELECT substring("imageReference" FROM '^(.*):[^:]*$') AS reference, substring("imageReference" FROM '[^:]*$') AS tag
      FROM "App" WHERE "deletedAt" IS NULL AND "imageReference" IS NOT NULL
    ) a WHERE a."reference" = ANY(${[...references]})`
  const followed = new Map<string, string[]>()
  for (const { reference, tag } of rows) followed.set(reference, [...(followed.get(reference) ?? []), tag])
  return followed
}

/**
 * Digests of the repositories that apps serve, are about to serve, or may go back to: of each app the deployment that serves, those
 * under way and the last so many; and what was built within a day, whose deployment may be still to come. By the repository's id.
 */
async function usedDigests(tx: Tx, places: readonly Omit<RetentionPlace, 'reference'>[], now: number): Promise<Map<string, Set<string>>> {
  const ids = places.map(({ id }) => id)
  // Each digest is looked up among the repositories' manifests, not all of these in what ran: it is one of ten thousand.
  const rows = await tx.$queryRaw<{ repositoryId: string; digest: string }[]>`
    SELECT m."repositoryId", m."digest" FROM (
      SELECT x."imageDigest", x."state", a."servingDeploymentId" = x."id" AS serving,
        row_number() OVER (PARTITION BY x."appId" ORDER BY x."number" DESC) AS place
      FROM "Deployment" x JOIN "App" a ON a."id" = x."appId" AND a."deletedAt" IS NULL
      WHERE x."imageDigest" IS NOT NULL AND x."state" NOT IN ('failed', 'canceled', 'superseded') AND x."appId" IN (
        SELECT y."appId" FROM "Deployment" y JOIN "Manifest" m ON m."repositoryId" = ANY(${ids}) AND m."digest" = y."imageDigest"
      )
    ) d JOIN "Manifest" m ON m."repositoryId" = ANY(${ids}) AND m."digest" = d."imageDigest"
    JOIN unnest(${ids}::text[], ${places.map(({ keepDeployments }) => keepDeployments)}::int[]) AS p("id", "keep") ON p."id" = m."repositoryId"
    WHERE d.place <= p."keep" OR d.serving OR d."state" <> 'retired'
    UNION
    SELECT m."repositoryId", m."digest" FROM "Build" b JOIN "Manifest" m ON m."repositoryId" = ANY(${ids}) AND m."digest" = b."manifestDigest"
      WHERE b."finishedAt" IS NULL OR b."finishedAt" > ${new Date(now - DAY_MS)}`
  const used = new Map<string, Set<string>>()
  for (const { repositoryId, digest } of rows) used.set(repositoryId, (used.get(repositoryId) ?? new Set()).add(digest))
  return used
}

/** What becomes of a repository's manifests, by their ids. */
export interface Parting {
  /** The repository's id. */
  id: string
  goes: readonly string[]
  stays: readonly string[]
}

/**
 * Whether the manifest `id` goes or stays, in SQL. The shorter of the two lists is sent and the rest are those of the repository that are
 * not in it; that another repository's manifests name a blob keeps none here, as it takes a link to have one.
 */
function fateOf(partings: readonly Parting[]) {
  const [goes, stays] = [partings.flatMap((one) => one.goes), partings.flatMap((one) => one.stays)]
  const shorter = goes.length < stays.length ? 'goes' : 'stays'
  const list = listOf(shorter === 'goes' ? goes : stays)
  const is = (what: 'goes' | 'stays', id: Prisma.Sql) =>
    what === shorter ? Prisma.sql`${id} = ANY(${list})` : Prisma.sql`${id} <> ALL(${list})`
  return {
    /** Of a manifest of these repositories. */
    goes: (id: Prisma.Sql) => is('goes', id),
    /** Whether a manifest of the repository of the blob `b` that goes, or stays, has it as a layer. */
    layerOf: (what: 'goes' | 'stays') => Prisma.sql`EXISTS (
      SELECT 1 FROM "ManifestLayer" y WHERE y."digest" = b."digest" AND ${is(what, Prisma.sql`y."manifestId"`)}
        AND ${partings.length === 1 && what === shorter ? Prisma.sql`TRUE` : OF_THE_BLOB} OFFSET 0
    )`,
  }
}

const OF_THE_BLOB = Prisma.sql`(SELECT m."repositoryId" FROM "Manifest" m WHERE m."id" = y."manifestId") = b."repositoryId"`

/** Joins to `u` the size of its blob, where no other repository has that. One look by the index: the planner would make a list of all. */
const OWN = Prisma.sql`CROSS JOIN LATERAL (
  SELECT MIN(l."size") AS size FROM (SELECT "repositoryId", "size" FROM "RepositoryBlob" WHERE "digest" = u."digest" LIMIT 2) l
  HAVING COUNT(*) = 1 AND MIN(l."repositoryId") = u."repositoryId"
) own`

/** Bytes of the blobs that no repository needs once what goes is gone, by the id of the repository that has them now. Work: by what goes. */
export async function freedBytes(tx: Tx, partings: readonly Parting[]): Promise<Map<string, number>> {
  const some = partings.filter(({ goes }) => goes.length > 0)
  if (some.length === 0) return new Map()
  const fate = fateOf(some)
  const rows = await tx.$queryRaw<{ repositoryId: string; bytes: bigint }[]>`
    WITH manifest AS MATERIALIZED (
      SELECT m."id", m."repositoryId", m."configDigest" AS config, ${fate.goes(Prisma.sql`m."id"`)} AS goes
      FROM "Manifest" m WHERE m."repositoryId" = ANY(${some.map(({ id }) => id)})
    ), used AS (
      SELECT m."repositoryId", y."digest" FROM manifest m
      CROSS JOIN LATERAL (SELECT "digest" FROM "ManifestLayer" WHERE "manifestId" = m."id" OFFSET 0) y WHERE m.goes
      UNION SELECT m."repositoryId", m.config FROM manifest m WHERE m.goes AND m.config IS NOT NULL
    ), blob AS MATERIALIZED (SELECT u.*, own.size FROM used u ${OWN})
    SELECT b."repositoryId", SUM(b.size)::bigint AS bytes FROM blob b
    WHERE (b."repositoryId", b."digest") NOT IN (SELECT m."repositoryId", m.config FROM manifest m WHERE NOT m.goes AND m.config IS NOT NULL)
      AND NOT ${fate.layerOf('stays')}
    GROUP BY 1`
  return new Map(rows.map((row) => [row.repositoryId, Number(row.bytes)]))
}

/**
 * The same of one repository's next `take` blobs after the digest `after`: over all of them the sum is that of `freedBytes`. Work: by
 * `take`, however much goes. `last`: where the next ones begin; null: there are no more.
 */
export async function freedAmong(
  tx: Tx,
  parting: Parting,
  { after, take }: { after: string; take: number },
): Promise<{ bytes: number; last: string | null }> {
  const fate = fateOf([parting])
  const rows = await tx.$queryRaw<{ bytes: bigint | null; last: string | null }[]>`
    WITH link AS MATERIALIZED (
      SELECT "repositoryId", "digest" FROM "RepositoryBlob"
      WHERE "repositoryId" = ${parting.id} AND "digest" > ${after} ORDER BY "digest" LIMIT ${take}
    ), config AS MATERIALIZED (
      SELECT m."configDigest" AS digest, ${fate.goes(Prisma.sql`m."id"`)} AS goes FROM "Manifest" m
      WHERE m."repositoryId" = ${parting.id} AND m."configDigest" > ${after} AND m."configDigest" <= (SELECT MAX("digest") FROM link)
    ), blob AS MATERIALIZED (SELECT u.*, own.size FROM link u ${OWN})
    SELECT SUM(b.size)::bigint AS bytes, (SELECT MAX("digest") FROM link HAVING COUNT(*) = ${take}) AS last FROM blob b
    WHERE (b."digest" IN (SELECT digest FROM config WHERE goes) OR ${fate.layerOf('goes')})
      AND b."digest" NOT IN (SELECT digest FROM config WHERE NOT goes) AND NOT ${fate.layerOf('stays')}`
  return { bytes: Number(rows[0]?.bytes ?? 0), last: rows[0]?.last ?? null }
}

/** Thrown when something was deployed while its image was being removed: the transaction is undone, the next run sees it. */
export class UsedMeanwhile extends Error {}

/** In the transaction that has locked the repository and made the plan. */
export async function removePlanned(tx: Tx, repositoryId: string, plan: RetentionPlan, keepDeployments: number): Promise<void> {
  const tags = plan.tags.filter((tag) => tag.kept === null).map((tag) => tag.name)
  const digests = plan.goes.map(({ digest }) => digest)
  await tellRemoval(tx, 'system:retention', 'retention')
  await tx.tag.deleteMany({ where: { repositoryId, name: { in: tags } } })
  // Asked again just before: a rollback may have begun since the plan was made.
  const used = (await usedDigests(tx, [{ id: repositoryId, keepDeployments }], Date.now())).get(repositoryId)
  if (digests.some((digest) => used?.has(digest))) throw new UsedMeanwhile()
  await tx.manifest.deleteMany({ where: { repositoryId, digest: { in: digests } } })
  // What stays because another image has it too is not attached to what is gone.
  await tx.tag.deleteMany({ where: { repositoryId, attachedTo: { in: digests } } })
}
