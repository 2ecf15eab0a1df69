/** What the three Git servers agree on in a push; everything else of their payloads is ignored. */
import * as z from 'zod'
import type { Sender } from './verify'

const text = (max: number) => z.string().transform((value) => value.slice(0, max))
const commit = z.object({
  id: text(64),
  message: text(2000).nullish(),
  timestamp: z.string().nullish(),
  author: z.object({ name: text(200).nullish() }).nullish(),
})
const pushPayload = z.object({
  ref: z.string().max(1000),
  after: z.string().regex(/^[0-9a-f]{40}(?:[0-9a-f]{24})?$/),
  deleted: z.boolean().nullish(),
  head_commit: commit.nullish(),
  commits: z.array(commit).max(10_000).nullish(),
})

export interface Push {
  branch: string
  deleted: boolean
  commit: { sha: string; message: string | null; author: string | null; at: Date | null }
}

export type Parsed = { kind: 'push'; push: Push } | { kind: 'ignored'; reason: string } | { kind: 'malformed'; reason: string }

const PUSH_EVENTS = { github: 'push', gitea: 'push', gitlab: 'push hook' } as const

export function parseDelivery({ provider, event }: Sender, contentType: string | null, body: Buffer): Parsed {
  if (event.toLowerCase() === 'ping') return { kind: 'ignored', reason: 'pong' }
  if (event.toLowerCase() !== PUSH_EVENTS[provider])
    return { kind: 'ignored', reason: `Only pushes start a build; this was “${event.slice(0, 60)}”.` }
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
  const payload = pushPayload.safeParse(json)
  if (!payload.success) return { kind: 'malformed', reason: 'The body is no push event: ref or after is missing.' }
  const { ref, after, deleted, head_commit, commits } = payload.data
  if (!ref.startsWith('refs/heads/')) return { kind: 'ignored', reason: `Only branches are built; this was ${ref.slice(0, 200)}.` }
  const head = head_commit ?? commits?.find(({ id }) => id === after) ?? commits?.at(-1)
  const at = head?.timestamp ? new Date(head.timestamp) : null
  return {
    kind: 'push',
    push: {
      branch: ref.slice('refs/heads/'.length),
      deleted: deleted === true || /^0+$/.test(after),
      commit: {
        sha: after,
        message: head?.message ?? null,
        author: head?.author?.name ?? null,
        at: at && !Number.isNaN(at.getTime()) ? at : null,
      },
    },
  }
}
