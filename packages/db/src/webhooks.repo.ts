import { newId } from '@slipway/core'
import type { Tx } from './client'
import type { Prisma } from './generated/client'

/** Deliveries kept of one webhook: verified ones, and those that anybody on the internet can cause. */
export const KEPT_DELIVERIES = { verified: 200, unverified: 50 }

/** For the public endpoint: the id in the address says which webhook; nothing is granted before the signature is verified. */
export const findWebhook = (db: Tx, id: string) =>
  db.webhook.findUnique({ where: { id }, include: { app: { include: { organization: { select: { slug: true } } } } } })

export const findWebhookOfApp = (db: Tx, organizationId: string, appId: string) =>
  db.webhook.findFirst({
    where: { organizationId, appId },
    include: { deliveries: { orderBy: { receivedAt: 'desc' }, take: 50, include: { build: { select: { number: true } } } } },
  })

export const createWebhook = (tx: Tx, organizationId: string, appId: string, id: string, secret: Uint8Array<ArrayBuffer>) =>
  tx.webhook.create({ data: { id, organizationId, appId, secret } })

export const rotateWebhookSecret = (tx: Tx, organizationId: string, appId: string, secret: Uint8Array<ArrayBuffer>) =>
  tx.webhook.updateMany({ where: { organizationId, appId }, data: { secret } })

export type NewDelivery = Omit<Prisma.DeliveryUncheckedCreateInput, 'id' | 'receivedAt' | 'dedupeKey'>

/** A verified delivery takes its key first: the second of two at once violates the unique index and is a duplicate. */
export const createDelivery = (tx: Tx, data: NewDelivery, dedupeKey: string | null) =>
  tx.delivery.create({ data: { id: newId('delivery'), ...data, dedupeKey } })

export const setDeliveryOutcome = (
  tx: Tx,
  id: string,
  data: Pick<Prisma.DeliveryUncheckedUpdateManyInput, 'outcome' | 'status' | 'reason' | 'buildId'>,
) => tx.delivery.updateMany({ where: { id }, data })

/** Keeps the newest of each kind: a flood of forged requests pushes out only other forged ones, never the record of a real push. */
export async function trimDeliveries(tx: Tx, webhookId: string): Promise<void> {
  await tx.$executeRaw`
    DELETE FROM "Delivery" WHERE "id" IN (
      SELECT "id" FROM "Delivery" WHERE "webhookId" = ${webhookId} AND "dedupeKey" IS NOT NULL
      ORDER BY "receivedAt" DESC, "id" DESC OFFSET ${KEPT_DELIVERIES.verified})`
  await tx.$executeRaw`
    DELETE FROM "Delivery" WHERE "id" IN (
      SELECT "id" FROM "Delivery" WHERE "webhookId" = ${webhookId} AND "dedupeKey" IS NULL
      ORDER BY "receivedAt" DESC, "id" DESC OFFSET ${KEPT_DELIVERIES.unverified})`
}

/** Of this webhook since an instant, unverified ones only. */
export const countRefusedSince = (db: Tx, webhookId: string, since: Date) =>
  db.delivery.count({ where: { webhookId, dedupeKey: null, receivedAt: { gt: since } } })
