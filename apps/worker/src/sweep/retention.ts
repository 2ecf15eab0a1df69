import { tellQuotas } from '@slipway/db'
import { runOpenRetention } from '@slipway/services'
import type { Deps } from '../deps'

/**
 * Retention beside the sweep: a thousand repositories take longer than the others may wait. One at a time; it stops with the worker
 * after the repository that it is at.
 */
export function createRetentionSweep(deps: Pick<Deps, 'db' | 'signals' | 'log' | 'stopping'>) {
  let running: Promise<void> | undefined
  return {
    sweep(): void {
      running ??= runOpenRetention(deps, deps.stopping)
        .catch((error: unknown) => deps.log.warn({ err: error }, 'retention could not look for work; trying again'))
        .finally(() => {
          running = undefined
        })
    },
    /** Organizations near or at their limit are told of. */
    tell: () => tellQuotas(deps.db),
    async end(): Promise<void> {
      await running
    },
  }
}
