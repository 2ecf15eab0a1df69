/**
 * Takes: the id of a run of replication.
 * Gives: each tag that its rule names, whole, on the other side; a row per tag that says what became of it.
 *
 * What is to be copied is written down once. A run whose worker was lost, or that waits for a registry that was away, goes on with what
 * is left; blobs that arrived are asked for and not moved again. Canceled, it ends within seconds: the connections are cut off.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { channels } from '@slipway/contracts'
import { AppError, isAppError, toAppError } from '@slipway/core'
import {
  beatReplicationRun,
  claimReplicationRun,
  finishReplicationRun,
  nextReplicationItem,
  noteReplicationItem,
  planReplicationRun,
  postponeReplicationRun,
  type ReplicationItemRow,
  releaseReplicationRun,
  replicationSums,
} from '@slipway/db'
import { copyImage, isPassing } from '@slipway/oci/copy'
import type { Deps } from '../deps'
import { ItemNotes } from './item-notes'
import { NO_TAGS, planRun } from './plan'
import { openSides, type Sides } from './sides'

export type ReplicationDeps = Pick<Deps, 'db' | 'sealer' | 'signals' | 'log' | 'stopping'> & {
  env: Pick<Deps['env'], 'SLIPWAY_REGISTRY_URL' | 'registryKey'>
}

const BEAT_MS = 2000
/** Without a beat for so long its worker is lost. */
export const REPLICATION_STALE_MS = 15_000
const MAX_LOST = 5
const MINUTE = 60_000
/** Before the second, third … attempt at what failed for a reason that may pass. */
const PAUSES = [MINUTE, 5 * MINUTE, 15 * MINUTE, 60 * MINUTE]
/** From the first beginning, pauses included. */
const DEADLINE_MS = 6 * 60 * MINUTE
/** So many in a row that fail so, and the registry is taken for ill. */
const MAX_IN_A_ROW = 3

type Claimed = NonNullable<Awaited<ReturnType<typeof claimReplicationRun>>>
class Canceled extends Error {}
class Late extends Error {}

export async function runReplication(deps: ReplicationDeps, runId: string, deadline: AbortSignal): Promise<void> {
  const run = await claimReplicationRun(deps.db, runId, new Date(Date.now() - REPLICATION_STALE_MS))
  if (!run) return
  const told = () => deps.signals.publish(channels.organization(run.organizationId))
  const finish = async (state: 'succeeded' | 'failed' | 'canceled', error: string | null) => {
    await finishReplicationRun(deps.db, run.id, { state, error })
    deps.log.info({ run: run.id, rule: run.ruleId, state, error }, 'replication is over')
    told()
  }
  if (run.cancelRequestedAt) return finish('canceled', null)
  if (run.lost > MAX_LOST)
    return finish('failed', `The worker ended ${MAX_LOST} times while it was at this. Look at its log, then run it again.`)
  told()

  const over = new AbortController()
  const left = DEADLINE_MS - (Date.now() - run.startedAt.getTime())
  const timer = setTimeout(() => over.abort(new Late()), Math.max(1, left))
  const signal = AbortSignal.any([over.signal, deadline, deps.stopping])
  const beating = beat(deps, run.id, over)
  let sides: Sides | undefined
  try {
    // With a password that no key opens any more it is over before it began.
    sides = openSides(deps, run.rule, signal)
    const failure = await attempt(deps, run, sides, signal)
    if (failure === undefined) return await conclude(deps, run, finish)
    const pause = PAUSES[run.attempt]
    if (pause === undefined) return await finish('failed', failure)
    await postponeReplicationRun(deps.db, run.id, { error: failure, notBefore: new Date(Date.now() + pause) })
    deps.log.warn({ run: run.id, failure, pause }, 'replication waits for its next attempt')
    told()
  } catch (error) {
    if (over.signal.reason instanceof Canceled) return await finish('canceled', null)
    if (over.signal.reason instanceof Late)
      return await finish('failed', 'It was not done within six hours. Run it again: it goes on with what is missing.')
    // The next worker, or this one again, goes on.
    if (signal.aborted) return void (await releaseReplicationRun(deps.db, run.id))
    if (!isAppError(error)) deps.log.error({ err: error, run: run.id }, 'replication failed')
    await finish('failed', toAppError(error).message)
  } finally {
    clearTimeout(timer)
    over.abort(new Error('the run is over'))
    await beating
    sides?.close()
  }
}

/** Says that the run is alive, and hears that it shall end. */
async function beat({ db, log }: ReplicationDeps, runId: string, over: AbortController): Promise<void> {
  while (!over.signal.aborted) {
    try {
      await sleep(BEAT_MS, undefined, { signal: over.signal })
      // Undefined: with its rule the run was deleted.
      if ((await beatReplicationRun(db, runId)) !== false) over.abort(new Canceled())
    } catch (error) {
      if (!over.signal.aborted) log.warn({ err: error, run: runId }, 'a run of replication could not say that it is alive')
    }
  }
}

/** All that is left, one tag after the other. Gives why it must be tried again later, if it must. */
async function attempt(deps: ReplicationDeps, run: Claimed, sides: Sides, signal: AbortSignal): Promise<string | undefined> {
  if (!run.planned) {
    try {
      await planReplicationRun(deps.db, run.id, await planRun(deps, run, sides, signal))
    } catch (error) {
      if (signal.aborted || !isPassing(error)) throw error
      return toAppError(error).message
    }
  }
  let passing: string | undefined
  let inARow = 0
  for (let position = -1; ; ) {
    signal.throwIfAborted()
    const item = await nextReplicationItem(deps.db, run.id, position)
    if (!item) return passing
    position = item.position
    const failure = await copyItem(deps, run, item, sides, signal)
    inARow = failure === undefined ? 0 : inARow + 1
    passing = failure ?? passing
    if (inARow >= MAX_IN_A_ROW) return passing
  }
}

/** Why it failed, when that may pass: the item waits for the next attempt then. */
async function copyItem(
  deps: ReplicationDeps,
  run: Claimed,
  item: ReplicationItemRow,
  sides: Sides,
  signal: AbortSignal,
): Promise<string | undefined> {
  const notes = new ItemNotes(deps, run.organizationId, item)
  const target = sides.target(item.target)
  try {
    if (item.tag === NO_TAGS) throw noRepository(item.source)
    await noteReplicationItem(deps.db, item, { state: 'running', error: null })
    const result = await copyImage(
      sides.source(item.source),
      target,
      { reference: item.tag, tag: item.tag },
      {
        signal,
        mountFrom: sides.holderOf(item.target),
        onProgress: (progress) => notes.note(progress),
        onBlob: (digest) => sides.remember(digest, item.target),
      },
    )
    await notes.end({ state: 'succeeded', digest: result.digest, error: null })
    return undefined
  } catch (error) {
    signal.throwIfAborted()
    if (endsRun(error)) throw error
    const { message } = toAppError(error)
    if (!isAppError(error)) deps.log.error({ err: error, run: run.id, item }, 'an image could not be copied')
    await notes.end({ state: isPassing(error) ? 'queued' : 'failed', error: message })
    return isPassing(error) ? message : undefined
  } finally {
    notes.stop()
  }
}

const noRepository = (name: string) =>
  new AppError({
    kind: 'not-found',
    code: 'REPLICATION_REPOSITORY_UNKNOWN',
    message: `The other registry has no repository ${name}, or shows it to others only. Correct the name in the rule, or its login.`,
  })

/** What would be the same with every other tag. */
const endsRun = (error: unknown) =>
  isAppError(error) && (['OUTBOUND_INSIDE', 'OUTBOUND_REDIRECT'].includes(error.code) || error.details.login === true)

async function conclude(
  deps: ReplicationDeps,
  run: Claimed,
  finish: (state: 'succeeded' | 'failed', error: string | null) => Promise<void>,
): Promise<void> {
  const { items } = (await replicationSums(deps.db, [run.id]))(run.id)
  const all = Object.values(items).reduce((sum, count) => sum + count, 0)
  if (items.failed === 0) return finish('succeeded', null)
  await finish('failed', `${items.failed} of ${all} ${all === 1 ? 'tag was' : 'tags were'} not copied. What is wrong stands beside each.`)
}
