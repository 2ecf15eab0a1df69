/** What retention reads and removes; packages/core's retention.ts decides. */
import { isBuildCache, keptByRule, newId, type RetentionInput, type RetentionPlan } from '@slipway/core'
import type { Tx } from './client'
import type { Prisma, RetentionPolicy } from './generated/client'
import { rulesOfRepository } from './tag-rules.repo'

const DAY_MS = 86_400_000

/** Everything that the plan of one repository is made of. Lock the repository first to act on it. */
export async function retentionInput(tx: Tx, repositoryId: string, ownReference: string, keepDeployments: number): Promise<RetentionInput> {
  const now = new Date()
  const [tags, manifests, rules, used, apps] = [
    await tx.tag.findMany({
      where: { repositoryId },
      select: { name: true, updatedAt: true, lastPulledAt: true, attachedTo: true, manifest: { select: { digest: true } } },
    }),
    await tx.manifest.findMany({
      where: { repositoryId },
      select: {
        digest: true,
        subjectDigest: true,
        artifactType: true,
        pushedBy: true,
        createdAt: true,
        children: { select: { digest: true } },
      },
    }),
    await rulesOfRepository(tx, repositoryId),
    await usedDigests(tx, repositoryId, keepDeployments, now),
    await tx.app.findMany({
      where: { deletedAt: null, imageReference: { startsWith: `${ownReference}:` } },
      select: { imageReference: true },
    }),
  ]
  // What is attached by a tag stays and goes with its image, as what says so in its manifest.
  const versions = tags.filter((tag) => tag.attachedTo === null)
  const versionOf = new Set(versions.map((tag) => tag.manifest.digest))
  const attachedTo = new Map<string, string[]>()
  for (const { attachedTo: subject, manifest } of tags)
    if (subject !== null && !versionOf.has(manifest.digest))
      attachedTo.set(manifest.digest, [...(attachedTo.get(manifest.digest) ?? []), subject])
  return {
    tags: versions.map((tag) => ({ name: tag.name, digest: tag.manifest.digest, pushedAt: tag.updatedAt, lastPulledAt: tag.lastPulledAt })),
    manifests: manifests.map((row) => ({
      digest: row.digest,
      subject: row.subjectDigest,
      attachedTo: attachedTo.get(row.digest) ?? [],
      children: row.children.map((child) => child.digest),
      cache: isBuildCache(row),
      createdAt: row.createdAt,
    })),
    used,
    followed: new Set(apps.map((app) => app.imageReference?.slice(ownReference.length + 1) ?? '')),
    held: (tag) => keptByRule(rules, tag) !== undefined,
    now,
  }
}

/**
 * Digests of the repository that apps serve, are about to serve, or may go back to: of each app the deployment that serves, those
 * under way and the last so many; and what was built within a day, whose deployment may be still to come.
 */
async function usedDigests(tx: Tx, repositoryId: string, keepDeployments: number, now: Date): Promise<Set<string>> {
  const rows = await tx.$queryRaw<{ digest: string }[]>`
    WITH here AS (SELECT "digest" FROM "Manifest" WHERE "repositoryId" = ${repositoryId})
    SELECT d."imageDigest" AS digest FROM (
      SELECT x."imageDigest", x."state", a."servingDeploymentId" = x."id" AS serving,
        row_number() OVER (PARTITION BY x."appId" ORDER BY x."number" DESC) AS place
      FROM "Deployment" x JOIN "App" a ON a."id" = x."appId" AND a."deletedAt" IS NULL
      WHERE x."imageDigest" IS NOT NULL AND x."state" NOT IN ('failed', 'canceled', 'superseded')
        AND x."appId" IN (SELECT y."appId" FROM "Deployment" y WHERE y."imageDigest" IN (SELECT "digest" FROM here))
    ) d WHERE (d.place <= ${keepDeployments} OR d.serving OR d."state" <> 'retired') AND d."imageDigest" IN (SELECT "digest" FROM here)
    UNION
    SELECT b."manifestDigest" FROM "Build" b WHERE b."manifestDigest" IN (SELECT "digest" FROM here)
      AND (b."finishedAt" IS NULL OR b."finishedAt" > ${new Date(now.getTime() - DAY_MS)})`
  return new Set(rows.map((row) => row.digest))
}

/** Bytes that no repository needs once these manifests are gone. */
export async function freedBytes(tx: Tx, repositoryId: string, digests: readonly string[]): Promise<number> {
  if (digests.length === 0) return 0
  const rows = await tx.$queryRaw<{ bytes: bigint }[]>`
    WITH going AS (SELECT "id" FROM "Manifest" WHERE "repositoryId" = ${repositoryId} AND "digest" = ANY(${[...digests]})),
    staying AS (SELECT "id", "configDigest" FROM "Manifest" WHERE "repositoryId" = ${repositoryId} AND "digest" <> ALL(${[...digests]})),
    freed AS (
      SELECT y."digest" FROM "ManifestLayer" y JOIN going g ON g."id" = y."manifestId"
      UNION SELECT m."configDigest" FROM "Manifest" m JOIN going g ON g."id" = m."id" WHERE m."configDigest" IS NOT NULL
      EXCEPT SELECT y."digest" FROM "ManifestLayer" y JOIN staying s ON s."id" = y."manifestId"
      EXCEPT SELECT s."configDigest" FROM staying s WHERE s."configDigest" IS NOT NULL
    )
    SELECT COALESCE(SUM(b."size"), 0)::bigint AS bytes FROM freed f JOIN "Blob" b ON b."digest" = f."digest"
    WHERE NOT EXISTS (SELECT 1 FROM "RepositoryBlob" l WHERE l."digest" = f."digest" AND l."repositoryId" <> ${repositoryId})`
  return Number(rows[0]?.bytes ?? 0)
}

/** Thrown when something was deployed while its image was being removed: the transaction is undone, the next run sees it. */
export class UsedMeanwhile extends Error {}

/** In the transaction that has locked the repository and made the plan. */
export async function removePlanned(tx: Tx, repositoryId: string, plan: RetentionPlan, keepDeployments: number): Promise<void> {
  const tags = plan.tags.filter((tag) => tag.kept === null).map((tag) => tag.name)
  await tx.tag.deleteMany({ where: { repositoryId, name: { in: tags } } })
  // Asked again just before: a rollback may have begun since the plan was made.
  const used = await usedDigests(tx, repositoryId, keepDeployments, new Date())
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

/** Names and ids in the order of ids, after `cursor`. */
export const repositoriesPage = (db: Tx, organizationId: string, take: number, cursor?: string) =>
  db.repository.findMany({
    where: { organizationId, ...(cursor === undefined ? {} : { id: { gt: cursor } }) },
    orderBy: { id: 'asc' },
    take,
    select: { id: true, name: true },
  })
