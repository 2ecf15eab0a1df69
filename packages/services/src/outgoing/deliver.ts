import { AppError, globMatches, isAppError, newId } from '@slipway/core'
import {
  claimDelivery,
  countPending,
  createDeliveries,
  type EventRow,
  findOrganization,
  finishDelivery,
  listeners,
  type OutgoingWebhookRow,
  type Tx,
  updateOutgoing,
  writeAudit,
} from '@slipway/db'
import { INSIDE_TOO, Outbound, type OutboundAnswer } from '@slipway/outbound'
import type { Deps } from '../deps'
import { bodyOf, sign } from './message'
import type { OutgoingWork } from './service'

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
/** After the first, the second … failure; after the last of eight attempts, seven and a half hours on, it has failed. */
const PAUSES = [10 * SECOND, MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 2 * HOUR, 4 * HOUR]
/** From the call to the end of the answer. */
const DEADLINE_MS = 10 * SECOND
/** Longer than an attempt takes: a worker that dies gives its delivery back. */
const LEASE_MS = MINUTE
const MAX_ANSWER = 64 * 1024
const MAX_PENDING = 1000
/** Nobody hears there any more. */
const FAILING_MS = 3 * 24 * HOUR

type Claimed = NonNullable<Awaited<ReturnType<typeof claimDelivery>>>

interface Attempt {
  headers: Record<string, string>
  status: number | null
  responseHeaders: Record<string, string> | null
  responseBody: string | null
  error: string | null
  durationMs: number
}

export function createOutgoingWork(deps: Pick<Deps, 'db' | 'sealer' | 'log' | 'config'>): OutgoingWork {
  const outside = new Outbound({ headMs: DEADLINE_MS })
  const inside = new Outbound({ headMs: DEADLINE_MS, inside: INSIDE_TOO })

  async function attempt(row: Claimed, now: Date): Promise<Attempt> {
    const { webhook, body } = row
    const timestamp = Math.floor(now.getTime() / 1000)
    const secret = deps.sealer.open(webhook.secret, { kind: 'outgoing', organizationId: row.organizationId, id: webhook.id })
    const headers = {
      'content-type': 'application/json',
      'user-agent': `Slipway/${deps.config.version}`,
      'webhook-id': row.id,
      'webhook-timestamp': `${timestamp}`,
      'webhook-signature': sign(secret, row.id, timestamp, body),
    }
    const from = performance.now()
    const took = () => Math.round(performance.now() - from)
    const none = { headers, status: null, responseHeaders: null, responseBody: null }
    try {
      const request = { method: 'POST', headers, body, redirects: 0, signal: AbortSignal.timeout(DEADLINE_MS) }
      const answer = await (webhook.inside ? inside : outside).request(webhook.url, request)
      const responseBody = await readSome(answer)
      const { status } = answer
      const error = status >= 200 && status < 300 ? null : whyNot(status)
      return { headers, status, responseHeaders: shownHeaders(answer.headers), responseBody, error, durationMs: took() }
    } catch (error) {
      if (isAppError(error)) return { ...none, error: error.message, durationMs: took() }
      if ((error as Error | undefined)?.name === 'TimeoutError')
        return { ...none, error: `No whole answer within ${DEADLINE_MS / SECOND} seconds.`, durationMs: took() }
      throw error
    }
  }

  return {
    async handOn(tx, event) {
      const organization = await findOrganization(tx, event.organizationId)
      if (!organization) return []
      const hearing = (await listeners(tx, event)).filter((webhook) => hears(webhook, event))
      const rows = []
      for (const webhook of hearing) {
        if ((await countPending(tx, webhook.id)) >= MAX_PENDING) {
          await turnOff(tx, webhook, `More than ${MAX_PENDING} deliveries waited for it.`)
          continue
        }
        rows.push({
          id: newId('outgoingDelivery'),
          organizationId: event.organizationId,
          webhookId: webhook.id,
          dedupeKey: `${webhook.id}:${event.id}`,
          kind: event.kind,
          repository: event.repository,
          body: bodyOf(event, organization.slug),
        })
      }
      await createDeliveries(tx, rows)
      return rows.map((row) => row.id)
    },

    async deliver(id, now = new Date()) {
      const row = await claimDelivery(deps.db, id, LEASE_MS, now)
      if (!row) return 'nothing'
      const made = await attempt(row, now)
      const pause = made.error === null || made.status === 410 ? undefined : PAUSES[row.attempt - 1]
      const state = made.error === null ? 'delivered' : pause === undefined ? 'failed' : 'pending'
      await deps.db.$transaction(async (tx) => {
        await finishDelivery(tx, id, {
          state,
          requestHeaders: made.headers,
          status: made.status,
          responseHeaders: made.responseHeaders ?? {},
          responseBody: made.responseBody,
          error: made.error,
          durationMs: made.durationMs,
          nextAttemptAt: pause === undefined ? null : new Date(now.getTime() + pause),
          finishedAt: state === 'pending' ? null : now,
        })
        await noteHealth(tx, row.webhook, made, now)
      })
      return state === 'pending' ? 'again' : state
    },

    close() {
      outside.close()
      inside.close()
    },
  }
}

const hears = ({ repositories }: OutgoingWebhookRow, { repository }: EventRow): boolean =>
  repository === null || repositories.length === 0 || repositories.some((pattern) => globMatches(pattern, repository))

async function noteHealth(tx: Tx, webhook: OutgoingWebhookRow, { error, status }: Attempt, now: Date): Promise<void> {
  const { organizationId, id, failingSince } = webhook
  if (error === null) {
    if (failingSince) await updateOutgoing(tx, organizationId, id, { failingSince: null })
  } else if (status === 410) await turnOff(tx, webhook, 'It answered 410: gone for good.')
  else if (!failingSince) await updateOutgoing(tx, organizationId, id, { failingSince: now })
  else if (now.getTime() - failingSince.getTime() > FAILING_MS)
    await turnOff(tx, webhook, `It failed for three days; at last: ${error.slice(0, 300)}`)
}

/** Shown on its page and in the activity. */
async function turnOff(tx: Tx, { organizationId, id, name }: OutgoingWebhookRow, reason: string): Promise<void> {
  await updateOutgoing(tx, organizationId, id, { enabled: false, disabledReason: reason })
  const target = { targetType: 'outgoing', targetId: id, targetLabel: name }
  await writeAudit(tx, organizationId, {
    actorUserId: null,
    actorLabel: 'Slipway',
    action: 'outgoing.disable',
    ...target,
    data: { reason },
  })
}

const whyNot = (status: number): string =>
  status >= 300 && status < 400
    ? `It answered ${status}, a redirect, which is not followed. Enter the address it leads to.`
    : `It answered ${status}.`

/** The beginning of the answer: enough to see what is wrong, whatever else comes. */
async function readSome({ body }: OutboundAnswer): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of body as AsyncIterable<Buffer>) {
    chunks.push(chunk)
    length += chunk.byteLength
    if (length >= MAX_ANSWER) break // ends the stream
  }
  // Postgres keeps no NUL in a text.
  return Buffer.concat(chunks).subarray(0, MAX_ANSWER).toString('utf8').replaceAll('\0', '\uFFFD')
}

function shownHeaders(headers: OutboundAnswer['headers']): Record<string, string> {
  const shown: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers).slice(0, 50)) {
    if (name === 'set-cookie' || value === undefined) continue
    shown[name] = [value].flat().join(', ').slice(0, 500).replaceAll('\0', '')
  }
  return shown
}

export const tooManyWebhooks = (max: number) =>
  new AppError({
    kind: 'conflict',
    code: 'TOO_MANY_WEBHOOKS',
    message: `An organization has at most ${max} webhooks. Remove one first.`,
  })
