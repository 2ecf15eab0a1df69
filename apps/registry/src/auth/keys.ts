import { stat } from 'node:fs/promises'
import path from 'node:path'
import {
  publicHalf,
  readSigningKeys,
  retiredKeys,
  rotateSigningKey,
  type SigningKeys,
  thumbprint,
  type VerifyingKey,
} from '@slipway/oci/node'
import type { Logger } from 'pino'

/** The keys of this installation's tokens, as they are now. */
export interface TokenKeys {
  /** PKCS8 text, for signing. */
  readonly pem: string
  readonly verifying: readonly VerifyingKey[]
  /** Reads again; true when another key is there than before. */
  refresh(): Promise<boolean>
  /** True: the key that signs was older than `days`, and another one signs now. */
  rotateAfter(days: number): Promise<boolean>
}

/** From the folder of secrets. No key, no service: a fallback would sign for strangers. */
export async function loadTokenKeys(file: string): Promise<TokenKeys> {
  const folder = path.dirname(file)
  let keys: SigningKeys
  try {
    keys = await readSigningKeys(folder)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === undefined) throw cause
    const message = `The registry's signing key ${file} cannot be read. Start Slipway with "npm start", which makes it, or set SLIPWAY_SECRETS to the folder that holds it.`
    throw new Error(message, { cause })
  }
  // Who shows bad tokens must not make us read files each time. A retired half that somebody removes is seen by its folder.
  const seenAs = async () => {
    const parts = await Promise.all([stat(file), stat(retiredKeys(folder)).catch(() => null)])
    return parts.map((part) => part && `${part.ino} ${part.mtimeMs}`).join()
  }
  let seen = await seenAs()
  return {
    get pem() {
      return keys.pem
    },
    get verifying() {
      return keys.verifying
    },
    async refresh() {
      const now = await seenAs()
      if (now === seen) return false
      const before = keys.verifying
      keys = await readSigningKeys(folder)
      seen = now
      return keys.verifying.some(({ kid }) => !before.some((key) => key.kid === kid))
    },
    async rotateAfter(days) {
      const since = keys.verifying[0]?.at.getTime() ?? Date.now()
      if (Date.now() - since < days * 24 * 3_600_000) return false
      keys = await rotateSigningKey(folder)
      return true
    },
  }
}

/** One key that stays, for tests. */
export function tokenKeysOf(pem: string): TokenKeys {
  const key = publicHalf(pem)
  const verifying = [{ kid: thumbprint(key), key, at: new Date(), until: null }]
  return { pem, verifying, refresh: async () => false, rotateAfter: async () => false }
}

/** As RFC 7517 has it; public halves only. */
export const keySet = ({ verifying }: TokenKeys) => ({
  keys: verifying.map(({ kid, key }) => ({ ...key.export({ format: 'jwk' }), kid, alg: 'EdDSA', use: 'sig' })),
})

const REFRESH_MS = 30_000

/** Takes up keys that others made, and makes one when the last is old. */
export function watchKeys(keys: TokenKeys, days: number, log: Logger): () => void {
  const turn = async () => {
    try {
      await keys.refresh()
      if (await keys.rotateAfter(days)) log.info({ kid: keys.verifying[0]?.kid }, 'another key signs the tokens now')
    } catch (error) {
      // The keys that are loaded go on; whoever reads the log can mend the folder.
      log.warn({ err: error }, 'the signing keys could not be read or changed')
    }
  }
  void turn()
  const timer = setInterval(() => void turn(), REFRESH_MS)
  timer.unref()
  return () => clearInterval(timer)
}
