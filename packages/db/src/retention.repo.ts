/** Rules of retention, its schedule and its runs; what a plan is made of and frees stands in retention-plan.repo.ts. */
import { newId } from '@slipway/core'
import type { Tx } from './client'
import type { Prisma, RetentionPolicy } from './generated/client'

const DAY_MS = 86_400_000

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

export const repositoryById = (db: Tx, organizationId: string, id: string) =>
  db.repository.findFirst({ where: { organizationId, id }, select: { id: true, name: true } })

/** Names and ids in the order of ids, after `cursor`. */
export const repositoriesPage = (db: Tx, organizationId: string, take: number, cursor?: string) =>
  db.repository.findMany({
    where: { organizationId, ...(cursor === undefined ? {} : { id: { gt: cursor } }) },
    orderBy: { id: 'asc' },
    take,
    select: { id: true, name: true },
  })

/**
 * How many tags, manifests and blobs these repositories have, in their order, until all together are more than `limit`: the count ends
 * there, and those that come after it are left out.
 */
export async function retentionRows(db: Tx, ids: readonly string[], limit: number): Promise<Map<string, number>> {
  const rows = await db.$queryRaw<{ id: string; rows: number }[]>`
    SELECT x."id", COUNT(*)::int AS rows FROM (
      SELECT r."id" FROM unnest(${[...ids]}::text[]) r("id") CROSS JOIN LATERAL (
        SELECT FROM "Manifest" WHERE "repositoryId" = r."id"
        UNION ALL SELECT FROM "Tag" WHERE "repositoryId" = r."id"
        UNION ALL SELECT FROM "RepositoryBlob" WHERE "repositoryId" = r."id"
      ) c LIMIT ${limit + 1}
    ) x GROUP BY 1`
  return new Map(rows.map(({ id, rows: n }) => [id, n]))
}
