/** A verified delivery, as what it says. Its text is still anybody's. */
import { isPullRequestEvent, type ParsedPullRequest, parsePullRequest } from './pull-request'
import { type ParsedPush, parsePush } from './push'
import type { Sender } from './verify'

export type Parsed = ParsedPush | ParsedPullRequest

const PUSH_EVENTS = { github: 'push', gitea: 'push', gitlab: 'push hook' } as const

export function parseDelivery({ provider, event }: Sender, contentType: string | null, body: Buffer): Parsed {
  if (event.toLowerCase() === 'ping') return { kind: 'ignored', reason: 'pong' }
  const push = event.toLowerCase() === PUSH_EVENTS[provider]
  if (!push && !isPullRequestEvent(provider, event))
    return { kind: 'ignored', reason: `Only pushes and pull requests start a build; this was “${event.slice(0, 60)}”.` }
  let json: unknown
  try {
    json = JSON.parse(
      contentType?.startsWith('application/x-www-form-urlencoded')
        ? (new URLSearchParams(body.toString('utf8')).get('payload') ?? '')
        : body.toString('utf8'),
    )
  } catch {
    return { kind: 'malformed', reason: 'The body is not JSON. Choose application/json as the content type.' }
  }
  return push ? parsePush(json) : parsePullRequest(provider, json)
}
