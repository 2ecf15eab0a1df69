/**
 * takes: a request of a Git server · gives: a build's id on the queue
 *
 * limit → provider → signature → delivery id → push or pull request → branch → build. Every request to a known webhook is recorded with its
 * outcome; nothing that an unverified sender writes can burn a delivery id or push out the record of a real push.
 */
import { createHash } from 'node:crypto'
import { channels } from '@slipway/contracts'
import { toAppError } from '@slipway/core'
import {
  cancelBuildsOfPullRequest,
  countRefusedSince,
  createDelivery,
  findWebhook,
  isUniqueViolation,
  type NewDelivery,
  setDeliveryOutcome,
  type Tx,
  trimDeliveries,
  waitingPullRequestBuilds,
} from '@slipway/db'
import { announceBuild, type CreatedBuild, insertBuild } from '../builds/create'
import { announce, type Deps } from '../deps'
import { readBody } from '../read-body'
import type { WebhooksService } from '../services'
import { type Parsed, parseDelivery } from './delivery'
import type { PullRequest } from './pull-request'
import type { Push } from './push'
import { type Sender, senderOf, verifySignature } from './verify'

type Webhook = NonNullable<Awaited<ReturnType<typeof findWebhook>>>
type Answer = Awaited<ReturnType<WebhooksService['receive']>>
type Outcome = Pick<NewDelivery, 'outcome' | 'status' | 'reason'>

/** Design rule 5; GitHub itself sends up to 25 MB, for pushes of thousands of commits. */
const MAX_BODY = 1_000_000
/** Refused requests recorded per webhook and minute; more of them are answered, but leave no row. */
const MAX_REFUSED_PER_MINUTE = 20
/** Of one app. Anybody may open pull requests of a public repository, as many as they like. */
const MAX_WAITING_PULL_REQUESTS = 20
const PROVIDER_NAME = { github: 'GitHub', gitlab: 'GitLab', gitea: 'Gitea' }

const answer = ({ status, outcome, reason }: Outcome, build: number | null = null): Answer => ({ status, body: { outcome, reason, build } })
const refused = (status: number, reason: string): Outcome => ({ outcome: 'refused', status, reason })
const ignored = (reason: string): Outcome => ({ outcome: 'ignored', status: 200, reason })

export const receiveMethod =
  (deps: Deps): WebhooksService['receive'] =>
  async (webhookId, request) => {
    try {
      const webhook = webhookId.length <= 64 ? await findWebhook(deps.db, webhookId) : null
      if (!webhook || webhook.app.deletedAt)
        return answer(refused(404, 'There is no such webhook. Copy the address again from the app’s webhook page.'))
      return await receive(deps, webhook, request)
    } catch (thrown) {
      const error = toAppError(thrown)
      deps.log.error({ err: thrown, webhook: webhookId.slice(0, 64) }, 'a webhook delivery failed')
      return answer(refused(error.status, error.message))
    }
  }

async function receive(deps: Deps, webhook: Webhook, request: Request): Promise<Answer> {
  const sender = senderOf(request.headers)
  let body: Buffer
  try {
    body = await readBody(request, MAX_BODY)
  } catch (thrown) {
    const { status, message } = toAppError(thrown)
    return refuse(deps, webhook, sender, 0, refused(status, message))
  }
  if (!sender)
    return refuse(deps, webhook, sender, body.length, refused(400, 'No event header of GitHub, GitLab, Gitea or Forgejo was sent.'))
  const secret = deps.sealer.open(webhook.secret, { kind: 'webhook', organizationId: webhook.organizationId, id: webhook.id })
  const verdict = verifySignature(sender, request.headers, body, secret)
  if (!verdict.ok) return refuse(deps, webhook, sender, body.length, refused(401, verdict.reason))
  return accept(deps, webhook, sender, request.headers.get('content-type'), body)
}

const columns = (webhook: Webhook, sender: Sender | null, bytes: number) => ({
  organizationId: webhook.organizationId,
  webhookId: webhook.id,
  provider: sender?.provider ?? 'unknown',
  event: sender?.event.slice(0, 100) ?? null,
  deliveryId: sender?.deliveryId?.slice(0, 200) ?? null,
  bytes,
})

/** Not verified: recorded without a dedupe key, and not without end. */
async function refuse(deps: Deps, webhook: Webhook, sender: Sender | null, bytes: number, outcome: Outcome): Promise<Answer> {
  if ((await countRefusedSince(deps.db, webhook.id, new Date(Date.now() - 60_000))) < MAX_REFUSED_PER_MINUTE) {
    await createDelivery(deps.db, { ...columns(webhook, sender, bytes), ...outcome }, null)
    await trimDeliveries(deps.db, webhook.id)
    announce(deps, { organizationId: webhook.organizationId, appId: webhook.appId })
  }
  return answer(outcome)
}

async function accept(deps: Deps, webhook: Webhook, sender: Sender, contentType: string | null, body: Buffer): Promise<Answer> {
  // Without an id the body itself is what may not be repeated.
  const id = sender.deliveryId ?? createHash('sha256').update(body).digest('hex')
  const dedupeKey = `${webhook.id}:${sender.provider}:${id.slice(0, 200)}`
  const parsed = parseDelivery(sender, contentType, body)
  const row = { ...columns(webhook, sender, body.length), ...subjectOf(parsed) }
  const outcome = judge(webhook, parsed)

  try {
    const done = await deps.db.$transaction(async (tx): Promise<Done> => {
      // The key first: of two at once the second waits here, then fails, and its transaction leaves nothing.
      const first = outcome ?? { outcome: 'accepted' as const, status: 202, reason: 'A build was started.' }
      const delivery = await createDelivery(tx, { ...row, ...first }, dedupeKey)
      await trimDeliveries(tx, webhook.id)
      if (outcome) return { outcome }
      const made = await act(tx, webhook, PROVIDER_NAME[sender.provider], parsed)
      await setDeliveryOutcome(tx, delivery.id, { ...made.outcome, buildId: made.build?.id ?? null })
      return made
    })
    for (const id of done.canceled ?? []) deps.signals.publish(channels.cancel, id)
    if (done.build) await announceBuild(deps, webhook.app, done.build)
    else announce(deps, { organizationId: webhook.organizationId, appId: webhook.appId, buildIds: done.canceled ?? [] })
    return answer(done.outcome, done.build?.number ?? null)
  } catch (error) {
    if (!isUniqueViolation(error, 'dedupeKey')) throw error
    const duplicate: Outcome = { outcome: 'duplicate', status: 200, reason: 'This delivery was received before; nothing was done again.' }
    await createDelivery(deps.db, { ...row, ...duplicate }, null)
    await trimDeliveries(deps.db, webhook.id)
    announce(deps, { organizationId: webhook.organizationId, appId: webhook.appId })
    return answer(duplicate)
  }
}

/** What a delivery led to: a build that was started, or open ones that were canceled. */
interface Done {
  outcome: Outcome
  build?: CreatedBuild
  canceled?: string[]
}

function subjectOf(parsed: Parsed): { branch: string | null; commitSha: string | null } {
  if (parsed.kind === 'push') return { branch: parsed.push.branch.slice(0, 255), commitSha: parsed.push.commit.sha }
  if (parsed.kind === 'pull-request') return { branch: parsed.pullRequest.head, commitSha: parsed.pullRequest.sha }
  return { branch: null, commitSha: null }
}

const accepted = (reason: string): Outcome => ({ outcome: 'accepted', status: 202, reason })

/** In the delivery's transaction, for what `judge` lets pass. */
async function act(tx: Tx, { app }: Webhook, provider: string, parsed: Parsed): Promise<Done> {
  if (parsed.kind === 'push') {
    const { branch, commit } = parsed.push
    const build = await insertBuild(tx, app, { trigger: 'push', actorLabel: commit.author ?? provider, branch, commit })
    return { outcome: accepted(`Build #${build.number} was started.`), build }
  }
  if (parsed.kind !== 'pull-request') return { outcome: ignored(parsed.reason) }
  const { pullRequest, change } = parsed
  const name = nameOf(pullRequest)
  if (change === 'closed') {
    const reason = { code: 'PULL_REQUEST_CLOSED', message: 'The pull request was closed.' }
    const canceled = await cancelBuildsOfPullRequest(tx, app.organizationId, app.id, pullRequest.number, reason)
    if (canceled.length === 0) return { outcome: ignored(`${name} was closed; no build of it was open.`) }
    const numbers = canceled.map((build) => `#${build.number}`).join(', ')
    return { outcome: accepted(`${name} was closed: build ${numbers} is canceled.`), canceled: canceled.map(({ id }) => id) }
  }
  if ((await waitingPullRequestBuilds(tx, app.organizationId, app.id)) >= MAX_WAITING_PULL_REQUESTS)
    return { outcome: ignored(`${MAX_WAITING_PULL_REQUESTS} builds of pull requests wait already. ${name} is built with its next commit.`) }
  const { number, title, ref, fromFork, author, head, sha } = pullRequest
  const build = await insertBuild(tx, app, {
    trigger: 'pull_request',
    actorLabel: author || provider,
    branch: head,
    commit: { sha, message: null, author: null, at: null },
    pullRequest: { number, title, ref, fromFork },
  })
  return { outcome: accepted(`Build #${build.number} of ${lower(name)}${fromFork ? ', from a fork,' : ''} was started.`), build }
}

const nameOf = ({ number, ref }: PullRequest) =>
  ref.startsWith('refs/merge-requests/') ? `Merge request !${number}` : `Pull request #${number}`
const lower = (name: string) => name.charAt(0).toLowerCase() + name.slice(1)

/** Why a verified delivery does nothing; null when it does something. */
function judge(webhook: Webhook, parsed: Parsed): Outcome | null {
  if (parsed.kind === 'push') return judgePush(webhook, parsed.push)
  if (parsed.kind === 'pull-request') return parsed.change === 'closed' ? null : judgePullRequest(webhook, parsed.pullRequest)
  return parsed.kind === 'ignored' ? ignored(parsed.reason) : refused(400, parsed.reason)
}

function judgePullRequest({ app }: Webhook, pullRequest: PullRequest): Outcome | null {
  if (app.source !== 'git') return ignored('This app has no repository to build.')
  if (pullRequest.base !== app.gitBranch)
    return ignored(
      `The app is built from ${app.gitBranch}; ${lower(nameOf(pullRequest))} is to be merged into ${pullRequest.base.slice(0, 200)}.`,
    )
  if (!app.buildPullRequests) return ignored('Pull requests of this app are not built. Turn that on in its settings.')
  return null
}

/** Why a verified push starts no build; null when it does. */
function judgePush({ app }: Webhook, push: Push): Outcome | null {
  if (app.source !== 'git') return ignored('This app has no repository to build.')
  if (push.branch !== app.gitBranch)
    return ignored(`The app is built from ${app.gitBranch}; this push was to ${push.branch.slice(0, 200)}.`)
  if (push.deleted) return ignored('The branch was deleted.')
  if (!app.autoDeploy) return ignored('Automatic deploys are off for this app.')
  if (app.desiredState === 'stopped') return ignored('The app is stopped. Start it to have pushes deployed again.')
  return null
}
