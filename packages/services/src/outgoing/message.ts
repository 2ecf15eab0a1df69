/**
 * What is sent, as the Standard Webhooks specification says (standardwebhooks.com), so that receivers have libraries for it in
 * every language. The fields of `data` by kind stand in docs/webhooks.md.
 *
 *   webhook-id: odl_…            the same for every attempt: what a receiver drops doubles by
 *   webhook-timestamp: 1764…     seconds; too old, and the receiver refuses, so that nothing is replayed
 *   webhook-signature: v1,<base64 of HMAC-SHA256 of "<id>.<timestamp>.<body>">
 */
import { createHmac, randomBytes } from 'node:crypto'
import { OWN_REGISTRY_HOST } from '@slipway/contracts'
import type { EventRow } from '@slipway/db'

const PREFIX = 'whsec_'

export const newSecret = () => `${PREFIX}${randomBytes(32).toString('base64')}`

export function sign(secret: string, id: string, timestamp: number, body: string): string {
  const key = Buffer.from(secret.slice(PREFIX.length), 'base64')
  return `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`
}

export function bodyOf(
  event: Pick<EventRow, 'id' | 'kind' | 'repository' | 'actorLabel' | 'data' | 'createdAt'>,
  organization: string,
): string {
  const data = event.data as Record<string, unknown>
  const repository =
    event.repository === null ? {} : { repository: event.repository, name: `${OWN_REGISTRY_HOST}/${organization}/${event.repository}` }
  return JSON.stringify({
    type: event.kind,
    timestamp: event.createdAt.toISOString(),
    id: event.id,
    organization,
    actor: event.actorLabel,
    data: { ...repository, ...data },
  })
}
