import { dueDeliveries, trimOutgoing } from '@slipway/db'
import { enqueue } from '@slipway/jobs'
import type { Deps } from '../deps'

const KEPT_MS = 30 * 24 * 3_600_000
const TRIM_EVERY_MS = 10 * 60_000
const AT_ONCE = 200

let trimmedAt = 0

/** Deliveries whose pause is over, or whose job was lost with Redis or its worker; old ones go. */
export async function sweepDeliveries(deps: Deps, now = new Date()): Promise<void> {
  for (const deliveryId of await dueDeliveries(deps.db, AT_ONCE, now))
    await enqueue(deps.queues, 'deliver', { deliveryId }, (error) =>
      deps.log.warn({ err: error }, 'could not enqueue; the next sweep tries again'),
    )
  if (now.getTime() - trimmedAt < TRIM_EVERY_MS) return
  trimmedAt = now.getTime()
  await trimOutgoing(deps.db, new Date(now.getTime() - KEPT_MS))
}
