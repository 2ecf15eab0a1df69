import { REGISTRY_SERVICE, type RegistryToken, registryToken } from '@slipway/contracts'
import { jwtVerify } from 'jose'
import type { TokenKeys } from './keys'

/** Verified tokens kept: a push shows the same one hundreds of times, and a signature costs more than a look-up. */
const MAX_KEPT = 2000
/** Tokens are under 1 kB; what is longer is not ours. */
const MAX_LENGTH = 8192

interface Verified {
  token: RegistryToken
  /** Of the key that signed it. */
  kid: string
}

const isGood = (until: Date | null, now: number) => until === null || until.getTime() > now

/** Checks bearer tokens against our own keys only; `kid`, `jwk` and `jku` of the token are never looked at. */
export class TokenVerifier {
  readonly #kept = new Map<string, Verified>()

  constructor(readonly keys: TokenKeys) {}

  /** Undefined for every token that is not good now; why is nobody's business. */
  async verify(token: string, now = Date.now()): Promise<RegistryToken | undefined> {
    const kept = this.#kept.get(token)
    if (kept) {
      // What a key says ends with the key, whatever end is written in it: a stolen one writes what it likes.
      if (kept.token.exp * 1000 > now && this.keys.verifying.some(({ kid, until }) => kid === kept.kid && isGood(until, now)))
        return kept.token
      this.#kept.delete(token)
      return undefined
    }
    if (token.length > MAX_LENGTH) return undefined
    const found = await this.#byAnyKey(token, now)
    // Signed with a key that is newer than what we have read, perhaps: no good token is refused because of that.
    const verified = found ?? ((await this.#newKeys()) ? await this.#byAnyKey(token, now) : undefined)
    if (verified) this.#keep(token, verified)
    return verified?.token
  }

  async #byAnyKey(token: string, now: number): Promise<Verified | undefined> {
    for (const { kid, key, until } of this.keys.verifying) {
      if (!isGood(until, now)) continue
      try {
        const { payload } = await jwtVerify(token, key, {
          algorithms: ['EdDSA'],
          issuer: 'slipway',
          audience: REGISTRY_SERVICE,
          requiredClaims: ['exp', 'iat', 'sub', 'jti'],
          currentDate: new Date(now),
        })
        return { token: registryToken.parse(payload), kid }
      } catch {
        // Forged, expired, for another service, or no token at all: to the client they are one.
      }
    }
    return undefined
  }

  async #newKeys(): Promise<boolean> {
    try {
      return await this.keys.refresh()
    } catch {
      // The folder cannot be read now: what is loaded is what there is, and `watchKeys` says so in the log.
      return false
    }
  }

  #keep(token: string, verified: Verified): void {
    this.#kept.set(token, verified)
    const oldest = this.#kept.keys().next().value
    if (this.#kept.size > MAX_KEPT && oldest !== undefined) this.#kept.delete(oldest)
  }
}

export type Action = 'pull' | 'push' | 'delete'

export const allows = (token: RegistryToken, name: string, action: Action): boolean =>
  token.access.some((a) => a.type === 'repository' && a.name === name && (a.actions.includes(action) || a.actions.includes('*')))

export const allowsCatalog = (token: RegistryToken): boolean =>
  token.access.some((a) => a.type === 'registry' && a.name === 'catalog' && a.actions.includes('*'))

export const isSystem = (token: RegistryToken): boolean => token.sub.startsWith('system:')
