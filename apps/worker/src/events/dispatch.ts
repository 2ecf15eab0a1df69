/**
 * Takes: the outbox, which every change writes into with its own transaction.
 * Gives: deployments of apps that follow a tag; deliveries to webhooks and runs of replication, as rows of the transaction that
 * takes the event out. Killed in between, the event comes again and finds what it made already.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { isAppError } from '@slipway/core'
import { EventFailed, type EventRow, postponeEvent, takeEvent } from '@slipway/db'
import { enqueue } from '@slipway/jobs'
import { replicatePush } from '@slipway/services'
import * as z from 'zod'
import type { Deps } from '../deps'

/** The registry has no Redis: a push is seen this late at most. */
const PERIOD_MS = 500

const pushData = z.object({ tags: z.array(z.string()) })

export async function dispatchForever(deps: Deps): Promise<void> {
  while (!deps.stopping.aborted) {
    const found = await dispatchOne(deps)
    if (!found) await sleep(PERIOD_MS, undefined, { signal: deps.stopping }).catch(() => undefined)
  }
}

/** The oldest event that is due. False: there was none, or Postgres is away. */
export async function dispatchOne(deps: Deps): Promise<boolean> {
  try {
    let deliveries: string[] = []
    let runs: string[] = []
    const found = await takeEvent(deps.db, async (tx, event) => {
      await followTags(deps, event)
      deliveries = await deps.outgoing.handOn(tx, event)
      runs = await replicatePush(tx, event)
    })
    for (const deliveryId of deliveries) await enqueue(deps.queues, 'deliver', { deliveryId }, (error) => warnQueue(deps, error))
    for (const runId of runs) await enqueue(deps.queues, 'replicate', { runId }, (error) => warnQueue(deps, error))
    return found
  } catch (error) {
    if (!(error instanceof EventFailed)) {
      if (!deps.stopping.aborted) deps.log.warn({ err: error }, 'cannot read the outbox; trying again')
      return false
    }
    const { id, kind, organizationId } = error.event
    try {
      const dropped = await postponeEvent(deps.db, error.event)
      const what = dropped ? 'an event was given up: nobody hears of it' : 'an event waits for its next attempt'
      deps.log[dropped ? 'error' : 'warn']({ err: error.cause, event: id, kind, organizationId }, what)
      return true
    } catch (later) {
      deps.log.warn({ err: later, event: id }, 'an event could not be postponed')
      return false
    }
  }
}

const warnQueue = ({ log }: Deps, error: unknown) => log.warn({ err: error }, 'could not enqueue; the next sweep tries again')

async function followTags({ deployments, log }: Deps, event: EventRow): Promise<void> {
  if (event.kind !== 'push' || event.repository === null) return
  const { tags } = pushData.parse(event.data)
  try {
    const moved = { organizationId: event.organizationId, repository: event.repository, tags, by: event.actorLabel }
    for (const made of await deployments.followTags(moved))
      log.info({ ...made, event: event.id }, 'a push deploys an app that follows its tag')
  } catch (error) {
    // An app that was deleted or an image that is gone meanwhile keeps nobody else from hearing of the push.
    if (!isAppError(error) || error.kind === 'internal' || error.kind === 'unavailable') throw error
    log.warn({ err: error, event: event.id }, 'an app does not follow its tag')
  }
}
