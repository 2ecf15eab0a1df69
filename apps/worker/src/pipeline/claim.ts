import { channels } from '@slipway/contracts'
import { AppError } from '@slipway/core'
import type { Deps } from '../deps'

/** Abort reason of work that a person canceled. */
export const CANCELED = Symbol('canceled')

const HEARTBEAT_MS = 3000

export interface Watch {
  signal: AbortSignal
  /** The worker was asked to stop, so the work is to be handed back rather than failed. */
  isStopping(): boolean
  end(): void
}

/**
 * While work is claimed: beats in Postgres, so that the sweep knows it is alive, and aborts `signal` when a person cancels
 * (at once by the cancel channel, else at the next beat), when the deadline passes, or when the worker is stopped.
 */
export function keepAlive(deps: Deps, id: string, beat: () => Promise<{ goOn: boolean }>, deadline: AbortSignal): Watch {
  const canceled = new AbortController()
  const timer = setInterval(() => {
    beat().then(
      ({ goOn }) => goOn || canceled.abort(CANCELED),
      (error) => deps.log.warn({ err: error, id }, 'could not beat; trying again'),
    )
  }, HEARTBEAT_MS)
  const unsubscribe = deps.signals.subscribe(channels.cancel, (payload) => {
    if (payload === id) canceled.abort(CANCELED)
  })
  return {
    signal: AbortSignal.any([canceled.signal, deadline, deps.stopping]),
    isStopping: () => deps.stopping.aborted && !canceled.signal.aborted,
    end() {
      clearInterval(timer)
      unsubscribe()
    },
  }
}

/** A passed deadline in words; anything else as it is. */
export const deadlineOf = (cause: unknown, code: string, message: string): unknown =>
  cause instanceof DOMException && cause.name === 'TimeoutError' ? new AppError({ kind: 'bad-input', code, message, cause }) : cause
