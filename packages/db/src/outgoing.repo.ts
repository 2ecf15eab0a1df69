/** Outgoing webhooks and what is on its way to them. */
import type { Tx } from './client'
import type { EventRow } from './events.repo'
import type { OutgoingDelivery, OutgoingState, OutgoingWebhook, Prisma } from './generated/client'
import { type PageRequest, pageArgs, toPage } from './page'

export type OutgoingWebhookRow = OutgoingWebhook
export type OutgoingDeliveryRow = OutgoingDelivery

export const listOutgoing = (db: Tx, organizationId: string) =>
  db.outgoingWebhook.findMany({
    where: { organizationId },
    include: { deliveries: { orderBy: { id: 'desc' }, take: 1, select: { state: true, createdAt: true, finishedAt: true } } },
    orderBy: { id: 'asc' },
  })

export const findOutgoing = (db: Tx, organizationId: string, id: string) => db.outgoingWebhook.findFirst({ where: { organizationId, id } })

export const createOutgoing = (tx: Tx, data: Prisma.OutgoingWebhookUncheckedCreateInput) => tx.outgoingWebhook.create({ data })

export const updateOutgoing = async (
  tx: Tx,
  organizationId: string,
  id: string,
  data: Omit<Prisma.OutgoingWebhookUncheckedUpdateManyInput, 'id' | 'organizationId'>,
): Promise<boolean> => (await tx.outgoingWebhook.updateMany({ where: { organizationId, id }, data })).count === 1

export const deleteOutgoing = async (tx: Tx, organizationId: string, id: string): Promise<boolean> =>
  (await tx.outgoingWebhook.deleteMany({ where: { organizationId, id } })).count === 1

/** Those that hear of an event; which of its repository's patterns match is for the caller to say. */
export const listeners = (tx: Tx, { organizationId, kind }: EventRow) =>
  tx.outgoingWebhook.findMany({ where: { organizationId, enabled: true, events: { has: kind } }, orderBy: { id: 'asc' } })

export const countPending = (tx: Tx, webhookId: string) => tx.outgoingDelivery.count({ where: { webhookId, state: 'pending' } })

export interface NewOutgoing {
  id: string
  organizationId: string
  webhookId: string
  /** Of the outbox: twice the same makes one delivery. */
  dedupeKey: string | null
  kind: string
  repository: string | null
  body: string
}

export async function createDeliveries(tx: Tx, rows: NewOutgoing[], now = new Date()): Promise<void> {
  if (rows.length === 0) return
  await tx.outgoingDelivery.createMany({ data: rows.map((row) => ({ ...row, nextAttemptAt: now })), skipDuplicates: true })
}

export async function listDeliveries(db: Tx, organizationId: string, webhookId: string, page: PageRequest, state?: OutgoingState) {
  const { take, orderBy, before } = pageArgs(page)
  const where = { organizationId, webhookId, ...(state && { state }) }
  const [rows, total] = await Promise.all([
    db.outgoingDelivery.findMany({ where: { ...where, ...before }, take, orderBy, omit: { body: true, responseBody: true } }),
    db.outgoingDelivery.count({ where }),
  ])
  return toPage(rows, total, page.limit, (row) => row.id)
}

export const findDelivery = (db: Tx, organizationId: string, id: string) =>
  db.outgoingDelivery.findFirst({ where: { organizationId, id }, include: { webhook: true } })

/**
 * Takes a delivery that is due; it is due again when the lease is over, should this worker die. Null: over, not due, somebody
 * else's, or of a webhook that is turned off.
 */
export async function claimDelivery(db: Tx, id: string, leaseMs: number, now = new Date()) {
  const [row] = await db.outgoingDelivery.updateManyAndReturn({
    where: { id, state: 'pending', nextAttemptAt: { lte: now }, webhook: { enabled: true } },
    data: { attempt: { increment: 1 }, nextAttemptAt: new Date(now.getTime() + leaseMs) },
  })
  if (!row) return null
  const webhook = await db.outgoingWebhook.findUnique({
    where: { id: row.webhookId },
    include: { organization: { select: { slug: true } } },
  })
  return webhook && { ...row, webhook }
}

export const finishDelivery = (tx: Tx, id: string, data: Omit<Prisma.OutgoingDeliveryUncheckedUpdateInput, 'id'>) =>
  tx.outgoingDelivery.updateMany({ where: { id, state: 'pending' }, data })

export async function dueDeliveries(db: Tx, take: number, now = new Date()): Promise<string[]> {
  const rows = await db.outgoingDelivery.findMany({
    where: { state: 'pending', nextAttemptAt: { lte: now }, webhook: { enabled: true } },
    select: { id: true },
    orderBy: { nextAttemptAt: 'asc' },
    take,
  })
  return rows.map((row) => row.id)
}

/** What is over and older; those of a webhook that is turned off are never sent any more. */
export async function trimOutgoing(db: Tx, before: Date): Promise<void> {
  await db.outgoingDelivery.deleteMany({ where: { createdAt: { lt: before }, state: { not: 'pending' } } })
  await db.outgoingDelivery.updateMany({
    where: { state: 'pending', webhook: { enabled: false } },
    data: { state: 'failed', finishedAt: new Date(), nextAttemptAt: null, error: 'The webhook is turned off.' },
  })
}
