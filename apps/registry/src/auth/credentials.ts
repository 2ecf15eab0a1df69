/** Who is at the token endpoint: e-mail and password, or any name and one of the secrets of `logins.ts`. */
import { createHmac, randomBytes } from 'node:crypto'
import { type Db, findPasswordLogin } from '@slipway/db'
import { hashPassword, verifyPassword } from 'better-auth/crypto'
import { RegistryError } from '../errors'
import { isSecret, type Login, loginWithPassword, loginWithSecret, sha256 } from './logins'
import { LoginLimiter } from './rate-limit'

export interface Credentials {
  username: string
  password: string
}

const REMEMBER_MS = 5 * 60_000
const MAX_REMEMBERED = 1000
/** scrypt takes 32 MB and 60 ms each: more at once would let strangers take the machine's memory. */
const MAX_AT_ONCE = 4
const MAX_WAITING = 100
const MAX_LENGTH = 256

export class Authenticator {
  readonly #limiter = new LoginLimiter()
  /** HMAC of hash and password → until when. A push logs in for every repository; scrypt each time would be felt. */
  readonly #remembered = new Map<string, number>()
  readonly #memoryKey = randomBytes(32)
  /** Verified against when the account does not exist, so that time does not tell. Made when first needed: it takes 32 MB. */
  #dummyHash: Promise<string> | undefined
  #running = 0
  readonly #waiting: (() => void)[] = []

  constructor(readonly db: Db) {}

  /** Throws UNAUTHORIZED with one sentence for every reason, and 429 after too many failures. */
  async authenticate({ username, password }: Credentials, address: string): Promise<Login> {
    // A key is not guessed; wrong ones under a name that many use (`share`) must not lock the right ones out.
    const account = isSecret(password) ? sha256(password) : username.slice(0, MAX_LENGTH).toLowerCase()
    const wait = this.#limiter.retryAfter(account, address)
    if (wait > 0) {
      const message = `Too many failed logins. Wait ${Math.ceil(wait / 60)} minutes, then try again.`
      throw new RegistryError('TOOMANYREQUESTS', message, { headers: { 'retry-after': String(wait) } })
    }
    const login = await this.#find(account, password, address)
    if (!login) {
      this.#limiter.failed(account, address)
      throw new RegistryError('UNAUTHORIZED', 'Wrong e-mail or password, or the key, robot or link is not valid any more.')
    }
    this.#limiter.succeeded(account, address)
    return login
  }

  async #find(account: string, password: string, address: string): Promise<Login | undefined> {
    // Looked up by its SHA-256: nothing of a key is compared byte by byte with a secret.
    if (isSecret(password)) return loginWithSecret(this.db, password, address)
    const login = password.length <= MAX_LENGTH ? await findPasswordLogin(this.db, account) : null
    this.#dummyHash ??= hashPassword(randomBytes(16).toString('hex'))
    const good = await this.#verify(login?.passwordHash ?? (await this.#dummyHash), password)
    return login && good ? loginWithPassword(login.userId, login.passwordHash) : undefined
  }

  async #verify(hash: string, password: string): Promise<boolean> {
    const memory = createHmac('sha256', this.#memoryKey).update(`${hash}\0${password}`).digest('base64')
    if ((this.#remembered.get(memory) ?? 0) > Date.now()) return true
    const good = await this.#inTurn(() => verifyPassword({ hash, password: password.slice(0, MAX_LENGTH) }))
    if (!good) return false
    this.#remembered.delete(memory)
    this.#remembered.set(memory, Date.now() + REMEMBER_MS)
    const oldest = this.#remembered.keys().next().value
    if (this.#remembered.size > MAX_REMEMBERED && oldest !== undefined) this.#remembered.delete(oldest)
    return true
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= MAX_AT_ONCE) {
      if (this.#waiting.length >= MAX_WAITING) {
        throw new RegistryError('TOOMANYREQUESTS', 'Too many logins at once. Try again in a moment.', { headers: { 'retry-after': '2' } })
      }
      // The one who ends hands its place over, so #running stays.
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    } else this.#running++
    try {
      return await work()
    } finally {
      const next = this.#waiting.shift()
      if (next) next()
      else this.#running--
    }
  }
}
