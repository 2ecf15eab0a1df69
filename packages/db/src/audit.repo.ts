import { newId } from '@slipway/core'
import type { Tx } from './client'
import type { Prisma } from './generated/client'
import { type PageRequest, pageArgs, toPage } from './page'

export interface AuditInput {
  actorUserId: string | null
  actorLabel: string
  /** `app.create`, `deployment.rollback` */
  action: string
  targetType: string
  targetId: string | null
  targetLabel: string
  data?: Prisma.InputJsonValue
  ipAddress?: string | null
}

/** In the transaction of the change it tells of: no change without its event, no event without its change. */
export const writeAudit = (tx: Tx, organizationId: string, event: AuditInput) =>
  tx.auditEvent.create({ data: { id: newId('audit'), organizationId, ...event } })

export async function listAudit(db: Tx, organizationId: string, page: PageRequest) {
  const { take, orderBy, before } = pageArgs(page)
  const [rows, total] = await Promise.all([
    db.auditEvent.findMany({ where: { organizationId, ...before }, take, orderBy }),
    db.auditEvent.count({ where: { organizationId } }),
  ])
  return toPage(rows, total, page.limit, (row) => row.id)
}
