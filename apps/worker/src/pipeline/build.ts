/**
 * Hops 3 to 5 as one job: checkout → plan → build → publish, then a deployment is made of it. Of a pull request it ends with the build.
 * Takes: a turn. Gives: a manifest digest, and a deployment on the queue.
 */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { channels, OVER, OWN_REGISTRY_HOST } from '@slipway/contracts'
import { toAppError } from '@slipway/core'
import { type BuildRunRow, claimBuild, finishBuild, heartbeatBuild, nextQueuedBuild, type Prisma, requeueBuild } from '@slipway/db'
import { formatPlatform } from '@slipway/dockerfile'
import { enqueueTurn } from '@slipway/jobs'
import { answerSafely, type SshAgent } from '@slipway/outbound/ssh'
import { openBuildSecrets } from '@slipway/services'
import type { Deps } from '../deps'
import { withAgent } from './agent-back'
import { attest } from './attest'
import { CANCELED, deadlineOf, keepAlive } from './claim'
import { execute } from './execute'
import { withoutTrust } from './fork'
import { buildLimits } from './limits'
import { buildOutput, datedArgs, isReproducible, UPLOADED_AT } from './output'
import { plan } from './plan'
import { type BuiltFrom, provenance } from './provenance'
import { publish } from './publish'
import { BuildRecorder } from './recorder'
import { pullRequestCache, sharedCache, sharedCacheLines } from './shared-cache'
import { sourceOf } from './source'
import { agentOfKey, sshIdentity } from './ssh'
import { forwardedAgents } from './ssh-forward'

/** One turn: the build whose turn it is, which need not be the one whose job brought the turn. */
export async function runBuild(deps: Deps, deadline: AbortSignal): Promise<void> {
  const build = await claimBuild(deps.db)
  // What waits, if anything, waits for another build of its app, which gives a turn when it is over.
  if (build === null) return
  const buildId = build.id
  const log = deps.log.child({ buildId, app: build.app.slug, number: build.number })
  const watch = keepAlive(deps, buildId, () => heartbeatBuild(deps.db, buildId), deadline)
  const recorder = await BuildRecorder.open(deps, build)
  const directory = join(deps.env.SLIPWAY_DATA, 'checkouts', buildId)
  tell(deps, build)
  try {
    await stages(deps, build, directory, recorder, watch.signal)
    log.info('build succeeded')
  } catch (error) {
    if (watch.isStopping()) {
      await recorder.say('The worker was stopped; the build is taken up again when it is back.')
      await requeueBuild(deps.db, buildId, new Date(Date.now() + 60_000))
    } else {
      log.info({ err: error }, 'build ended without an image')
      await fail(deps, build, recorder, watch.signal.aborted ? watch.signal.reason : error)
    }
  } finally {
    watch.end()
    await recorder.flush().catch((error) => log.error({ err: error }, 'could not write the end of the build log'))
    tell(deps, build, OVER)
    await rm(directory, { recursive: true, force: true })
    const next = deps.stopping.aborted ? null : await nextQueuedBuild(deps.db, build.appId)
    if (next) await enqueueTurn(deps.queues, next, (error) => log.warn({ err: error }, 'the sweep will enqueue the next build'))
  }
}

type Say = (line: string) => void

async function stages(deps: Deps, build: BuildRunRow, directory: string, recorder: BuildRecorder, signal: AbortSignal): Promise<void> {
  const say: Say = (line) =>
    void recorder.say(line).catch((error) => deps.log.warn({ err: error }, 'could not write a line of the build log'))
  const { deployKey, forwarded, ...secrets } = openBuildSecrets(deps, build)
  const theirs = forwardedAgents(deps.signals, build.id, forwarded, say)
  try {
    const ssh = { ...(deployKey !== null && { default: agentOfKey(deployKey) }), ...theirs.agents }
    await stagesWith(deps, build, { ...secrets, ssh }, directory, recorder, signal, say)
  } finally {
    theirs.end()
  }
}

type Given = Omit<ReturnType<typeof openBuildSecrets>, 'deployKey' | 'forwarded'> & { ssh: Record<string, SshAgent> }

async function stagesWith(
  deps: Deps,
  build: BuildRunRow,
  secrets: Given,
  directory: string,
  recorder: BuildRecorder,
  signal: AbortSignal,
  say: Say,
): Promise<void> {
  const { app } = build
  const organization = app.organization.slug
  // Written in order, while the work goes on; whoever ends the build waits for it.
  const note = (facts: Prisma.BuildUncheckedUpdateManyInput) => recorder.note(facts, () => tell(deps, build))
  const ssh = sshIdentity(deps, app.organizationId, secrets.ssh.default ?? null)
  const source = await sourceOf(build, { gitToken: secrets.gitToken, ssh }, directory, signal, say, note)

  const { from } = source
  const reproducible = isReproducible(app, source.form)
  const args = datedArgs(reproducible, secrets.buildArgs, from.kind === 'git' ? from.commit.at : UPLOADED_AT)
  if (from.kind === 'upload' && args !== secrets.buildArgs)
    say('Reproducible: an upload has no commit, so all is dated 1970-01-01. --build-arg SOURCE_DATE_EPOCH=<seconds> gives another date.')
  let dockerfile = { text: '', origin: '' }
  const secretNames = app.variables.filter((variable) => variable.scope === 'build' && variable.secret).map(({ key }) => key)
  const outside = build.fromFork ? { organization: null, ssh: null } : { organization, ssh }
  const given = { ...outside, buildArgs: args, secrets: secretNames, ...source.files }
  const planned = await plan(deps, given, signal, say, ({ text, findings, origin }) => {
    dockerfile = { text, origin: origin.kind }
    // NUL is no text to Postgres; such a file is refused right after.
    if (!text.includes('\0')) note({ dockerfile: text, findings: findings as unknown as Prisma.InputJsonArray, dockerfileOrigin: origin })
  })
  for (const warning of planned.warnings) say(`warning: ${warning}`)
  if (build.fromFork) for (const line of withoutTrust(planned)) say(line)

  note({ phase: 'build' })
  const repository = `${OWN_REGISTRY_HOST}/${organization}/${app.slug}`
  const tags = [`build-${build.number}`, source.tag]
  const request = {
    id: build.id,
    scope: app.organizationId,
    plan: planned.plan,
    tags: tags.map((tag) => `${repository}:${tag}`),
    noCache: build.noCache,
    limits: buildLimits(app, deps.env.SLIPWAY_BUILD_CONCURRENCY),
    cache: build.pullRequest === null ? sharedCache(app, repository) : pullRequestCache(sharedCache(app, repository), build.fromFork),
    ...(build.pullRequest !== null && { keep: false }),
    output: buildOutput(app, source.form, planned.sourceDateEpoch),
    ...(from.kind === 'upload' && { context: { tree: from.tree } }),
  }
  const result = await execute(deps, request, planned, recorder, signal, {
    buildSecrets: secrets.buildSecrets,
    ssh: Object.fromEntries(
      Object.entries(build.fromFork ? {} : secrets.ssh).map(([id, agent]) => [id, (message) => answerSafely(agent, message)]),
    ),
  })
  for (const line of result.sharedCache ? sharedCacheLines(result.sharedCache) : []) say(line)
  if (!source.publishes) {
    if (build.pullRequest !== null) say('The image was made and is not kept: one of a pull request is neither published nor deployed.')
    await recorder.flush()
    if (!(await finishBuild(deps.db, build.id, 'succeeded', { facts: { imageSize: BigInt(result.size) } }))) throw CANCELED
    tell(deps, build, OVER)
    return
  }

  const finishedAt = new Date()
  note({ phase: 'publish' })
  const since = Date.now()
  const published = await withAgent(deps, signal, () =>
    publish(deps, { organizationId: app.organizationId, repository }, tags, signal, say),
  )
  const publishMs = Date.now() - since
  const { digest } = published
  const images = result.platforms ?? [{ platform: formatPlatform(planned.plan.platform), manifestDigest: digest }]
  for (const { platform, manifestDigest } of images) {
    if (images.length > 1) say(`Of the image for ${platform}:`)
    const made: BuiltFrom = {
      repository,
      digest: manifestDigest,
      platform,
      source: from,
      dockerfile,
      plan: planned.plan,
      gitContexts: planned.gitContexts,
      uploadedContexts: planned.uploadedContexts,
      fetched: recorder.fetched,
      buildArgs: secrets.buildArgs,
      secrets: Object.keys(secrets.buildSecrets),
      startedAt: build.startedAt ?? finishedAt,
      finishedAt,
    }
    const wanted = {
      repository,
      digest: manifestDigest,
      // By its digest only where the name is of an index: a push may have packed the one image anew.
      sbomOf: app.sbom ? (images.length > 1 ? `${repository}@${manifestDigest}` : (request.tags[0] ?? null)) : null,
      provenance: app.provenance ? () => provenance(build, made, installation(deps)) : null,
    }
    await attest(deps, wanted, signal, say)
  }
  await recorder.flush()
  const facts = {
    imageRepository: repository,
    manifestDigest: digest,
    imageSize: BigInt(result.size),
    bytesSent: published.bytesSent === null ? null : BigInt(published.bytesSent),
    publishMs,
  }
  if (!(await finishBuild(deps.db, build.id, 'succeeded', { facts }))) throw CANCELED
  await deps.deployments.createFromBuild(build.id)
}

const installation = ({ env }: Deps) => ({ webUrl: env.SLIPWAY_WEB_URL.replace(/\/+$/, ''), version: env.SLIPWAY_VERSION })

async function fail(deps: Deps, build: BuildRunRow, recorder: BuildRecorder, cause: unknown): Promise<void> {
  // What it was built from is told of a build that failed, too.
  await recorder.flush().catch((error) => deps.log.error({ err: error, buildId: build.id }, 'could not write what a failed build said'))
  if (cause === CANCELED) {
    await deps.agent.cancelBuild(build.id).catch((error) => deps.log.warn({ err: error }, 'could not tell the agent of a canceled build'))
    await recorder.say('Canceled.')
    await finishBuild(deps.db, build.id, 'canceled')
    return
  }
  const error = toAppError(
    deadlineOf(
      cause,
      'BUILD_TIMEOUT',
      'The build took longer than 45 minutes and was ended. Make it smaller, or split it into stages that can be cached.',
    ),
  )
  if (error.kind === 'internal') deps.log.error({ err: cause, buildId: build.id }, 'build failed by a fault of ours')
  await recorder.say(`${error.code}: ${error.message}`)
  await finishBuild(deps.db, build.id, 'failed', {
    error: { code: error.code, message: error.message, details: error.details as Prisma.InputJsonObject },
  })
}

function tell(deps: Deps, build: BuildRunRow, payload?: typeof OVER): void {
  deps.signals.publish(channels.build(build.id), payload)
  for (const channel of [channels.app(build.appId), channels.organization(build.organizationId)]) deps.signals.publish(channel)
}
