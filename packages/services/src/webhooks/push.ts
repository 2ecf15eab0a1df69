/** What the three Git servers agree on in a push; everything else of their payloads is ignored. */
import * as z from 'zod'
import { commitId, text } from './text'

const commit = z.object({
  id: text(64),
  message: text(2000).nullish(),
  timestamp: z.string().nullish(),
  author: z.object({ name: text(200).nullish() }).nullish(),
})
const pushPayload = z.object({
  ref: z.string().max(1000),
  after: commitId,
  deleted: z.boolean().nullish(),
  head_commit: commit.nullish(),
  commits: z.array(commit).max(10_000).nullish(),
})

export interface Push {
  branch: string
  deleted: boolean
  commit: { sha: string; message: string | null; author: string | null; at: Date | null }
}

export type ParsedPush = { kind: 'push'; push: Push } | { kind: 'ignored'; reason: string } | { kind: 'malformed'; reason: string }

export function parsePush(json: unknown): ParsedPush {
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
