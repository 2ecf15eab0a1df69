/**
 * Counts that take long on much data are kept for a moment. What was counted within 50 ms (or `quickMs`) is counted again for each who asks; what took
 * longer is given as it was at most a few minutes ago, and counted anew behind the answer. Each answer says when it was counted.
 */
const QUICK_MS = 50
const FRESH_MS = 15_000
const STALE_MS = 5 * 60_000
const MAX_KEPT = 200

interface Kept<T> {
  value: T
  asOf: Date
  tookMs: number
}

export class Counted<T> {
  readonly #kept = new Map<string, Kept<T>>()
  readonly #running = new Map<string, Promise<Kept<T>>>()

  constructor(
    readonly count: (key: string) => Promise<T>,
    readonly quickMs = QUICK_MS,
  ) {}

  async get(key: string): Promise<{ value: T; asOf: Date }> {
    const kept = this.#kept.get(key)
    const age = kept ? Date.now() - kept.asOf.getTime() : Number.POSITIVE_INFINITY
    if (!kept || kept.tookMs <= this.quickMs || age > STALE_MS) return this.#count(key)
    // Whoever waits gets the error; here nobody does, and the next one counts again.
    if (age > FRESH_MS) this.#count(key).catch(() => undefined)
    return kept
  }

  #count(key: string): Promise<Kept<T>> {
    const running = this.#running.get(key)
    if (running) return running
    const asOf = new Date()
    const counting = this.count(key)
      .then((value) => {
        const kept = { value, asOf, tookMs: Date.now() - asOf.getTime() }
        this.#kept.delete(key)
        this.#kept.set(key, kept)
        const oldest = this.#kept.keys().next().value
        if (this.#kept.size > MAX_KEPT && oldest !== undefined) this.#kept.delete(oldest)
        return kept
      })
      .finally(() => this.#running.delete(key))
    this.#running.set(key, counting)
    return counting
  }
}
