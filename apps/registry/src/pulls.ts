import { type Db, type PullCount, recordPulls } from '@slipway/db'
import type { Logger } from 'pino'

const FLUSH_MS = 5000

/**
 * Counts pulls apart from the requests: one UPDATE every five seconds. A pull of a multi-platform image asks for two
 * manifests, so the same caller at the same repository counts once per window. A crash loses one window at most.
 */
export class PullCounter {
  readonly #callers = new Map<string, Set<string>>()
  #timer: NodeJS.Timeout | undefined

  constructor(
    readonly db: Db,
    readonly log: Logger,
  ) {}

  start(): void {
    this.#timer = setInterval(() => void this.flush(), FLUSH_MS)
    this.#timer.unref()
  }

  count(repositoryId: string, caller: string): void {
    const callers = this.#callers.get(repositoryId)
    if (callers) callers.add(caller)
    else this.#callers.set(repositoryId, new Set([caller]))
  }

  async flush(): Promise<void> {
    if (this.#callers.size === 0) return
    const at = new Date()
    const pulls: PullCount[] = [...this.#callers].map(([repositoryId, callers]) => ({ repositoryId, count: callers.size, at }))
    this.#callers.clear()
    try {
      await recordPulls(this.db, pulls)
    } catch (error) {
      // A number that is a little low is better than pulls that wait for it.
      this.log.warn({ err: error, repositories: pulls.length }, 'pull counts were not written')
    }
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.flush()
  }
}
