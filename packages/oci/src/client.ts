/** A small client of any OCI registry: manifests, blobs, tags, referrers; Docker token authentication. Every call has a deadline. */
import { AppError, isAppError } from '@slipway/core'
import * as z from 'zod'
import { authorize, type RegistryCredentials } from './client-auth'
import { blobSize, uploadBytes } from './client-upload'
import { digestOf, parseDigest } from './digest'
import { type Descriptor, descriptor, type ParsedManifest, parseManifest } from './manifest'
import { MANIFEST_TYPES } from './media-types'

export interface RegistryClientOptions {
  /** `http://127.0.0.1:5000`, without a path. */
  baseUrl: string
  credentials?: RegistryCredentials
  /** Of each request's head; bodies of blobs are as long as they are. */
  timeoutMs?: number
  fetch?: typeof fetch
  /** Ends every request, and the bodies of those that are under way where `fetch` does. */
  signal?: AbortSignal
}

export interface Asked {
  /** Statuses that are answers, too. */
  alsoFine?: number[]
  push?: boolean
  /** A stream has no deadline here: `fetch` must watch over it. */
  body?: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>
  /** Another repository that is read from meanwhile (a mount). */
  from?: string
}

export interface FetchedManifest {
  digest: string
  /** The registry's bytes, whose digest was checked. */
  bytes: Uint8Array
  parsed: ParsedManifest
}

export const MAX_MANIFEST = 4 * 1024 * 1024
/** Of a list: a registry that always knows of another one is not believed. */
const MAX_PAGES = 1000
/** A client of many repositories keeps that many logins. */
const MAX_TOKENS = 500
/** A token with room to spare. */
const MAX_LOGIN = 1024 * 1024
/** Of lists, manifests and logins: longer than any line takes for 4 MB, and an end for those who send a byte now and then. */
const READ_MS = 120_000
const referrersAnswer = z.object({ manifests: z.array(descriptor).max(10_000) })
const catalogAnswer = z.object({ repositories: z.array(z.string()).nullable() })
const tagsAnswer = z.object({ name: z.string(), tags: z.array(z.string()).nullable() })

export class RegistryClient {
  readonly #options: Required<Omit<RegistryClientOptions, 'credentials' | 'signal'>> & Pick<RegistryClientOptions, 'credentials' | 'signal'>
  /** Bearer tokens by scope. */
  readonly #tokens = new Map<string, string>()

  get baseUrl(): string {
    return this.#options.baseUrl
  }

  constructor(options: RegistryClientOptions) {
    this.#options = {
      fetch: globalThis.fetch,
      timeoutMs: 15_000,
      ...options,
      baseUrl: options.baseUrl.replace(/\/+$/, ''),
    }
  }

  /** By tag or digest. Throws `MANIFEST_UNKNOWN`, `REGISTRY_DENIED`, `REGISTRY_UNREACHABLE`, `DIGEST_MISMATCH`. */
  async getManifest(repository: string, target: string): Promise<FetchedManifest> {
    const response = await this.request('GET', repository, `manifests/${target}`, { accept: MANIFEST_TYPES.join(', ') })
    const bytes = await readBounded(response, MAX_MANIFEST)
    const isPinned = target.includes(':')
    const digest = await digestOf(bytes, isPinned ? parseDigest(target).algorithm : 'sha256')
    if (isPinned && digest !== target) throw mismatch(target)
    return { digest, bytes, parsed: parseManifest(bytes, response.headers.get('content-type') ?? undefined) }
  }

  /** Digest behind a tag, or undefined when there is none. */
  async resolve(repository: string, target: string): Promise<string | undefined> {
    const accept = MANIFEST_TYPES.join(', ')
    const response = await this.request('HEAD', repository, `manifests/${target}`, { accept }, { alsoFine: [404] })
    if (response.status === 404) return undefined
    return response.headers.get('docker-content-digest') ?? (await this.getManifest(repository, target)).digest
  }

  /** A blob that fits in memory (a config), checked against its digest. */
  async getBlob(repository: string, digest: string, maxBytes = MAX_MANIFEST): Promise<Uint8Array> {
    const response = await this.request('GET', repository, `blobs/${digest}`)
    const bytes = await readBounded(response, maxBytes)
    if ((await digestOf(bytes, parseDigest(digest).algorithm)) !== digest) throw mismatch(digest)
    return bytes
  }

  /** A blob as a stream; the caller verifies it (`VerifyStream`). */
  async streamBlob(repository: string, digest: string): Promise<ReadableStream<Uint8Array>> {
    const response = await this.request('GET', repository, `blobs/${digest}`)
    if (!response.body) throw unreachable(this.#options.baseUrl, 'no body')
    return response.body
  }

  /** All tags, page by page, at most `limit`. */
  async listTags(repository: string, limit = 10_000): Promise<string[]> {
    const tags: string[] = []
    let last = ''
    while (tags.length < limit) {
      const response = await this.request('GET', repository, `tags/list?n=1000${last ? `&last=${encodeURIComponent(last)}` : ''}`)
      const page = (await this.#list(response, tagsAnswer)).tags ?? []
      tags.push(...page)
      const next = page.at(-1)
      if (!response.headers.get('link') || next === undefined || next === last) break
      last = next
    }
    return tags.slice(0, limit)
  }

  /**
   * What refers to a manifest (an SBOM, a signature), perhaps of one type only; all pages, at most `limit`. From a registry
   * without the referrers API: what clients have put into the index under the fallback tag.
   */
  async referrers(repository: string, digest: string, artifactType?: string, limit = 10_000): Promise<Descriptor[]> {
    const query = artifactType === undefined ? '' : `?artifactType=${encodeURIComponent(artifactType)}`
    const found: Descriptor[] = []
    let path: string | undefined = `referrers/${digest}${query}`
    for (let pages = 0; path !== undefined && found.length < limit && pages < MAX_PAGES; pages++) {
      const response = await this.request('GET', repository, path, {}, { alsoFine: [404] })
      if (response.status === 404) {
        await response.body?.cancel()
        found.push(...(await this.#taggedReferrers(repository, digest)))
        break
      }
      found.push(...(await this.#list(response, referrersAnswer)).manifests)
      path = this.#nextPage(response, path)
    }
    // A registry need not filter.
    return found.filter((one) => artifactType === undefined || one.artifactType === artifactType).slice(0, limit)
  }

  async #list<T>(response: Response, shape: z.ZodType<T>): Promise<T> {
    const text = new TextDecoder().decode(await readBounded(response, MAX_MANIFEST))
    try {
      return shape.parse(JSON.parse(text))
    } catch (cause) {
      throw new AppError({
        kind: 'bad-input',
        code: 'REGISTRY_ANSWER_INVALID',
        message: `The registry ${this.#options.baseUrl} sent a list that cannot be read. Check the address.`,
        cause,
      })
    }
  }

  /** distribution-spec "Referrers Tag Schema". */
  async #taggedReferrers(repository: string, digest: string): Promise<Descriptor[]> {
    const { algorithm, hex } = parseDigest(digest)
    try {
      const { parsed } = await this.getManifest(repository, `${algorithm}-${hex.slice(0, 64)}`)
      return parsed.kind === 'index' ? parsed.manifest.manifests : []
    } catch (error) {
      if (error instanceof AppError && error.code === 'MANIFEST_UNKNOWN') return []
      throw error
    }
  }

  /** The URL behind `Link: <…>; rel="next"`, if it is this registry's and another page. */
  #nextPage(response: Response, path: string): string | undefined {
    const target = /<([^>]+)>\s*;\s*rel="?next"?/i.exec(response.headers.get('link') ?? '')?.[1]
    if (target === undefined) return undefined
    const next = new URL(target, response.url || this.#options.baseUrl)
    return next.origin === new URL(this.#options.baseUrl).origin && next.href !== path ? next.href : undefined
  }

  /** Puts a blob that fits in memory into the repository, unless it is there; gives its digest. */
  async putBlob(repository: string, bytes: Uint8Array<ArrayBuffer>): Promise<string> {
    const digest = await digestOf(bytes, 'sha256')
    if ((await blobSize(this, repository, digest)) === undefined) await uploadBytes(this, repository, digest, bytes)
    return digest
  }

  /** Under a tag, or by its digest when `target` is undefined; gives the digest. */
  async putManifest(repository: string, bytes: Uint8Array<ArrayBuffer>, mediaType: string, target?: string): Promise<string> {
    const digest = await digestOf(bytes, 'sha256')
    const headers = { 'content-type': mediaType }
    const put = await this.request('PUT', repository, `manifests/${target ?? digest}`, headers, { push: true, body: bytes })
    await put.body?.cancel()
    return digest
  }

  /** Names of the catalog, as far as the credentials see them, at most `limit`. Many registries have none (404, 401). */
  async catalog(limit = 10_000): Promise<string[]> {
    const names: string[] = []
    let url: string | undefined = `${this.#options.baseUrl}/v2/_catalog?n=1000`
    for (let pages = 0; url !== undefined && names.length < limit && pages < MAX_PAGES; pages++) {
      const response = await this.#authorized('GET', url, {}, 'registry:catalog:*')
      if (!response.ok) throw await failure(response, '_catalog', '', this.#options.baseUrl)
      names.push(...((await this.#list(response, catalogAnswer)).repositories ?? []))
      url = this.#nextPage(response, url)
    }
    return names.slice(0, limit)
  }

  /**
   * Whatever the registry answers, once it knows who asks: for those who pass heads and bodies on. `path`: below the repository.
   * Throws `REGISTRY_DENIED` when the login is refused, `REGISTRY_UNREACHABLE`.
   */
  ask(method: 'GET' | 'HEAD', repository: string, path: string, headers: Record<string, string> = {}): Promise<Response> {
    const scope = `repository:${repository}:pull`
    return this.#authorized(method, `${this.#options.baseUrl}/v2/${repository}/${path}`, headers, scope)
  }

  /** Throws unless there is a registry that takes the credentials, if there are any. */
  async ping(): Promise<void> {
    const response = await this.#authorized('GET', `${this.#options.baseUrl}/v2/`, {}, '')
    if (response.ok) return response.body?.cancel()
    if (response.status === 404)
      throw new AppError({
        kind: 'unavailable',
        code: 'REGISTRY_FAILED',
        message: `At ${this.#options.baseUrl} there is no registry. Check the address.`,
      })
    throw await failure(response, '/v2/', '', this.#options.baseUrl)
  }

  /** For the other files of this package. `path`: below the repository, or a whole URL that the registry gave. */
  async request(
    method: string,
    repository: string,
    path: string,
    headers: Record<string, string> = {},
    { alsoFine = [], push = false, body, from }: Asked = {},
  ): Promise<Response> {
    const own = `repository:${repository}:${push ? 'pull,push' : 'pull'}`
    const scope = from === undefined ? own : `${own} repository:${from}:pull`
    const url = /^https?:/.test(path) ? path : `${this.#options.baseUrl}/v2/${repository}/${path}`
    const response = await this.#authorized(method, url, headers, scope, body)
    if (response.ok || alsoFine.includes(response.status)) return response
    // With a token in hand it is this repository that is refused: Docker Hub says 401 of one that is not there.
    const login = !this.#tokens.get(scope)?.startsWith('Bearer ')
    throw await failure(response, repository, path, this.#options.baseUrl, login)
  }

  async #authorized(method: string, url: string, headers: Record<string, string>, scope: string, body?: Asked['body']): Promise<Response> {
    const response = await this.#send(method, url, headers, scope, body)
    if (response.status !== 401) return response
    await response.body?.cancel()
    if (body instanceof ReadableStream) {
      // What was streamed is gone: the next attempt has a new login.
      this.#tokens.delete(scope)
      throw loginEnded(this.#options.baseUrl)
    }
    const challenge = response.headers.get('www-authenticate') ?? ''
    const send = (to: string, more: Record<string, string>, form?: URLSearchParams) => {
      if (!form) return this.#fetch('GET', to, more)
      const type = { 'content-type': 'application/x-www-form-urlencoded' }
      return this.#fetch('POST', to, { ...more, ...type }, new TextEncoder().encode(form.toString()))
    }
    const read = async (answer: Response) => new TextDecoder().decode(await readBounded(answer, MAX_LOGIN))
    const { protocol } = new URL(this.#options.baseUrl)
    const header = await authorize({ protocol, challenge, scope, credentials: this.#options.credentials, send, read })
    this.#remember(scope, header)
    return this.#send(method, url, headers, scope, body)
  }

  #remember(scope: string, header: string): void {
    this.#tokens.delete(scope)
    this.#tokens.set(scope, header)
    const oldest = this.#tokens.keys().next().value
    if (this.#tokens.size > MAX_TOKENS && oldest !== undefined) this.#tokens.delete(oldest)
  }

  #send(method: string, url: string, headers: Record<string, string>, scope: string, body?: Asked['body']): Promise<Response> {
    const authorization = this.#tokens.get(scope)
    return this.#fetch(method, url, authorization === undefined ? headers : { ...headers, authorization }, body)
  }

  async #fetch(method: string, url: string, headers: Record<string, string>, body?: Asked['body']): Promise<Response> {
    const { signal: ended, timeoutMs } = this.#options
    ended?.throwIfAborted()
    // The deadline is for the head: an AbortSignal.timeout would also cut a long body.
    const abort = new AbortController()
    const streamed = body instanceof ReadableStream
    const timer = streamed ? undefined : setTimeout(() => abort.abort(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs)
    const signal = ended ? AbortSignal.any([ended, abort.signal]) : abort.signal
    try {
      return await this.#options.fetch(url, { method, headers, signal, ...(body && { body }), ...(streamed && { duplex: 'half' }) })
    } catch (cause) {
      ended?.throwIfAborted()
      // Of a guard, which says itself what is wrong with the address.
      if (isAppError(cause)) throw cause
      throw unreachable(this.#options.baseUrl, cause)
    } finally {
      clearTimeout(timer)
    }
  }
}

async function readBounded(response: Response, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let length = 0
  const until = Date.now() + READ_MS
  for await (const chunk of response.body ?? []) {
    length += chunk.byteLength
    if (Date.now() > until)
      throw new AppError({ kind: 'unavailable', code: 'REGISTRY_TOO_SLOW', message: "The registry's answer comes too slowly. Try again." })
    if (length > maxBytes)
      throw new AppError({
        kind: 'too-large',
        code: 'REGISTRY_ANSWER_TOO_LARGE',
        message: `The registry's answer is larger than ${maxBytes} bytes.`,
      })
    chunks.push(chunk)
  }
  const all = new Uint8Array(length)
  let offset = 0
  for (const chunk of chunks) {
    all.set(chunk, offset)
    offset += chunk.byteLength
  }
  return all
}

const errorsAnswer = z.object({ errors: z.array(z.object({ message: z.string() })).min(1) })

/** What the registry itself says is wrong, if it says it as the distribution-spec has it ("Error Codes"). */
async function said(response: Response): Promise<string> {
  try {
    const { errors } = errorsAnswer.parse(JSON.parse(new TextDecoder().decode(await readBounded(response, 16 * 1024))))
    // biome-ignore lint/suspicious/noControlCharactersInRegex: what a stranger sends goes to a page and a terminal
    const text = errors[0]?.message.replace(/[\x00-\x1f\x7f-\x9f]+/g, ' ').trim() ?? ''
    return text === '' ? '' : ` It says: ${text.slice(0, 300)}${/[.!?]$/.test(text) ? '' : '.'}`
  } catch {
    return ''
  }
}

/** `login`: a 401 is about who asks, not about what is asked for. */
async function failure(response: Response, repository: string, path: string, baseUrl: string, login = true): Promise<AppError> {
  const { status, headers } = response
  const what = path.startsWith('manifests/') ? `${repository}:${path.slice('manifests/'.length)}` : repository
  if (status === 404 || status === 429) await response.body?.cancel()
  if (status === 404) {
    const code = path.startsWith('blobs/') ? 'BLOB_UNKNOWN' : 'MANIFEST_UNKNOWN'
    return new AppError({ kind: 'not-found', code, message: `The registry ${baseUrl} has no ${what}. Check the name and the tag.` })
  }
  if (status === 429) {
    const seconds = Number(headers.get('retry-after'))
    return new AppError({
      ...(seconds > 0 && { details: { retryAfterMs: Math.min(seconds, 3600) * 1000 } }),
      kind: 'rate-limited',
      code: 'REGISTRY_RATE_LIMITED',
      message: `The registry ${baseUrl} limits requests; wait a few minutes and try again.`,
    })
  }
  const words = await said(response)
  if (status === 401 || status === 403) {
    const why = words === '' ? 'Check the credentials.' : words.trim()
    return new AppError({
      kind: 'forbidden',
      code: 'REGISTRY_DENIED',
      message: `The registry ${baseUrl} denies access to ${repository}. ${why}`,
      ...(status === 401 && login && { details: { login: true } }),
    })
  }
  // What it refuses once it refuses again: a manifest that it does not take.
  const kind = status >= 400 && status < 500 ? 'bad-input' : 'unavailable'
  return new AppError({ kind, code: 'REGISTRY_FAILED', message: `The registry ${baseUrl} answered ${status} for ${what}.${words}` })
}

export const unreachable = (baseUrl: string, cause: unknown) =>
  new AppError({ kind: 'unavailable', code: 'REGISTRY_UNREACHABLE', message: `The registry ${baseUrl} does not answer.`, cause })

const loginEnded = (baseUrl: string) =>
  new AppError({
    kind: 'unavailable',
    code: 'REGISTRY_LOGIN_ENDED',
    message: `The login to the registry ${baseUrl} ended before the upload began. Try again.`,
  })

const mismatch = (digest: string) =>
  new AppError({
    kind: 'unavailable',
    code: 'DIGEST_MISMATCH',
    message: `The registry sent content that is not ${digest}. It is damaged there or on the way.`,
  })
