/** Looks at repositories. Readers name the organization; the worker goes by the id alone, and every step is conditional on the state before. */
import { type InspectionState, newId, OPEN_INSPECTION_STATES } from '@slipway/core'
import type { RunError } from './build-run.repo'
import type { Db, Tx } from './client'
import { type Inspection, Prisma } from './generated/client'

export type InspectionRow = Inspection
const open = { in: [...OPEN_INSPECTION_STATES] as InspectionState[] }

export interface InspectionLimits {
  /** At work or waiting at one time. */
  open: number
  /** Begun since `since`. */
  begun: number
  since: Date
}

/** Null where one of the organization's limits is reached; counted under a lock on its row. */
export function createInspection(
  db: Db,
  organizationId: string,
  data: { gitUrl: string; gitBranch: string; seal: (id: string) => Uint8Array<ArrayBuffer> | null },
  limits: InspectionLimits,
  also: (tx: Tx, id: string) => Promise<unknown>,
): Promise<InspectionRow | null> {
  return db.$transaction(async (tx) => {
    await tx.$queryRaw`SELECT "id" FROM "Organization" WHERE "id" = ${organizationId} FOR UPDATE`
    const [waiting, begun] = await Promise.all([
      tx.inspection.count({ where: { organizationId, state: open } }),
      tx.inspection.count({ where: { organizationId, createdAt: { gt: limits.since } } }),
    ])
    if (waiting >= limits.open || begun >= limits.begun) return null
    const id = newId('inspection')
    const { seal, ...columns } = data
    const row = await tx.inspection.create({ data: { id, organizationId, ...columns, gitToken: seal(id) } })
    await also(tx, id)
    return row
  })
}

export const findInspection = (db: Tx, organizationId: string, id: string): Promise<InspectionRow | null> =>
  db.inspection.findFirst({ where: { id, organizationId } })

export async function requestInspectionCancel(db: Tx, organizationId: string, id: string, now = new Date()): Promise<void> {
  await db.inspection.updateMany({ where: { id, organizationId, state: 'running' }, data: { cancelRequestedAt: now } })
  await db.inspection.updateMany({
    where: { id, organizationId, state: 'queued' },
    data: { state: 'canceled', finishedAt: now, gitToken: null },
  })
}

/** queued → running; null when there is nothing to do any more. */
export async function claimInspection(db: Tx, id: string, now = new Date()): Promise<InspectionRow | null> {
  const { count } = await db.inspection.updateMany({
    where: { id, state: 'queued' },
    data: { state: 'running', startedAt: now, heartbeatAt: now, attempt: { increment: 1 } },
  })
  return count === 1 ? db.inspection.findUnique({ where: { id } }) : null
}

export async function heartbeatInspection(db: Tx, id: string, now = new Date()): Promise<{ goOn: boolean }> {
  const { count } = await db.inspection.updateMany({ where: { id, state: 'running', cancelRequestedAt: null }, data: { heartbeatAt: now } })
  return { goOn: count === 1 }
}

export const noteInspection = (db: Tx, id: string, progress: string) =>
  db.inspection.updateMany({ where: { id, state: 'running' }, data: { progress: progress.replaceAll('\0', '\uFFFD').slice(0, 300) } })

/** The token is of no more use then, and is forgotten. */
export async function finishInspection(
  db: Tx,
  id: string,
  to: Exclude<InspectionState, 'queued' | 'running'>,
  data: { result?: Prisma.InputJsonValue; error?: RunError } = {},
  now = new Date(),
): Promise<boolean> {
  const { count } = await db.inspection.updateMany({
    where: { id, state: open },
    data: {
      state: to,
      finishedAt: now,
      gitToken: null,
      progress: null,
      result: data.result ?? Prisma.DbNull,
      errorCode: data.error?.code ?? null,
      errorMessage: data.error?.message ?? null,
    },
  })
  return count === 1
}

/** running → queued, for a worker that stops or died. */
export async function requeueInspection(db: Tx, id: string, staleBefore: Date): Promise<boolean> {
  const { count } = await db.inspection.updateMany({
    where: { id, state: 'running', heartbeatAt: { lt: staleBefore } },
    data: { state: 'queued', startedAt: null, progress: null },
  })
  return count === 1
}

/** For the sweep: those that wait, and those that no worker has spoken for since `staleBefore`. */
export async function openInspections(db: Tx, staleBefore: Date) {
  const select = { id: true, attempt: true, createdAt: true } as const
  const [waiting, stale] = await Promise.all([
    db.inspection.findMany({ where: { state: 'queued' }, select, orderBy: { id: 'asc' }, take: 200 }),
    db.inspection.findMany({ where: { state: 'running', heartbeatAt: { lt: staleBefore } }, select, orderBy: { id: 'asc' }, take: 200 }),
  ])
  return { waiting, stale }
}

export const forgetInspections = (db: Tx, before: Date) =>
  db.inspection.deleteMany({ where: { createdAt: { lt: before }, state: { notIn: [...OPEN_INSPECTION_STATES] } } })
