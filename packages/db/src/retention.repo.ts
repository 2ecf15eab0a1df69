/** What retention reads and removes; packages/core's retention.ts decides. */
import { isBuildCache, keptByRule, newId, type RetentionInput, type RetentionPlan } from '@slipway/core'
import type { Tx } from './client'
import type { Prisma, RetentionPolicy } from './generated/client'
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

interface TagRow {
  repositoryId: string
  name: string
  updatedAt: Date
  lastPulledAt: Date | null
  attachedTo: string | null
  digest: string
}

interface ManifestRow {
  repositoryId: string
  digest: string
  subjectDigest: string | null
  artifactType: string | null
  pushedBy: string
  createdAt: Date
}

/**
 * Everything that the plans of these repositories are made of, by id: asked once for all of them. Lock a repository first to act on its
 * plan. Written as SQL, since there are ten thousands of rows and each is read once.
 */
export async function retentionInputs(tx: Tx, places: readonly RetentionPlace[]): Promise<Map<string, RetentionInput>> {
  const now = new Date()
  const ids = places.map(({ id }) => id)
  // One after the other: in a transaction there is one connection.
  const tags = ofRepository(
    await tx.$queryRaw<TagRow[]>`
      SELECT t."repositoryId", t."name", t."updatedAt", t."lastPulledAt", t."attachedTo", m."digest"
      FROM "Tag" t JOIN "Manifest" m ON m."id" = t."manifestId" WHERE t."repositoryId" = ANY(${ids})`,
  )
  const manifests = ofRepository(
    await tx.$queryRaw<ManifestRow[]>`
      SELECT "repositoryId", "digest", "subjectDigest", "artifactType", "pushedBy", "createdAt"
      FROM "Manifest" WHERE "repositoryId" = ANY(${ids})`,
  )
  const children = ofRepository(
    await tx.$queryRaw<{ repositoryId: string; index: string; digest: string }[]>`
      SELECT m."repositoryId", m."digest" AS index, c."digest"
      FROM "ManifestChild" c JOIN "Manifest" m ON m."id" = c."manifestId" WHERE m."repositoryId" = ANY(${ids})`,
  )
  const rules = await rulesOfRepositories(tx, ids)
  const used = ofRepository(await usedDigests(tx, places, now))
  const followed = await followedTags(
    tx,
    places.map(({ reference }) => reference),
  )
  return new Map(
    places.map(({ id, reference }) => [
      id,
      {
        ...inputOf(tags.get(id) ?? [], manifests.get(id) ?? [], children.get(id) ?? []),
        used: new Set((used.get(id) ?? []).map(({ digest }) => digest)),
        followed: new Set(followed.get(reference)),
        held: (tag) => keptByRule(rules.get(id) ?? [], tag) !== undefined,
        now,
      },
    ]),
  )
}

function inputOf(
  tags: readonly TagRow[],
  manifests: readonly ManifestRow[],
  children: readonly { index: string; digest: string }[],
): Pick<RetentionInput, 'tags' | 'manifests'> {
  // What is attached by a tag stays and goes with its image, as what says so in its manifest.
  const versions = tags.filter((tag) => tag.attachedTo === null)
  const versionOf = new Set(versions.map((tag) => tag.digest))
  const attachedTo = new Map<string, string[]>()
  for (const { attachedTo: subject, digest } of tags)
    if (subject !== null && !versionOf.has(digest)) attachedTo.set(digest, [...(attachedTo.get(digest) ?? []), subject])
  const parts = new Map<string, string[]>()
  for (const { index, digest } of children) parts.set(index, [...(parts.get(index) ?? []), digest])
  return {
    tags: versions.map(({ name, digest, updatedAt, lastPulledAt }) => ({ name, digest, pushedAt: updatedAt, lastPulledAt })),
    manifests: manifests.map((row) => ({
      digest: row.digest,
      subject: row.subjectDigest,
      attachedTo: attachedTo.get(row.digest) ?? [],
      children: parts.get(row.digest) ?? [],
      cache: isBuildCache(row),
      createdAt: row.createdAt,
    })),
  }
}

function ofRepository<T extends { repositoryId: string }>(rows: readonly T[]): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const row of rows) {
    const group = groups.get(row.repositoryId)
    if (group) group.push(row)
    else groups.set(row.repositoryId, [row])
  }
  return groups
}

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
 * under way and the last so many; and what was built within a day, whose deployment may be still to come.
 */
const usedDigests = (tx: Tx, places: readonly Omit<RetentionPlace, 'reference'>[], now: Date) =>
  tx.$queryRaw<{ repositoryId: string; digest: string }[]>`
    WITH here AS (
      SELECT m."repositoryId", m."digest", a."keep" FROM "Manifest" m JOIN unnest(
        ${places.map(({ id }) => id)}::text[], ${places.map(({ keepDeployments }) => keepDeployments)}::int[]
      ) AS a("id", "keep") ON a."id" = m."repositoryId"
    )
    SELECT h."repositoryId", h."digest" FROM (
      SELECT x."imageDigest", x."state", a."servingDeploymentId" = x."id" AS serving,
        row_number() OVER (PARTITION BY x."appId" ORDER BY x."number" DESC) AS place
      FROM "Deployment" x JOIN "App" a ON a."id" = x."appId" AND a."deletedAt" IS NULL
      WHERE x."imageDigest" IS NOT NULL AND x."state" NOT IN ('failed', 'canceled', 'superseded')
        AND x."appId" IN (SELECT y."appId" FROM "Deployment" y WHERE y."imageDigest" IN (SELECT "digest" FROM here))
    ) d JOIN here h ON h."digest" = d."imageDigest" AND (d.place <= h."keep" OR d.serving OR d."state" <> 'retired')
    UNION
    SELECT h."repositoryId", h."digest" FROM "Build" b JOIN here h ON h."digest" = b."manifestDigest"
      WHERE b."finishedAt" IS NULL OR b."finishedAt" > ${new Date(now.getTime() - DAY_MS)}`

/** Bytes of these manifests, and those that no repository needs once they are gone, by the id of the repository that has them now; none is left out. */
export async function freedBytes(tx: Tx, going: readonly { id: string; manifests: readonly string[] }[]): Promise<Map<string, number>> {
  const some = going.filter(({ manifests }) => manifests.length > 0)
  if (some.length === 0) return new Map()
  const pairs = some.flatMap(({ id, manifests }) => manifests.map((digest) => ({ id, digest })))
  // LATERAL … OFFSET 0: by the index, row by row. The planner would read all layers of the installation for those of a few repositories.
  const rows = await tx.$queryRaw<{ repositoryId: string; bytes: bigint }[]>`
    WITH manifest AS (
      SELECT m."id", m."repositoryId", m."configDigest", m."size", (m."repositoryId", m."digest") IN (
        SELECT * FROM unnest(${pairs.map(({ id }) => id)}::text[], ${pairs.map(({ digest }) => digest)}::text[])
      ) AS goes FROM "Manifest" m WHERE m."repositoryId" = ANY(${some.map(({ id }) => id)}::text[])
    ),
    freed AS (
      SELECT u."repositoryId", u."digest" FROM (
        SELECT m."repositoryId", y."digest", m.goes
        FROM manifest m CROSS JOIN LATERAL (SELECT "digest" FROM "ManifestLayer" WHERE "manifestId" = m."id" OFFSET 0) y
        UNION ALL SELECT m."repositoryId", m."configDigest", m.goes FROM manifest m WHERE m."configDigest" IS NOT NULL
      ) u GROUP BY 1, 2 HAVING bool_and(u.goes)
    )
    SELECT "repositoryId", SUM(size)::bigint AS bytes FROM (
      SELECT f."repositoryId", l.size FROM freed f CROSS JOIN LATERAL (
        SELECT MIN(s."size") AS size FROM (SELECT "repositoryId", "size" FROM "RepositoryBlob" WHERE "digest" = f."digest" LIMIT 2) s
        HAVING count(*) = 1 AND MIN(s."repositoryId") = f."repositoryId"
      ) l UNION ALL SELECT m."repositoryId", m."size" FROM manifest m WHERE m.goes
    ) one GROUP BY 1`
  return new Map(rows.map((row) => [row.repositoryId, Number(row.bytes)]))
}

/** Thrown when something was deployed while its image was being removed: the transaction is undone, the next run sees it. */
export class UsedMeanwhile extends Error {}

/** In the transaction that has locked the repository and made the plan. */
export async function removePlanned(tx: Tx, repositoryId: string, plan: RetentionPlan, keepDeployments: number): Promise<void> {
  const tags = plan.tags.filter((tag) => tag.kept === null).map((tag) => tag.name)
  await tellRemoval(tx, 'system:retention', 'retention')
  await tx.tag.deleteMany({ where: { repositoryId, name: { in: tags } } })
  // Asked again just before: a rollback may have begun since the plan was made.
  const used = new Set((await usedDigests(tx, [{ id: repositoryId, keepDeployments }], new Date())).map(({ digest }) => digest))
  if (plan.manifests.some((digest) => used.has(digest))) throw new UsedMeanwhile()
  await tx.manifest.deleteMany({ where: { repositoryId, digest: { in: plan.manifests } } })
  // What stays because another image has it too is not attached to what is gone.
  await tx.tag.deleteMany({ where: { repositoryId, attachedTo: { in: plan.manifests } } })
}

/** The organization's (`repositoryId` null) or a repository's. */
export const findRetention = (db: Tx, organizationId: string, repositoryId: string | null): Promise<RetentionPolicy | null> =>
  db.retentionPolicy.findFirst({ where: { organizationId, repositoryId } })

export const listRetentions = (db: Tx, organizationId: string): Promise<RetentionPolicy[]> =>
  db.retentionPolicy.findMany({ where: { organizationId } })

export type RetentionData = Pick<
  RetentionPolicy,
  'enabled' | 'repositories' | 'keepLast' | 'keepUsedDays' | 'keepTags' | 'keepDeployments' | 'untaggedDays'
>

/** Null: there is none any more. */
export async function setRetention(tx: Tx, organizationId: string, repositoryId: string | null, data: RetentionData | null): Promise<void> {
  await tx.retentionPolicy.deleteMany({ where: { organizationId, repositoryId } })
  if (data) await tx.retentionPolicy.create({ data: { id: newId('retention'), organizationId, repositoryId, ...data } })
}

export const findSchedule = (db: Tx, organizationId: string) => db.retentionSchedule.findUnique({ where: { organizationId } })

/** The next time that it is this minute of the day, UTC. */
export function nextRetentionAt(minute: number, now: Date): Date {
  const midnight = Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate())
  const today = midnight + minute * 60_000
  return new Date(today > now.getTime() ? today : today + DAY_MS)
}

export async function setSchedule(tx: Tx, organizationId: string, minute: number, now = new Date()): Promise<void> {
  const data = { minute, nextAt: nextRetentionAt(minute, now) }
  await tx.retentionSchedule.upsert({ where: { organizationId }, create: { organizationId, ...data }, update: data })
}

export const removeSchedule = (tx: Tx, organizationId: string) => tx.retentionSchedule.deleteMany({ where: { organizationId } })

/** Makes the run of each organization whose time has come; each is made once, however many workers ask. */
export async function startDueRuns(db: Tx, now = new Date()): Promise<number> {
  const due = await db.retentionSchedule.findMany({ where: { nextAt: { lte: now } }, take: 100 })
  let started = 0
  for (const { organizationId, minute, nextAt } of due) {
    const { count } = await db.retentionSchedule.updateMany({
      where: { organizationId, nextAt },
      data: { nextAt: nextRetentionAt(minute, now) },
    })
    if (count === 0) continue
    await createRetentionRun(db, organizationId, null)
    started++
  }
  return started
}

/** Waits for a worker: its heartbeat is as old as can be. */
export const createRetentionRun = (db: Tx, organizationId: string, actorLabel: string | null) =>
  db.retentionRun.create({ data: { id: newId('retentionRun'), organizationId, actorLabel, heartbeatAt: new Date(0) } })

export const openRetentionRun = (db: Tx, organizationId: string) =>
  db.retentionRun.findFirst({ where: { organizationId, finishedAt: null }, select: { id: true } })

/** A run that no worker is at: it waits, or its worker was lost and it goes on. Null: there is none. */
export async function claimRetentionRun(db: Tx, staleBefore: Date) {
  const run = await db.retentionRun.findFirst({
    where: { finishedAt: null, heartbeatAt: { lt: staleBefore } },
    orderBy: { id: 'asc' },
    include: { organization: { select: { slug: true } } },
  })
  if (!run) return null
  const { count } = await db.retentionRun.updateMany({
    where: { id: run.id, heartbeatAt: run.heartbeatAt },
    data: { heartbeatAt: new Date() },
  })
  return count === 1 ? run : null
}

export interface RunProgress {
  repositories: number
  tags: number
  manifests: number
  bytes: number
  removed: Prisma.InputJsonValue[]
}

export const noteRetentionRun = (db: Tx, id: string, { bytes, ...progress }: RunProgress) =>
  db.retentionRun.update({ where: { id }, data: { ...progress, bytes: BigInt(bytes), heartbeatAt: new Date() } })

export const finishRetentionRun = (db: Tx, id: string, errorMessage: string | null) =>
  db.retentionRun.update({ where: { id }, data: { finishedAt: new Date(), errorMessage } })

export const listRetentionRuns = (db: Tx, organizationId: string, take: number) =>
  db.retentionRun.findMany({ where: { organizationId }, orderBy: { id: 'desc' }, take })

/** The last one that has ended; null: none has. */
export const lastRetentionRun = (db: Tx, organizationId: string) =>
  db.retentionRun.findFirst({ where: { organizationId, finishedAt: { not: null } }, orderBy: { id: 'desc' } })

/** What a run last removed from a repository, as its audit event has it: runs keep only so many rows. */
export async function lastCleanUp(db: Tx, organizationId: string, repositoryId: string) {
  const event = await db.auditEvent.findFirst({
    where: { organizationId, action: 'retention.clean', targetId: repositoryId },
    orderBy: { id: 'desc' },
  })
  if (!event) return null
  const { tags = [], tagCount = 0, manifests = 0, bytes = 0 } = (event.data ?? {}) as Partial<CleanUp>
  return { at: event.createdAt, by: event.actorLabel, tags, tagCount, manifests, bytes }
}

/** Data of the audit event `retention.clean`. */
export interface CleanUp {
  /** At most the first 50. */
  tags: string[]
  tagCount: number
  manifests: number
  bytes: number
}

export const countRepositories = (db: Tx, organizationId: string) => db.repository.count({ where: { organizationId } })

/** Names and ids in the order of ids, after `cursor`. */
export const repositoriesPage = (db: Tx, organizationId: string, take: number, cursor?: string) =>
  db.repository.findMany({
    where: { organizationId, ...(cursor === undefined ? {} : { id: { gt: cursor } }) },
    orderBy: { id: 'asc' },
    take,
    select: { id: true, name: true },
  })
