/**
 * Failed logins, counted in memory in windows that start with the first failure. Three counts, so that neither one guesser
 * nor a crowd gets far, and a stranger cannot lock a person out from the person's own address with a handful of tries.
 */
const WINDOW_MS = 15 * 60_000
const LIMITS = { pair: 10, address: 50, account: 100 } as const
/** Windows kept; beyond it the oldest go. */
const MAX_WINDOWS = 50_000

interface Window {
  failures: number
  endsAt: number
}

export class LoginLimiter {
  readonly #windows = new Map<string, Window>()

  /** Seconds to wait before the next try counts, or 0. */
  retryAfter(account: string, address: string, now = Date.now()): number {
    let wait = 0
    for (const [key, limit] of this.#keys(account, address)) {
      const window = this.#windows.get(key)
      if (window && window.endsAt > now && window.failures >= limit) wait = Math.max(wait, window.endsAt - now)
    }
    return Math.ceil(wait / 1000)
  }

  failed(account: string, address: string, now = Date.now()): void {
    for (const [key] of this.#keys(account, address)) {
      const window = this.#windows.get(key)
      if (window && window.endsAt > now) {
        window.failures++
        continue
      }
      // Delete first: a Map keeps the place of an old key, and the oldest are the first to go.
      this.#windows.delete(key)
      this.#windows.set(key, { failures: 1, endsAt: now + WINDOW_MS })
    }
    while (this.#windows.size > MAX_WINDOWS) {
      const oldest = this.#windows.keys().next().value
      if (oldest === undefined) break
      this.#windows.delete(oldest)
    }
  }

  succeeded(account: string, address: string): void {
    this.#windows.delete(`p ${account} ${address}`)
  }

  #keys(account: string, address: string): [string, number][] {
    return [
      [`p ${account} ${address}`, LIMITS.pair],
      [`i ${address}`, LIMITS.address],
      [`a ${account}`, LIMITS.account],
    ]
  }
}
