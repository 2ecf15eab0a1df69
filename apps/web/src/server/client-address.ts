/**
 * Next hands on headers but no socket, and leaves an `X-Forwarded-For` that a client made up as it is. So each request gets the
 * header anew before Next sees it: then it is one address, and everything behind (the audit log, the limit of sign-ins) may read it.
 */
import { subscribe } from 'node:diagnostics_channel'
import type { IncomingMessage } from 'node:http'
import { clientAddress, type TrustedProxies } from '@slipway/services'

export function writeClientAddresses(trusted: TrustedProxies): void {
  // Published by Node's HTTP server before it calls the handler.
  subscribe('http.server.request.start', (message) => {
    const { request } = message as { request: IncomingMessage }
    const { headers, socket } = request
    const forwarded = headers['x-forwarded-for']
    headers['x-forwarded-for'] = clientAddress(socket.remoteAddress, Array.isArray(forwarded) ? forwarded.join(',') : forwarded, trusted)
  })
}
