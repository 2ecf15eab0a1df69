/** Tries again what may go better the next time: no answer, an answer 5xx, a limit of requests, bytes damaged on the way. */
import { setTimeout as sleep } from 'node:timers/promises'
import { isAppError } from '@slipway/core'

export const DEFAULT_PAUSES = [500, 2000, 6000] as const
/** Of a Retry-After: longer waits are for whoever plans the whole work. */
const MAX_TOLD_MS = 60_000
const DAMAGED = new Set(['DIGEST_MISMATCH', 'SIZE_MISMATCH'])

export const isPassing = (error: unknown): boolean =>
  isAppError(error) && (error.kind === 'unavailable' || error.kind === 'rate-limited' || DAMAGED.has(error.code))

export async function retried<T>(
  work: () => Promise<T>,
  { signal, pauses = DEFAULT_PAUSES }: { signal: AbortSignal; pauses?: readonly number[] },
): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      signal.throwIfAborted()
      return await work()
    } catch (error) {
      signal.throwIfAborted()
      const pause = pauses[attempt]
      if (pause === undefined || !isPassing(error)) throw error
      const told = isAppError(error) ? Number(error.details.retryAfterMs ?? 0) : 0
      await sleep(Math.max(pause, Math.min(told, MAX_TOLD_MS)), undefined, { signal })
    }
  }
}
