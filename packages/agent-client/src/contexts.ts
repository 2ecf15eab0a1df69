import { request as httpRequest } from 'node:http'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { type ContextMissing, contextCommitted, contextIncomplete, contextMissing, contextStored } from '@slipway/contracts'
import { agentError } from './errors'

export type ObjectEncoding = 'identity' | 'gzip' | 'zstd'

/** Uploads of build contexts (`packages/contracts/src/agent/context-api.ts`); `scope` is an organization's id. */
export interface AgentContexts {
  missing(scope: string, asked: Pick<ContextMissing, 'trees' | 'blobs'>): Promise<ContextMissing>
  /** Passes a stream of objects on as it comes; gives the bytes that were new. Throws AppError `ENGINE_409` for a piece that does not fit. */
  send(scope: string, objects: Readable | Buffer, encoding: ObjectEncoding, signal: AbortSignal): Promise<{ stored: number }>
  /** What is missing of a context, or how much a complete one holds. */
  commit(scope: string, tree: string): Promise<{ missing: ContextMissing } | { entries: number; bytes: number }>
}

const DEADLINE_MS = 60_000
/** An answer names at most 20,000 digests twice. */
const MAX_ANSWER = 8 * 1024 * 1024

export function createContexts(socketPath: string): AgentContexts {
  const path = (rest: string, scope: string) => `/slipway/v1/contexts/${rest}?scope=${encodeURIComponent(scope)}`
  const post = (path: string, headers: Record<string, string>, body: Readable | Buffer | string, signal: AbortSignal) =>
    call(socketPath, path, headers, body, signal)
  return {
    async missing(scope, asked) {
      const body = JSON.stringify(asked)
      const { status, text } = await post(
        path('missing', scope),
        { 'content-type': 'application/json' },
        body,
        AbortSignal.timeout(DEADLINE_MS),
      )
      if (status !== 200) throw failed(status, text)
      return contextMissing.parse(JSON.parse(text))
    },
    async send(scope, objects, encoding, signal) {
      const { status, text } = await post(path('objects', scope), { 'content-encoding': encoding }, objects, signal)
      if (status !== 200) throw failed(status, text)
      return contextStored.parse(JSON.parse(text))
    },
    async commit(scope, tree) {
      const { status, text } = await post(path(`${tree}/commit`, scope), {}, '', AbortSignal.timeout(DEADLINE_MS))
      if (status === 409) return contextIncomplete.parse(JSON.parse(text))
      if (status !== 200) throw failed(status, text)
      return contextCommitted.parse(JSON.parse(text))
    },
  }
}

const DOING = 'keep the build context'

function failed(status: number, text: string) {
  let json: { message?: string } | undefined
  try {
    json = JSON.parse(text) as { message?: string }
  } catch {
    json = undefined // what is no JSON is told as it is
  }
  return agentError(Object.assign(new Error(text.slice(0, 500)), { statusCode: status, ...(json && { json }) }), DOING)
}

function call(
  socketPath: string,
  path: string,
  headers: Record<string, string>,
  body: Readable | Buffer | string,
  signal: AbortSignal,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ socketPath, method: 'POST', path, headers: { host: 'agent', ...headers }, signal }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        text += chunk
        if (text.length > MAX_ANSWER) response.destroy(new Error('the answer is too long'))
      })
      response.on('error', (error) => reject(agentError(error, DOING)))
      response.on('end', () => resolve({ status: response.statusCode ?? 500, text }))
    })
    request.on('error', (error) => reject(signal.aborted ? signal.reason : agentError(error, DOING)))
    if (typeof body === 'string' || Buffer.isBuffer(body)) request.end(body)
    // When the agent answers before it has read all, its answer counts; when the client breaks off, so does this.
    else pipeline(body, request).catch((error) => request.destroy(error as Error))
  })
}
