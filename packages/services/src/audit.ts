import { type Prisma, type Tx, writeAudit } from '@slipway/db'
import type { Scope } from './scope'

/** Every change writes this in its own transaction. */
export const audit = (
  tx: Tx,
  scope: Scope,
  action: string,
  target: { type: string; id: string | null; label: string },
  data?: Prisma.InputJsonValue,
) =>
  writeAudit(tx, scope.organizationId, {
    actorUserId: scope.actor.userId,
    actorLabel: scope.actor.label,
    action,
    targetType: target.type,
    targetId: target.id,
    targetLabel: target.label,
    ipAddress: scope.actor.ip,
    ...(data !== undefined && { data }),
  })
