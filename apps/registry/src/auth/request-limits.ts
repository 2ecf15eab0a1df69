/**
 * How often an account, and an address, may ask: for tokens, for manifests (what a pull is), and to upload. Counted in this
 * process's memory, in windows that begin with the first request: several registries count apart, and a restart forgets.
 *
 * Headers as Docker Hub sends them and draft-ietf-httpapi-ratelimit-headers-02 has them: `RateLimit-Limit: 100;w=21600`.
 */
import type { ServerResponse } from 'node:http'
import { RegistryError } from '../errors'

export interface Limit {
  count: number
  seconds: number
}

/** What is absent has no limit. */
export interface RequestLimits {
  tokens?: Limit
  manifests?: Limit
  uploads?: Limit
}

/** Many people may be behind one address; nobody in particular is one at each. */
const PEOPLE_PER_ADDRESS = 5
/** Windows kept; beyond it the oldest go. */
const MAX_WINDOWS = 50_000

interface Window {
  used: number
  endsAt: number
}

const WHAT = { tokens: 'logins', manifests: 'pulls', uploads: 'uploads' } as const

export class RequestLimiter {
  readonly #windows = new Map<string, Window>()
  readonly #kind: keyof typeof WHAT
  readonly #limit: Limit | undefined

  constructor(kind: keyof typeof WHAT, limit: Limit | undefined) {
    this.#kind = kind
    this.#limit = limit
  }

  /** Counts one request of `account` (empty: nobody in particular) and says in the headers what is left. Throws 429. */
  take(account: string, address: string, response: ServerResponse): void {
    const anonymous = account === ''
    this.takeAddress(address, anonymous, response)
    if (!anonymous) this.takeAccount(account, response)
  }

  takeAddress(address: string, anonymous: boolean, response: ServerResponse): void {
    if (!this.#limit) return
    const { count } = this.#limit
    if (anonymous) this.#take(`n ${address}`, count, this.#limit, response)
    else this.#take(`i ${address}`, count * PEOPLE_PER_ADDRESS, this.#limit, response)
  }

  takeAccount(account: string, response: ServerResponse): void {
    if (this.#limit) this.#take(`a ${account}`, this.#limit.count, this.#limit, response)
  }

  #take(key: string, count: number, { seconds }: Limit, response: ServerResponse): void {
    const now = Date.now()
    let window = this.#windows.get(key)
    if (window === undefined || window.endsAt <= now) {
      // Delete first: a Map keeps the place of an old key, and the oldest are the first to go.
      this.#windows.delete(key)
      window = { used: 0, endsAt: now + seconds * 1000 }
      this.#windows.set(key, window)
      if (this.#windows.size > MAX_WINDOWS) this.#forget()
    }
    window.used++
    const left = Math.max(0, count - window.used)
    const reset = Math.ceil((window.endsAt - now) / 1000)
    response.setHeader('ratelimit-limit', `${count};w=${seconds}`)
    response.setHeader('ratelimit-remaining', `${left};w=${seconds}`)
    response.setHeader('ratelimit-reset', String(reset))
    if (window.used <= count) return
    const message = `Too many ${WHAT[this.#kind]}: ${count} in ${seconds} seconds are allowed. Try again in ${reset} seconds.`
    throw new RegistryError('TOOMANYREQUESTS', message, { headers: { 'retry-after': String(reset) } })
  }

  #forget(): void {
    const oldest = this.#windows.keys().next().value
    if (oldest !== undefined) this.#windows.delete(oldest)
  }
}

export interface Limiters {
  tokens: RequestLimiter
  manifests: RequestLimiter
  uploads: RequestLimiter
}

export const makeLimiters = (limits: RequestLimits = {}): Limiters => ({
  tokens: new RequestLimiter('tokens', limits.tokens),
  manifests: new RequestLimiter('manifests', limits.manifests),
  uploads: new RequestLimiter('uploads', limits.uploads),
})
