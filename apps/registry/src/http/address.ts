import type { IncomingMessage } from 'node:http'
import { clientAddress, type TrustedProxies } from '@slipway/outbound'

/** Whose logins and requests are counted, and what the audit log says. Node joins several headers of that name itself. */
export function addressOf({ socket, headers }: IncomingMessage, trusted: TrustedProxies): string {
  const forwarded = headers['x-forwarded-for']
  return clientAddress(socket.remoteAddress, Array.isArray(forwarded) ? forwarded.join(',') : forwarded, trusted)
}
