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

/** The specification's error body. A request whose body was not read to its end ends the connection. */
export function sendError(response: ServerResponse, error: RegistryError): void {
  const unread = !response.req.complete && response.req.method !== 'GET' && response.req.method !== 'HEAD'
  const headers: Headers = { ...error.headers, ...(unread ? { connection: 'close' } : {}) }
  if (response.req.method === 'HEAD') return void response.writeHead(error.status, headers).end()
  sendJson(response, error.status, { errors: [{ code: error.code, message: error.message, detail: error.detail ?? null }] }, headers)
}
