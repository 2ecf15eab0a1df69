/**
 * Requests to the server over Node's own http: the global `fetch` of Node 20 takes 40 ms of processor time before its first request.
 * Connections are kept for the next request. Answers are not packed, and lead nowhere else: a redirect is an answer like any other.
 */
import type { IncomingMessage } from 'node:http'
import * as http from 'node:http'

export interface Asked {
  method?: string
  headers?: Record<string, string>
  body?: string | Uint8Array
  signal?: AbortSignal
}

export interface Answer {
  status: number
  ok: boolean
  body: IncomingMessage
  text(): Promise<string>
  json(): Promise<unknown>
}

/** More than any answer that is read as a whole; downloads and events are read from `body`. */
const MAX_TEXT = 64 * 1024 * 1024

interface Way {
  agent: http.Agent
  begin: typeof http.request
}
const ways = new Map<string, Way>()
/** TLS is loaded for servers that speak it. */
async function wayTo(protocol: string): Promise<Way> {
  const { Agent, request: begin } = protocol === 'https:' ? await import('node:https') : http
  const way = ways.get(protocol) ?? { agent: new Agent({ keepAlive: true }), begin }
  ways.set(protocol, way)
  return way
}

export async function request(address: string, { method = 'GET', headers = {}, body, signal }: Asked = {}): Promise<Answer> {
  const url = new URL(address)
  const { agent, begin } = await wayTo(url.protocol)
  let [fresh, near] = [false, url.hostname === 'localhost']
  for (;;) {
    signal?.throwIfAborted()
    const call = begin({
      ...addressOf(url, near),
      method,
      agent: fresh ? false : agent,
      headers: { ...headers, ...lengthOf(body), host: url.host },
    })
    breakOff(call, signal)
    try {
      const response = await new Promise<IncomingMessage>((resolve, reject) => {
        call.once('response', resolve)
        call.on('error', reject)
        call.end(body)
      })
      return answerOf(response, signal)
    } catch (error) {
      if (signal?.aborted) throw signal.reason
      const { code } = error as NodeJS.ErrnoException
      // Nothing of the request was heard: the name leads elsewhere, or the server ended a kept connection at that very moment.
      if (near && code === 'ECONNREFUSED') near = false
      else if (!fresh && call.reusedSocket && code === 'ECONNRESET') fresh = true
      else throw error
    }
  }
}

/**
 * Breaks the request off when the signal fires; an answer that has begun silently, because an error would come to a connection that
 * nobody listens to any more when all of the answer is there and not read yet. (Node's own option `signal` ends the process with that.)
 */
function breakOff(call: http.ClientRequest, signal: AbortSignal | undefined): void {
  let answer: IncomingMessage | undefined
  call.once('response', (response: IncomingMessage) => {
    answer = response
  })
  const abort = () => void (answer ? answer.destroy() : call.destroy(new Error('broken off')))
  signal?.addEventListener('abort', abort)
  call.once('close', () => signal?.removeEventListener('abort', abort))
}

/** `near`: localhost by its usual address. Asking for the name, and trying whether it is an address itself, takes longer than the connection. */
const addressOf = ({ protocol, hostname, port, pathname, search }: URL, near: boolean): http.RequestOptions => ({
  protocol,
  ...(near ? { host: '127.0.0.1', servername: hostname } : { host: hostname.replace(/^\[|\]$/g, '') }),
  ...(port !== '' && { port }),
  path: pathname + search,
})

const lengthOf = (body: Asked['body']): Record<string, string> =>
  body === undefined ? {} : { 'content-length': String(typeof body === 'string' ? Buffer.byteLength(body) : body.byteLength) }

function answerOf(body: IncomingMessage, signal: AbortSignal | undefined): Answer {
  // Whoever reads it hears of an error; one after the last read, as when a stream is given up, is nobody's.
  body.on('error', () => undefined)
  const status = body.statusCode ?? 0
  const text = async () => {
    let length = 0
    const chunks: Buffer[] = []
    for await (const chunk of body as AsyncIterable<Buffer>) {
      length += chunk.length
      if (length > MAX_TEXT) throw new Error(`an answer of more than ${MAX_TEXT} bytes`)
      chunks.push(chunk)
    }
    // One that was broken off may look like one that has ended.
    signal?.throwIfAborted()
    return Buffer.concat(chunks).toString('utf8')
  }
  return { status, ok: status >= 200 && status < 300, body, text, json: async () => JSON.parse(await text()) as unknown }
}
