/** Rules of replication and their runs. Which image is to go where is for the services to say. */
import type { Db, Tx } from './client'
import type { Prisma, ReplicationItem, ReplicationRule, ReplicationRun, ReplicationState } from './generated/client'
import { type PageRequest, pageArgs, toPage } from './page'

export type ReplicationRuleRow = ReplicationRule
export type ReplicationRunRow = ReplicationRun
export type ReplicationItemRow = ReplicationItem
export type { ReplicationState }

const OPEN: ReplicationState[] = ['queued', 'running']

export const listReplicationRules = (db: Tx, organizationId: string) =>
  db.replicationRule.findMany({
    where: { organizationId },
    include: { runs: { orderBy: { id: 'desc' }, take: 1 } },
    orderBy: { id: 'asc' },
  })

export const findReplicationRule = (db: Tx, organizationId: string, id: string) =>
  db.replicationRule.findFirst({ where: { organizationId, id } })

export const createReplicationRule = (tx: Tx, data: Prisma.ReplicationRuleUncheckedCreateInput) => tx.replicationRule.create({ data })

export const updateReplicationRule = async (
  tx: Tx,
  organizationId: string,
  id: string,
  data: Omit<Prisma.ReplicationRuleUncheckedUpdateManyInput, 'id' | 'organizationId'>,
): Promise<boolean> => (await tx.replicationRule.updateMany({ where: { organizationId, id }, data })).count === 1

export const deleteReplicationRule = async (tx: Tx, organizationId: string, id: string): Promise<boolean> =>
  (await tx.replicationRule.deleteMany({ where: { organizationId, id } })).count === 1

/** Those that a push may concern. */
export const rulesOnPush = (tx: Tx, organizationId: string) =>
  tx.replicationRule.findMany({ where: { organizationId, enabled: true, onPush: true, direction: 'push' }, orderBy: { id: 'asc' } })

/** Version tags of what these digests are, are a part of, or are attached to themselves. */
export async function tagsAbout(tx: Tx, organizationId: string, repository: string, digests: string[]): Promise<string[]> {
  const rows = await tx.$queryRaw<{ name: string }[]>`
    WITH RECURSIVE here AS (
      SELECT "id" FROM "Repository" WHERE "organizationId" = ${organizationId} AND "name" = ${repository}
    ), about("id", "digest", "subjectDigest") AS (
      SELECT m."id", m."digest", m."subjectDigest" FROM "Manifest" m, here WHERE m."repositoryId" = here."id" AND m."digest" = ANY(${digests})
      UNION
      SELECT p."id", p."digest", p."subjectDigest" FROM about a, here, "Manifest" p WHERE p."repositoryId" = here."id" AND (
        p."digest" = a."subjectDigest" OR p."id" IN (SELECT c."manifestId" FROM "ManifestChild" c WHERE c."digest" = a."digest")
        OR p."digest" IN (SELECT t."attachedTo" FROM "Tag" t WHERE t."manifestId" = a."id"))
    )
    SELECT DISTINCT t."name" FROM about a JOIN "Tag" t ON t."manifestId" = a."id" WHERE t."attachedTo" IS NULL ORDER BY 1`
  return rows.map((row) => row.name)
}

/** A run that has not begun and will copy these tags, with all that is attached to them by then. */
export const waitingReplicationRun = (tx: Tx, ruleId: string, repository: string, tags: string[]) =>
  tx.replicationRun.findFirst({
    where: { ruleId, state: 'queued', cancelRequestedAt: null, OR: [{ repository: null }, { repository, tags: { hasEvery: tags } }] },
    select: { id: true },
  })

/** A run of all that the rule names, which is not over. */
export const openReplicationRun = (tx: Tx, ruleId: string) =>
  tx.replicationRun.findFirst({ where: { ruleId, repository: null, state: { in: OPEN } } })

export type NewReplicationRun = Pick<ReplicationRun, 'id' | 'organizationId' | 'ruleId' | 'trigger' | 'actorLabel'> &
  Partial<Pick<ReplicationRun, 'dedupeKey' | 'repository' | 'tags'>>

export const createReplicationRuns = (tx: Tx, data: NewReplicationRun[]) => tx.replicationRun.createMany({ data, skipDuplicates: true })

export async function listReplicationRuns(db: Tx, organizationId: string, ruleId: string, page: PageRequest) {
  const { take, orderBy, before } = pageArgs(page)
  const where = { organizationId, ruleId }
  const [rows, total] = await Promise.all([
    db.replicationRun.findMany({ where: { ...where, ...before }, take, orderBy }),
    db.replicationRun.count({ where }),
  ])
  return toPage(rows, total, page.limit, (row) => row.id)
}

export const findReplicationRun = (db: Tx, organizationId: string, id: string) =>
  db.replicationRun.findFirst({ where: { organizationId, id }, include: { rule: true } })

export interface ReplicationSums {
  items: Record<ReplicationState, number>
  bytes: number
  movedBlobs: number
  movedBytes: number
  skippedBlobs: number
  skippedBytes: number
}

const nothing = (): ReplicationSums => ({
  items: { queued: 0, running: 0, succeeded: 0, failed: 0, canceled: 0 },
  bytes: 0,
  movedBlobs: 0,
  movedBytes: 0,
  skippedBlobs: 0,
  skippedBytes: 0,
})

/** What became of the items of each run. */
export async function replicationSums(db: Tx, runIds: string[]): Promise<(runId: string) => ReplicationSums> {
  const groups = await db.replicationItem.groupBy({
    by: ['runId', 'state'],
    where: { runId: { in: runIds } },
    _count: { _all: true },
    _sum: { bytes: true, movedBlobs: true, movedBytes: true, skippedBlobs: true, skippedBytes: true },
  })
  const sums = new Map<string, ReplicationSums>()
  for (const { runId, state, _count, _sum } of groups) {
    const sum = sums.get(runId) ?? nothing()
    sums.set(runId, sum)
    sum.items[state] = _count._all
    sum.bytes += Number(_sum.bytes ?? 0)
    sum.movedBlobs += _sum.movedBlobs ?? 0
    sum.movedBytes += Number(_sum.movedBytes ?? 0)
    sum.skippedBlobs += _sum.skippedBlobs ?? 0
    sum.skippedBytes += Number(_sum.skippedBytes ?? 0)
  }
  return (runId) => sums.get(runId) ?? nothing()
}

/** By position; those that failed first are a question of `state`. */
export async function listReplicationItems(
  db: Tx,
  runId: string,
  { cursor, limit, state }: { cursor?: number | null | undefined; limit: number; state?: ReplicationState | undefined },
) {
  const where = { runId, ...(state && { state }) }
  const [rows, total] = await Promise.all([
    db.replicationItem.findMany({
      where: { ...where, ...(cursor == null ? {} : { position: { gt: cursor } }) },
      orderBy: { position: 'asc' },
      take: limit + 1,
    }),
    db.replicationItem.count({ where }),
  ])
  return toPage(rows, total, limit, (row) => `${row.position}`)
}

/** False: it is over. */
export const cancelReplicationRun = async (tx: Tx, organizationId: string, id: string, now = new Date()): Promise<boolean> =>
  (await tx.replicationRun.updateMany({ where: { organizationId, id, state: { in: OPEN } }, data: { cancelRequestedAt: now } })).count === 1

/** What is not over of a rule that is turned off is not begun any more. */
export const cancelReplicationRuns = (tx: Tx, organizationId: string, ruleId: string, now = new Date()) =>
  tx.replicationRun.updateMany({ where: { organizationId, ruleId, state: { in: OPEN } }, data: { cancelRequestedAt: now } })

/**
 * Takes a run: one that is due, or one whose worker is lost. Null: over, not due, another worker's, or another run of the same rule is
 * under way: two would move the same blobs.
 */
export async function claimReplicationRun(db: Db, id: string, staleBefore: Date, now = new Date()) {
  return db.$transaction(async (tx) => {
    await tx.$queryRaw`SELECT 1 FROM "ReplicationRule" WHERE "id" = (SELECT "ruleId" FROM "ReplicationRun" WHERE "id" = ${id}) FOR UPDATE`
    const run = await tx.replicationRun.findUnique({
      where: { id },
      include: { rule: { include: { organization: { select: { slug: true } } } } },
    })
    if (!run) return null
    const lost = run.state === 'running' && (run.heartbeatAt ?? run.createdAt) < staleBefore
    const due = run.state === 'queued' && (run.notBefore <= now || run.cancelRequestedAt !== null)
    if (!lost && !due) return null
    const other = { ruleId: run.ruleId, id: { not: id }, state: 'running' as const, heartbeatAt: { gte: staleBefore } }
    // One that is only to be ended needs nobody's leave.
    if (run.cancelRequestedAt === null && (await tx.replicationRun.count({ where: other })) > 0) return null
    const data = { state: 'running' as const, heartbeatAt: now, startedAt: run.startedAt ?? now, lost: run.lost + (lost ? 1 : 0) }
    await tx.replicationRun.update({ where: { id }, data })
    return { ...run, ...data }
  })
}

/** Still at it. Gives whether it is to end; undefined: the run is not running any more. */
export async function beatReplicationRun(db: Tx, id: string, now = new Date()): Promise<boolean | undefined> {
  const [row] = await db.replicationRun.updateManyAndReturn({ where: { id, state: 'running' }, data: { heartbeatAt: now } })
  return row && row.cancelRequestedAt !== null
}

export type PlannedItem = Pick<ReplicationItem, 'source' | 'target' | 'tag'>

/** What is to be copied, once: a run that is taken up again goes on with what is written here. */
export const planReplicationRun = (db: Db, id: string, items: PlannedItem[]) =>
  db.$transaction(
    async (tx) => {
      await tx.replicationItem.createMany({ data: items.map((item, position) => ({ ...item, runId: id, position })), skipDuplicates: true })
      await tx.replicationRun.update({ where: { id }, data: { planned: true } })
    },
    { timeout: 30_000 },
  )

/** The next that is not done; one that a lost worker was at, too. Behind `after`: what failed in this attempt waits for the next. */
export const nextReplicationItem = (db: Tx, runId: string, after: number) =>
  db.replicationItem.findFirst({ where: { runId, state: { in: OPEN }, position: { gt: after } }, orderBy: { position: 'asc' } })

export const noteReplicationItem = (
  db: Tx,
  { runId, position }: { runId: string; position: number },
  data: Omit<Prisma.ReplicationItemUncheckedUpdateManyInput, 'runId' | 'position'>,
) => db.replicationItem.updateMany({ where: { runId, position }, data })

/** What is over has items that are over: those that were tried have failed, of the others nothing was begun. */
export async function finishReplicationRun(
  db: Db,
  id: string,
  { state, error }: { state: 'succeeded' | 'failed' | 'canceled'; error: string | null },
  now = new Date(),
): Promise<void> {
  const open = { runId: id, state: { in: OPEN } }
  await db.$transaction([
    db.replicationItem.updateMany({ where: { ...open, error: { not: null } }, data: { state: 'failed' } }),
    db.replicationItem.updateMany({ where: open, data: { state: 'canceled' } }),
    db.replicationRun.updateMany({ where: { id, state: { in: OPEN } }, data: { state, error, finishedAt: now } }),
  ])
}

export const postponeReplicationRun = (db: Tx, id: string, { error, notBefore }: { error: string; notBefore: Date }) =>
  db.replicationRun.updateMany({
    where: { id, state: 'running' },
    data: { state: 'queued', error, notBefore, heartbeatAt: null, attempt: { increment: 1 } },
  })

/** Hands a run back as it is: its worker stops. */
export const releaseReplicationRun = (db: Tx, id: string) =>
  db.replicationRun.updateMany({ where: { id, state: 'running' }, data: { state: 'queued', heartbeatAt: null } })

export async function dueReplicationRuns(db: Tx, take: number, staleBefore: Date, now = new Date()): Promise<string[]> {
  const due = [
    { state: 'queued' as const, notBefore: { lte: now } },
    { state: 'queued' as const, cancelRequestedAt: { not: null } },
  ]
  const rows = await db.replicationRun.findMany({
    where: { OR: [...due, { state: 'running', heartbeatAt: { lt: staleBefore } }] },
    select: { id: true },
    orderBy: { id: 'asc' },
    take,
  })
  return rows.map((row) => row.id)
}

/** Rules whose time has come, each in the hands of `begin` in the transaction that sets the next time. */
export async function startDueReplication(
  db: Db,
  begin: (tx: Tx, rule: ReplicationRule) => Promise<void>,
  now = new Date(),
): Promise<void> {
  await db.$transaction(async (tx) => {
    const rows = await tx.$queryRaw<ReplicationRule[]>`
      SELECT * FROM "ReplicationRule" WHERE "enabled" AND "everyMinutes" IS NOT NULL AND "nextRunAt" <= ${now}
      ORDER BY "nextRunAt" LIMIT 50 FOR UPDATE SKIP LOCKED`
    for (const rule of rows) {
      await begin(tx, rule)
      const nextRunAt = new Date(now.getTime() + (rule.everyMinutes ?? 0) * 60_000)
      await tx.replicationRule.update({ where: { id: rule.id }, data: { nextRunAt } })
    }
  })
}

export const trimReplicationRuns = (db: Tx, before: Date) =>
  db.replicationRun.deleteMany({ where: { createdAt: { lt: before }, state: { notIn: OPEN } } })

/** All tags of an organization's own repositories, by name, in pages. */
export async function tagsOfOrganization(db: Tx, organizationId: string, take: number, after?: { repository: string; tag: string }) {
  return db.$queryRaw<{ repository: string; tag: string }[]>`
    SELECT r."name" AS repository, t."name" AS tag FROM "Repository" r JOIN "Tag" t ON t."repositoryId" = r."id"
    WHERE r."organizationId" = ${organizationId}
      AND (r."name" COLLATE "C", t."name" COLLATE "C") > (${after?.repository ?? ''}, ${after?.tag ?? ''})
    ORDER BY r."name" COLLATE "C", t."name" COLLATE "C" LIMIT ${take}`
}

/** Repositories of the organization that link a blob: another registry that has theirs may mount it from there. */
export async function repositoriesLinking(db: Tx, organizationId: string, digest: string, take: number): Promise<string[]> {
  const rows = await db.repository.findMany({
    where: { organizationId, blobs: { some: { digest, blob: { damagedAt: null } } } },
    select: { name: true },
    orderBy: { id: 'asc' },
    take,
  })
  return rows.map((row) => row.name)
}

/** Rules through which a copy of the blob may lie elsewhere, with the repositories that link it here. */
export async function replicasOfBlob(db: Tx, digest: string, take: number) {
  const links = await db.repositoryBlob.findMany({
    where: { digest, repository: { organization: { replication: { some: { enabled: true } } } } },
    select: { repository: { select: { id: true, name: true, organization: { select: { replication: { where: { enabled: true } } } } } } },
    take,
  })
  return links.flatMap(({ repository: { id, name, organization } }) =>
    organization.replication.map((rule) => ({ rule, repository: { id, name } })),
  )
}
