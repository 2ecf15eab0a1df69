/**
 * HTTP to addresses that people, files and other servers name. Each name is looked up once, its addresses are checked, and the
 * connection is made to one of these; every redirect is a new address, checked again. Nothing has no deadline.
 */
import { type ClientRequest, Agent as HttpAgent, request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import { pipeline, Readable } from 'node:stream'
import type { ReadableStream as NodeStream } from 'node:stream/web'
import { brokenOff, noAddress, redirected, refused, Silence, tooLarge, unreachable } from './errors'
import { OUTSIDE_ONLY, type Places } from './places'
import { type Lookup, reach, systemLookup } from './reach'

export interface OutboundOptions {
  /** What may be reached inside this network; by default nothing. `INSIDE_TOO`: all but metadata and link-local addresses. */
  inside?: Places
  lookup?: Lookup
  /** From the call to the answer's head, connecting included. */
  headMs?: number
  /** Between two pieces of the answer's body. */
  idleMs?: number
}

export interface OutboundRequest {
  method?: string
  headers?: Record<string, string>
  /** A stream may take as long as it moves: within `idleMs` a piece of it, and within `headMs` of its end the answer. */
  body?: string | Uint8Array | Readable
  signal?: AbortSignal
  /** Followed for GET and HEAD only; otherwise, and by default, the answer 3xx is the answer. Credentials stay with the first origin. */
  redirects?: number
  /** Instead of the ones of the `Outbound`. */
  headMs?: number
}

export interface OutboundAnswer {
  status: number
  headers: IncomingMessage['headers']
  /** Of the last hop. */
  url: URL
  /** Must be read or destroyed; fails with `OUTBOUND_BROKEN_OFF` when the other side falls silent. */
  body: Readable
}

const REDIRECTS = new Set([301, 302, 303, 307, 308])
const SECRETS = ['authorization', 'cookie', 'proxy-authorization']
const MAX_SOCKETS = 64

export class Outbound {
  readonly #options: Required<OutboundOptions>
  // Of this object alone: a connection that other rules allowed must not be taken again here.
  readonly #agents = {
    'http:': new HttpAgent({ keepAlive: true, maxSockets: MAX_SOCKETS, timeout: 30_000 }),
    'https:': new HttpsAgent({ keepAlive: true, maxSockets: MAX_SOCKETS, timeout: 30_000 }),
  }

  constructor(options: OutboundOptions = {}) {
    this.#options = { inside: OUTSIDE_ONLY, lookup: systemLookup, headMs: 15_000, idleMs: 30_000, ...options }
  }

  /** Throws AppError `OUTBOUND_*`, or the signal's reason. Any status is an answer. */
  async request(address: string | URL, request: OutboundRequest = {}): Promise<OutboundAnswer> {
    const method = request.method ?? 'GET'
    let url = parse(address)
    let headers = lowerCase(request.headers ?? {})
    for (let left = request.redirects ?? 0; ; left--) {
      const answer = await this.#once(url, method, headers, request)
      const target = answer.headers.location
      const follow = (request.redirects ?? 0) > 0 && (method === 'GET' || method === 'HEAD')
      if (!follow || !REDIRECTS.has(answer.status) || target === undefined) return answer
      answer.body.destroy()
      if (left === 0) throw redirected(url.hostname, 'and from there elsewhere, too many times')
      const next = URL.canParse(target, url.href) ? parse(new URL(target, url.href)) : null
      if (next === null) throw redirected(url.hostname, 'to what is no address')
      if (url.protocol === 'https:' && next.protocol !== 'https:') throw redirected(url.hostname, 'to an address without encryption')
      if (next.origin !== url.origin) headers = Object.fromEntries(Object.entries(headers).filter(([name]) => !SECRETS.includes(name)))
      url = next
    }
  }

  /** For clients that take a `fetch`: of text URLs, following redirects unless told `manual`. */
  readonly fetch: typeof fetch = async (input, init = {}) => {
    const url = input instanceof Request ? input.url : input
    const given = init.body ?? undefined
    const body = given instanceof ReadableStream ? Readable.fromWeb(given as NodeStream) : given
    if (body !== undefined && typeof body !== 'string' && !(body instanceof Uint8Array) && !(body instanceof Readable))
      throw new TypeError('a body of text, bytes or a stream only')
    const answer = await this.request(url, {
      method: init.method,
      headers: Object.fromEntries(new Headers(init.headers)),
      redirects: init.redirect === 'manual' ? 0 : 5,
      ...(body === undefined ? {} : { body }),
      ...(init.signal ? { signal: init.signal } : {}),
    })
    const headers = new Headers()
    for (const [name, value] of Object.entries(answer.headers)) for (const one of [value ?? []].flat()) headers.append(name, one)
    const empty = [101, 204, 205, 304].includes(answer.status)
    if (empty) answer.body.resume()
    return new Response(empty ? null : (Readable.toWeb(answer.body) as ReadableStream), { status: answer.status, headers })
  }

  /** Ends connections that are kept. */
  close(): void {
    for (const agent of Object.values(this.#agents)) agent.destroy()
  }

  async #once(url: URL, method: string, headers: Record<string, string>, request: OutboundRequest): Promise<OutboundAnswer> {
    const { inside, lookup, idleMs } = this.#options
    const { signal } = request
    signal?.throwIfAborted()
    const host = url.hostname.replace(/^\[|\]$/g, '')
    const deadline = Date.now() + (request.headMs ?? this.#options.headMs)
    const found = await within(reach(host, inside, lookup), deadline, host)
    if (!('addresses' in found)) throw refused(host, found)
    signal?.throwIfAborted()
    const secure = url.protocol === 'https:'
    const options: RequestOptions = { method, headers, lookup: pinned(found.addresses), ...(signal ? { signal } : {}) }
    return new Promise((resolve, reject) => {
      const sent = secure
        ? httpsRequest(url, { ...options, agent: this.#agents['https:'] })
        : httpRequest(url, { ...options, agent: this.#agents['http:'] })
      const late = () => sent.destroy(new Silence(`no answer in time`))
      const streamed = request.body instanceof Readable
      let timer = streamed ? watchSent(sent, idleMs, host) : setTimeout(late, Math.max(1, deadline - Date.now()))
      let broken: unknown
      sent.once('error', (cause) => {
        clearTimeout(timer)
        // Of the stream that was to be sent: its own failure, not the other side's.
        reject(signal?.aborted ? signal.reason : (broken ?? unreachable(host, cause)))
      })
      sent.once('response', (answer) => {
        clearTimeout(timer)
        watchIdle(answer, idleMs, host)
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, url, body: answer })
      })
      if (!(request.body instanceof Readable)) return void sent.end(request.body)
      request.body.once('error', (cause) => {
        broken = cause
      })
      sent.once('finish', () => {
        clearTimeout(timer)
        timer = setTimeout(late, request.headMs ?? this.#options.headMs)
      })
      // Answered before all was sent, a connection may be cut off meanwhile: that is in the answer.
      pipeline(request.body, sent, (error) => {
        if (error && !sent.destroyed) sent.destroy(error)
      })
    })
  }
}

/** The whole body in memory; throws `OUTBOUND_ANSWER_TOO_LARGE` for more than `maxBytes`. */
export async function readAnswer({ body, url }: OutboundAnswer, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of body as AsyncIterable<Buffer>) {
    length += chunk.byteLength
    if (length > maxBytes) throw tooLarge(url.hostname, maxBytes)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks, length)
}

/** Counts only while somebody waits for bytes: a reader that is slow itself is not the other side's fault. */
function watchIdle(answer: IncomingMessage, idleMs: number, host: string): void {
  const { socket } = answer
  let read = socket.bytesRead
  let since = Date.now()
  const timer = setInterval(() => {
    if (socket.bytesRead !== read || answer.readableLength > 0) {
      read = socket.bytesRead
      since = Date.now()
    } else if (Date.now() - since >= idleMs) answer.destroy(brokenOff(host, new Silence(`no byte in ${idleMs} ms`)))
  }, idleMs / 4)
  timer.unref()
  answer.once('close', () => clearInterval(timer))
}

/** Of a body that is sent as a stream: as long as bytes leave, or none are there to leave, nothing is wrong with the other side. */
function watchSent(sent: ClientRequest, idleMs: number, host: string): NodeJS.Timeout {
  let written = -1
  let since = Date.now()
  const timer = setInterval(() => {
    const now = sent.socket?.bytesWritten ?? 0
    if (now !== written || (sent.socket !== null && !sent.socket.connecting && sent.writableLength === 0)) {
      written = now
      since = Date.now()
    } else if (Date.now() - since >= idleMs) sent.destroy(new Silence(`${host} took no byte in ${idleMs} ms`))
  }, idleMs / 4)
  timer.unref()
  sent.once('close', () => clearInterval(timer))
  return timer
}

function parse(address: string | URL): URL {
  const url = typeof address === 'string' ? (URL.canParse(address) ? new URL(address) : null) : new URL(address.href)
  if (url === null || !/^https?:$/.test(url.protocol) || url.hostname === '' || url.username || url.password) throw noAddress()
  return url
}

const lowerCase = (headers: Record<string, string>) =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))

/** The checked addresses for whoever asks: the name is not looked up a second time. */
const pinned =
  (addresses: readonly string[]): LookupFunction =>
  (_host, options, done) => {
    const all = addresses.map((address) => ({ address, family: isIP(address) }))
    if (options.all) done(null, all)
    else done(null, all[0]?.address ?? '', all[0]?.family)
  }

async function within<T>(work: Promise<T>, deadline: number, host: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(unreachable(host, new Silence('its name was not resolved in time'))),
      Math.max(1, deadline - Date.now()),
    )
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
