/** Caddy's admin API on its Unix socket. */
import { request } from 'node:http'
import { AppError } from '@slipway/core'

/** The Host we send and allow. */
export const ADMIN_HOST = 'localhost'
const MAX_BODY = 4 * 1024 * 1024

export interface AdminReply {
  status: number
  body: string
}

export const routerDown = (cause: unknown) =>
  new AppError({
    kind: 'unavailable',
    code: 'ROUTER_UNAVAILABLE',
    message: 'The router does not answer. Look whether caddy is running; it is asked again by itself.',
    cause,
  })

/**
 * One request; rejects with the plain error of the socket, or when it takes longer than `timeoutMs`. A Caddy that was
 * started without `origins` accepts nothing but an empty Host on a Unix socket, so that is tried when it refuses ours.
 */
export async function adminRequest(
  socketPath: string,
  method: 'GET' | 'POST',
  path: string,
  timeoutMs: number,
  body?: string,
): Promise<AdminReply> {
  const reply = await send(socketPath, method, path, timeoutMs, ADMIN_HOST, body)
  return reply.status === 403 ? send(socketPath, method, path, timeoutMs, '', body) : reply
}

function send(socketPath: string, method: string, path: string, timeoutMs: number, host: string, body?: string): Promise<AdminReply> {
  return new Promise((resolve, reject) => {
    const headers: Record<string, string> = { Host: host }
    if (body !== undefined) {
      headers['Content-Type'] = 'application/json'
      headers['Content-Length'] = String(Buffer.byteLength(body))
    }
    // setHost: Node would replace an empty Host by `localhost`.
    const outgoing = request(
      { socketPath, method, path, headers, setHost: false, agent: false, signal: AbortSignal.timeout(timeoutMs) },
      (reply) => {
        const chunks: Buffer[] = []
        let size = 0
        reply.on('data', (chunk: Buffer) => {
          size += chunk.length
          if (size > MAX_BODY) reply.destroy(new Error(`caddy's answer to ${path} is larger than ${MAX_BODY} bytes`))
          else chunks.push(chunk)
        })
        reply.on('error', reject)
        reply.on('end', () => resolve({ status: reply.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') }))
      },
    )
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}
