/** Hits, misses and the state of upstreams, written apart from the requests, and the cache kept within its limit. */
import { cachedBytes, type Db, evictCached, recordUpstreamUse, type UpstreamUse } from '@slipway/db'
import type { Logger } from 'pino'

const FLUSH_MS = 5000
/** Down to this part of the limit, so that not every blob that comes makes another go. */
const KEPT_PART = 0.9

interface Noted extends UpstreamUse {
  host: string
  limitBytes: number
  grew: boolean
}

type Which = { id: string; host: string; limitBytes: number }

export class UpstreamUsage {
  #noted = new Map<string, Noted>()
  #timer: NodeJS.Timeout | undefined
  #flushing: Promise<void> = Promise.resolve()

  constructor(
    readonly db: Db,
    readonly log: Logger,
  ) {}

  start(): void {
    this.#timer = setInterval(() => void this.flush(), FLUSH_MS)
    this.#timer.unref()
  }

  of({ id, host, limitBytes }: Which): Noted {
    const known = this.#noted.get(id)
    if (known) return known
    const noted = { host, limitBytes, hits: 0, misses: 0, fetchedBytes: 0, contactAt: null, grew: false }
    this.#noted.set(id, noted)
    return noted
  }

  /** One after the other; a failure loses numbers, never a pull. */
  flush(): Promise<void> {
    const noted = this.#noted
    this.#noted = new Map()
    this.#flushing = this.#flushing.then(() => this.#write(noted))
    return this.#flushing
  }

  async #write(noted: Map<string, Noted>): Promise<void> {
    for (const [id, use] of noted) {
      try {
        await recordUpstreamUse(this.db, id, use)
        if (use.grew) await this.#evict(use)
      } catch (error) {
        this.log.warn({ err: error, upstream: use.host }, 'the use of an upstream was not written')
      }
    }
  }

  async #evict({ host, limitBytes }: Noted): Promise<void> {
    const bytes = await cachedBytes(this.db, host)
    if (bytes <= limitBytes) return
    const links = await evictCached(this.db, host, Math.floor(limitBytes * KEPT_PART))
    this.log.info({ upstream: host, bytes, limitBytes, links }, 'let go of what nobody pulled for longest')
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.flush()
  }
}
