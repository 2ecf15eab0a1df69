/** Runs that nobody starts by hand: of a push, of the time. Their rows are made in the transaction of what they come from. */
import { newId, replicatesRepository, replicatesTag } from '@slipway/core'
import {
  createReplicationRuns,
  type Db,
  type EventRow,
  type NewReplicationRun,
  openReplicationRun,
  rulesOnPush,
  startDueReplication,
  type Tx,
  tagsAbout,
  waitingReplicationRun,
} from '@slipway/db'
import * as z from 'zod'

const pushData = z.object({ tags: z.array(z.string()) })
const attachData = z.object({ subjects: z.array(z.string()) })

/**
 * One run per rule that the push concerns; handed on twice, the event makes no second one. What is attached to an image comes after it
 * (cosign signs what is pushed): its tags are copied again then, of which only that moves. Their ids.
 */
export async function replicatePush(tx: Tx, event: EventRow): Promise<string[]> {
  const { repository, organizationId } = event
  if (repository === null || (event.kind !== 'push' && event.kind !== 'attach')) return []
  const rules = (await rulesOnPush(tx, organizationId)).filter((rule) => replicatesRepository(rule, repository))
  if (rules.length === 0) return []
  const about =
    event.kind === 'push'
      ? pushData.parse(event.data).tags
      : await tagsAbout(tx, organizationId, repository, attachData.parse(event.data).subjects)
  const runs: NewReplicationRun[] = []
  for (const rule of rules) {
    const tags = about.filter((tag) => replicatesTag(rule, tag))
    if (tags.length === 0) continue
    if (event.kind === 'attach' && (await waitingReplicationRun(tx, rule.id, repository, tags))) continue
    const from = { trigger: 'push', actorLabel: event.actorLabel, dedupeKey: `${rule.id}:${event.id}` }
    runs.push({ id: newId('replicationRun'), organizationId, ruleId: rule.id, repository, tags, ...from })
  }
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
