import { dueReplicationRuns, trimReplicationRuns } from '@slipway/db'
import { enqueue } from '@slipway/jobs'
import { replicateDue } from '@slipway/services'
import type { Deps } from '../deps'
import { REPLICATION_STALE_MS } from '../replication/run'

const KEPT_MS = 30 * 24 * 3_600_000
const TRIM_EVERY_MS = 10 * 60_000
const AT_ONCE = 100

let trimmedAt = 0

/** Begins rules whose time has come, and puts on the queue what has no job: postponed, lost with Redis or its worker. */
export async function sweepReplication(deps: Deps, now = new Date()): Promise<void> {
  await replicateDue(deps.db, now)
  for (const runId of await dueReplicationRuns(deps.db, AT_ONCE, new Date(now.getTime() - REPLICATION_STALE_MS), now))
    await enqueue(deps.queues, 'replicate', { runId }, (error) =>
      deps.log.warn({ err: error }, 'could not enqueue; the next sweep tries again'),
    )
  if (now.getTime() - trimmedAt < TRIM_EVERY_MS) return
  trimmedAt = now.getTime()
  await trimReplicationRuns(deps.db, new Date(now.getTime() - KEPT_MS))
}
