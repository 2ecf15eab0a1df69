/** Runs that nobody starts by hand: of a push, of the time. Their rows are made in the transaction of what they come from. */
import { newId, replicatesRepository, replicatesTag } from '@slipway/core'
import { createReplicationRuns, type Db, type EventRow, openReplicationRun, rulesOnPush, startDueReplication, type Tx } from '@slipway/db'
import * as z from 'zod'

const pushData = z.object({ tags: z.array(z.string()) })

/** One run per rule that the push concerns; handed on twice, the event makes no second one. Their ids. */
export async function replicatePush(tx: Tx, event: EventRow): Promise<string[]> {
  if (event.kind !== 'push' || event.repository === null) return []
  const { repository, organizationId } = event
  const pushed = pushData.parse(event.data).tags
  const runs = (await rulesOnPush(tx, organizationId)).flatMap((rule) => {
    const tags = replicatesRepository(rule, repository) ? pushed.filter((tag) => replicatesTag(rule, tag)) : []
    if (tags.length === 0) return []
    const from = { trigger: 'push', actorLabel: event.actorLabel, dedupeKey: `${rule.id}:${event.id}` }
    return [{ id: newId('replicationRun'), organizationId, ruleId: rule.id, repository, tags, ...from }]
  })
  if (runs.length > 0) await createReplicationRuns(tx, runs)
  return runs.map(({ id }) => id)
}

/** Rules whose time has come. One that still runs, or waits, is not begun a second time. */
export async function replicateDue(db: Db, now = new Date()): Promise<void> {
  await startDueReplication(
    db,
    async (tx, { id: ruleId, organizationId }) => {
      if (await openReplicationRun(tx, ruleId)) return
      await createReplicationRuns(tx, [{ id: newId('replicationRun'), organizationId, ruleId, trigger: 'schedule', actorLabel: 'Slipway' }])
    },
    now,
  )
}
