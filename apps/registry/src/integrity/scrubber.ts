/**
 * The round over the store: each blob is read and hashed once in `everyMs`, the one that nobody looked at for longest first, at no more
 * than `bytesPerSecond`. One process makes it at a time, also when several serve one store.
 */
import { randomUUID } from 'node:crypto'
import { type Db, holdScrubLease, stalestBlobs } from '@slipway/db'
import type { Logger } from 'pino'
import type { Integrity } from './integrity'
import { Pace } from './pace'

const LOOK_MS = 60_000
const LEASE_MS = 5 * 60_000
const BATCH = 50

export interface ScrubberOptions {
  db: Db
  log: Logger
  integrity: Integrity
  /** 0: no rounds. */
  everyMs: number
  bytesPerSecond: number
}

export class Scrubber {
  readonly #options: ScrubberOptions
  readonly #holder = randomUUID()
  readonly #stop = new AbortController()
  #timer: NodeJS.Timeout | undefined
  #running: Promise<unknown> | undefined

  constructor(options: ScrubberOptions) {
    this.#options = options
  }

  start(): void {
    if (this.#options.everyMs <= 0) return
    const tick = () => {
      this.#running ??= this.round()
        .catch((error: unknown) => {
          if (!this.#stop.signal.aborted) this.#options.log.error({ err: error }, 'the round over the store failed; it goes on in a minute')
        })
        .finally(() => {
          this.#running = undefined
        })
    }
    this.#timer = setInterval(tick, LOOK_MS)
    this.#timer.unref()
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    this.#stop.abort()
    await this.#running
  }

  /** All that is due now. Resolves to how many blobs were looked at. */
  async round(now = Date.now()): Promise<number> {
    const { db, integrity, everyMs, bytesPerSecond } = this.#options
    const pace = new Pace(bytesPerSecond, this.#stop.signal)
    let seen = 0
    while (!this.#stop.signal.aborted && (await this.#hold())) {
      const due = await stalestBlobs(db, new Date(now - everyMs), BATCH)
      if (due.length === 0) return seen
      for (const { digest } of due) {
        if (this.#stop.signal.aborted) return seen
        // One large blob may take longer than the lease.
        const renew = setInterval(() => void this.#hold().catch(() => undefined), LEASE_MS / 3)
        try {
          await integrity.check(digest, 'scrub', pace)
        } finally {
          clearInterval(renew)
        }
        seen++
      }
    }
    return seen
  }

  #hold = () => holdScrubLease(this.#options.db, this.#holder, new Date(Date.now() + LEASE_MS))
}
