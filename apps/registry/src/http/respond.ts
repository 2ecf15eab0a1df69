import type { ServerResponse } from 'node:http'
import type { RegistryError } from '../errors'

export type Headers = Record<string, string | number>

export function sendEmpty(response: ServerResponse, status: number, headers: Headers = {}): void {
  response.writeHead(status, { 'content-length': 0, ...headers }).end()
}

export function sendJson(response: ServerResponse, status: number, value: unknown, headers: Headers = {}): void {
  const body = Buffer.from(JSON.stringify(value))
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': body.byteLength, ...headers }).end(body)
}

/** So long the rest of a body is taken, and thrown away, after its answer. */
const LINGER_MS = 3000

/** The specification's error body. A request whose body was not read to its end ends the connection. */
export function sendError(response: ServerResponse, error: RegistryError): void {
  const { req: request } = response
  if (request.method === 'HEAD') return void response.writeHead(error.status, error.headers).end()
  const body = { errors: [{ code: error.code, message: error.message, detail: error.detail ?? null }] }
  const unread = !request.complete && request.method !== 'GET'
  if (!unread) return void sendJson(response, error.status, body, error.headers)
  const bytes = Buffer.from(JSON.stringify(body))
  const headers = { 'content-type': 'application/json', 'content-length': bytes.byteLength, ...error.headers, connection: 'close' }
  response.writeHead(error.status, headers).write(bytes)
  // The client has its answer. A connection that ends while it still sends is reset, and it would hear of that instead.
  const end = () => {
    clearTimeout(timer)
    response.end()
  }
  const timer = setTimeout(end, LINGER_MS)
  request.once('end', end).once('close', end).resume()
}
