import { OVER } from '@slipway/contracts'
import { AppError } from '@slipway/core'
import { organizationFingerprint } from '@slipway/db'
import type { Deps } from '../deps'
import type { ChangesService } from '../services'

/** A lost signal costs this long. */
const POLL_MS = 2000
/** A burst of signals (a build's log) is read at most this often. */
const QUIET_MS = 80

export const createChanges = ({ db, signals, stopping }: Pick<Deps, 'db' | 'signals' | 'stopping'>): ChangesService => ({
  fingerprint: (scope) => organizationFingerprint(db, scope.organizationId),

  async *ticks(channel, signal) {
    // Subscribed for the whole time, not per wait: what happens while the reader reads must not be missed.
    let changed = true
    let wake: () => void = () => undefined
    // Ends the quiet time, too; of the signals since the last tick.
    let over = new AbortController()
    const unsubscribe = signals.subscribe(channel, (payload) => {
      changed = true
      if (payload === OVER) over.abort()
      wake()
    })
    const onAbort = () => wake()
    signal?.addEventListener('abort', onAbort)
    stopping?.addEventListener('abort', onAbort)
    try {
      while (!signal?.aborted) {
        if (stopping?.aborted) throw restarting()
        const signaled = changed
        changed = false
        over = new AbortController()
        yield signaled
        await sleep(QUIET_MS, signal ? AbortSignal.any([signal, over.signal]) : over.signal)
        if (changed || signal?.aborted || stopping?.aborted) continue
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, POLL_MS - QUIET_MS)
          wake = () => {
            clearTimeout(timer)
            resolve()
          }
        })
        wake = () => undefined
      }
    } finally {
      signal?.removeEventListener('abort', onAbort)
      stopping?.removeEventListener('abort', onAbort)
      unsubscribe()
    }
  },
})

/** Ends a stream in the one way after which clients connect again. */
export const restarting = () =>
  new AppError({ kind: 'unavailable', code: 'RESTARTING', message: 'Slipway restarts. This page goes on by itself when it is back.' })

export function sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve()
    const done = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal?.addEventListener('abort', done)
  })
}
