import type { views } from '@slipway/contracts'
import { isAppError } from '@slipway/core'
import { containersOfApp } from '@slipway/db'
import { restarting, sleep } from '../changes/changes'
import type { Deps } from '../deps'
import type { AppsService } from '../services'
import { loadApp } from './load'

/** Lines that may wait for the reader; a container that writes faster is read slower, so memory stays bounded. */
const MAX_WAITING = 2000
const BATCH_MS = 100
/** How soon a container of a new deployment is followed too. */
const LOOK_MS = 1500

/** Follows every running container of the app, those of later deployments too, until `signal`. */
export const logsMethod = (deps: Deps): AppsService['logs'] =>
  async function* (scope, input, signal) {
    const app = await loadApp(deps.db, scope, input.app)
    const waiting: views.LogLineView[] = []
    const followed = new Set<string>()
    /** The last line had of each container: one that is followed again goes on after it. */
    const lastAt = new Map<string, Date>()
    const stop = new AbortController()
    const end = () => stop.abort()
    signal.addEventListener('abort', end)

    async function follow(engineId: string, name: string, first: boolean): Promise<void> {
      const since = lastAt.get(engineId) ?? input.since
      // A container that comes later is shown from its first line on; one that ran already from `tail` lines back.
      const options = { tail: first ? input.tail : 1000, follow: true, signal: stop.signal, ...(since && { since }) }
      try {
        for await (const { at, stream, text } of deps.agent.logs(engineId, options)) {
          // `since` of the engine is inclusive; a resumed stream must not show its last line twice.
          if (since && at <= since) continue
          while (waiting.length >= MAX_WAITING && !stop.signal.aborted) await sleep(BATCH_MS, stop.signal)
          waiting.push({ at, stream, text, container: name })
          lastAt.set(engineId, at)
        }
      } catch (error) {
        // Gone, or the agent restarts: both end by themselves. What else went wrong is worth a line.
        if (!(isAppError(error) && (error.kind === 'unavailable' || error.kind === 'not-found')))
          deps.log.warn({ err: error, container: engineId }, 'a container log could not be followed')
      } finally {
        // A container that still runs is looked for again below.
        followed.delete(engineId)
      }
    }

    try {
      let first = true
      for (let lookAt = 0; !signal.aborted; ) {
        if (deps.stopping?.aborted) throw restarting()
        if (Date.now() >= lookAt) {
          lookAt = Date.now() + LOOK_MS
          const containers = await containersOfApp(deps.db, scope.organizationId, app.id)
          for (const { engineId, name, state } of containers) {
            if (followed.has(engineId) || (state !== 'running' && !(first && containers.length === 1))) continue
            followed.add(engineId)
            void follow(engineId, name, first)
          }
          first = false
        }
        if (waiting.length > 0) yield waiting.splice(0).sort((a, b) => a.at.getTime() - b.at.getTime())
        await sleep(BATCH_MS, signal)
      }
    } finally {
      signal.removeEventListener('abort', end)
      stop.abort()
    }
  }
