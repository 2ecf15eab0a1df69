/**
 * One upstream as the network shows it: guarded, logged in, with deadlines, and left alone for a while when it is ill or asks for it.
 * Every answer says something about the other side, so this is also where its state is noted.
 */
import { isAppError, upstreamNamespace } from '@slipway/core'
import type { UpstreamRow } from '@slipway/db'
import { RegistryClient, type RegistryCredentials } from '@slipway/oci'
import { INSIDE_TOO, OUTSIDE_ONLY, Outbound } from '@slipway/outbound'
import { RegistryError } from '../errors'

export interface RemoteLimits {
  headMs: number
  idleMs: number
}

const DEFAULT_LIMITS: RemoteLimits = { headMs: 15_000, idleMs: 30_000 }
const FIRST_WAIT_MS = 2000
const MAX_WAIT_MS = 60_000
/** Of a Retry-After: an upstream that says more is asked again after this. */
const MAX_TOLD_WAIT_MS = 3_600_000
const DEFAULT_TOLD_WAIT_MS = 60_000

/** What the panel shows of it. */
export type Health = { at: Date; error: string | null }

export class Remote {
  readonly #outbound: Outbound
  readonly #client: RegistryClient
  #quietUntil = 0
  #failures = 0

  constructor(
    readonly row: UpstreamRow,
    credentials: RegistryCredentials | undefined,
    private readonly onHealth: (health: Health) => void,
    limits: RemoteLimits = DEFAULT_LIMITS,
  ) {
    this.#outbound = new Outbound({ inside: row.allowPrivate ? INSIDE_TOO : OUTSIDE_ONLY, ...limits })
    this.#client = new RegistryClient({
      baseUrl: row.url,
      fetch: this.#outbound.fetch,
      timeoutMs: limits.headMs + 1000,
      ...(credentials ? { credentials } : {}),
    })
  }

  get namespace(): string {
    return upstreamNamespace(this.row.host)
  }

  /**
   * An answer 2xx, 304, 401, 403 or 404. Throws `UNAVAILABLE` when it is away, ill or left alone just now, `TOOMANYREQUESTS` when it
   * wants fewer requests; both with Retry-After.
   */
  async ask(method: 'GET' | 'HEAD', repository: string, path: string, headers: Record<string, string> = {}): Promise<Response> {
    const wait = this.#quietUntil - Date.now()
    if (wait > 0) throw this.#away(wait, 'did not answer a moment ago')
    let response: Response
    try {
      response = await this.#client.ask(method, repository, path, headers)
    } catch (error) {
      if (isAppError(error) && error.code === 'REGISTRY_DENIED') {
        this.onHealth({ at: new Date(), error: error.message })
        return new Response(null, { status: 401 })
      }
      throw this.failed(error)
    }
    if (response.status === 429) {
      await response.body?.cancel()
      const told = Number(response.headers.get('retry-after')) * 1000 || DEFAULT_TOLD_WAIT_MS
      const wait = Math.min(Math.max(told, 1000), MAX_TOLD_WAIT_MS)
      this.#quietUntil = Date.now() + wait
      const message = `${this.row.host} allows no more requests for now. Give it credentials under Settings → Upstreams, or try again in ${seconds(wait)} s.`
      this.onHealth({ at: new Date(), error: message })
      throw new RegistryError('TOOMANYREQUESTS', message, { headers: { 'retry-after': String(seconds(wait)) } })
    }
    if (response.status >= 500 || (response.status >= 400 && ![401, 403, 404].includes(response.status))) {
      await response.body?.cancel()
      throw this.failed(new Error(`${method} ${path} was answered ${response.status}`), `answered with an error (${response.status})`)
    }
    this.#failures = 0
    this.onHealth({ at: new Date(), error: null })
    return response
  }

  /** Notes that it failed, and gives what the client is told. */
  failed(cause: unknown, what?: string): RegistryError {
    if (cause instanceof RegistryError) return cause
    const wait = Math.min(FIRST_WAIT_MS * 2 ** Math.min(this.#failures, 10), MAX_WAIT_MS)
    this.#failures++
    this.#quietUntil = Date.now() + wait
    const happened = what ?? reason(cause)
    this.onHealth({ at: new Date(), error: `${this.row.host} ${happened}.` })
    return this.#away(wait, happened, cause)
  }

  /** What it sent is not what it should be: its next answer may be, so it is not left alone for that. */
  corrupt(cause: unknown): RegistryError {
    const message = `What ${this.row.host} sent is not what its digest says. It was damaged there or on the way; nothing of it was kept. Try again.`
    this.onHealth({ at: new Date(), error: message })
    return new RegistryError('UNAVAILABLE', message, { status: 502, cause })
  }

  #away(wait: number, what: string, cause?: unknown): RegistryError {
    const message = `${this.row.host} ${what}, and this image is not in the cache. Check Settings → Upstreams, or try again in ${seconds(wait)} s.`
    return new RegistryError('UNAVAILABLE', message, { headers: { 'retry-after': String(seconds(wait)) }, cause })
  }

  close(): void {
    this.#outbound.close()
  }
}

const seconds = (ms: number) => Math.max(1, Math.ceil(ms / 1000))

/** Of the guard: its own sentence. Of the client: that it does not answer. */
function reason(cause: unknown): string {
  if (isAppError(cause) && cause.code === 'OUTBOUND_INSIDE') return `cannot be asked: ${cause.message.replace(/\.$/, '')}`
  if (isAppError(cause) && cause.code.startsWith('OUTBOUND_')) return `cannot be reached (${cause.message.replace(/\.$/, '')})`
  return 'does not answer'
}
