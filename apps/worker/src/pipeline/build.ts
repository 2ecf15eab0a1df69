/**
 * Hops 3 to 5 as one job: checkout → plan → build → publish, then a deployment is made of it.
 * Takes: a build id. Gives: a manifest digest, and a deployment on the queue.
 */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { channels, inputs, keptDockerfile, OWN_REGISTRY_HOST } from '@slipway/contracts'
import { AppError, toAppError } from '@slipway/core'
import {
  type BuildRunRow,
  claimBuild,
  finishBuild,
  heartbeatBuild,
  nextQueuedBuild,
  type Prisma,
  requeueBuild,
  updateRunningBuild,
} from '@slipway/db'
import { enqueue } from '@slipway/jobs'
import { openBuildSecrets } from '@slipway/services'
import type { Deps } from '../deps'
import { withAgent } from './agent-back'
import { attest } from './attest'
import { checkout } from './checkout'
import { CANCELED, deadlineOf, keepAlive } from './claim'
import { execute } from './execute'
import { buildLimits } from './limits'
import { buildOutput, datedArgs } from './output'
import { plan } from './plan'
import { type BuiltFrom, provenance } from './provenance'
import { branchTag, publish } from './publish'
import { BuildRecorder } from './recorder'
import { sharedCache, sharedCacheLines } from './shared-cache'

export async function runBuild(deps: Deps, buildId: string, deadline: AbortSignal): Promise<void> {
  const claim = await claimBuild(deps.db, buildId)
  // Busy: another build of the app is at work; it enqueues this one when it is over.
  if (claim.outcome !== 'claimed') return
  const { build } = claim
  const log = deps.log.child({ buildId, app: build.app.slug, number: build.number })
  const watch = keepAlive(deps, buildId, () => heartbeatBuild(deps.db, buildId), deadline)
  const recorder = await BuildRecorder.open(deps, buildId)
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
    await rm(directory, { recursive: true, force: true })
    tell(deps, build)
    const next = deps.stopping.aborted ? null : await nextQueuedBuild(deps.db, build.appId)
    if (next)
      await enqueue(deps.queues, 'build', { buildId: next }, (error) => log.warn({ err: error }, 'the sweep will enqueue the next build'))
  }
}

async function stages(deps: Deps, build: BuildRunRow, directory: string, recorder: BuildRecorder, signal: AbortSignal): Promise<void> {
  const { app } = build
  const organization = app.organization.slug
  if (!app.gitUrl || !app.gitBranch)
    throw new AppError({
      kind: 'bad-input',
      code: 'NO_REPOSITORY',
      message: 'The app has no repository to build from. Set one in its settings.',
    })
  const say = (line: string) =>
    void recorder.say(line).catch((error) => deps.log.warn({ err: error }, 'could not write a line of the build log'))
  const note = async (facts: Prisma.BuildUncheckedUpdateManyInput) => {
    await updateRunningBuild(deps.db, build.id, facts)
    tell(deps, build)
  }

  say(`Fetching branch ${app.gitBranch} of ${app.gitUrl}`)
  const secrets = openBuildSecrets(deps, build)
  const tree = await checkout(
    { url: app.gitUrl, branch: app.gitBranch, token: secrets.gitToken, sha: build.commitSha },
    directory,
    signal,
    say,
  )
  const { commit } = tree
  say(`At ${commit.sha.slice(0, 7)} ${commit.message}`)
  await note({
    phase: 'plan',
    branch: app.gitBranch,
    commitSha: commit.sha,
    commitMessage: commit.message,
    commitAuthor: commit.author,
    commitAt: commit.at,
  })

  const source = {
    organization,
    directory: tree.directory,
    contextPath: app.contextPath,
    dockerfilePath: app.dockerfilePath,
    kept: keptDockerfile.safeParse(app.keptDockerfile).data ?? null,
    target: app.target,
    buildArgs: datedArgs(app, secrets.buildArgs, commit.at),
    namedContexts: Object.fromEntries(inputs.namedContexts.parse(app.namedContexts).map(({ name, value }) => [name, value])),
    scratch: join(directory, 'contexts'),
  }
  let dockerfile = { text: '', origin: '' }
  const planned = await plan(deps, source, signal, say, async ({ text, findings, origin }) => {
    dockerfile = { text, origin: origin.kind }
    // NUL is no text to Postgres; such a file is refused right after.
    if (!text.includes('\0'))
      await note({ dockerfile: text, findings: findings as unknown as Prisma.InputJsonArray, dockerfileOrigin: origin })
  })
  for (const warning of planned.warnings) say(`warning: ${warning}`)

  await note({ phase: 'build' })
  const repository = `${OWN_REGISTRY_HOST}/${organization}/${app.slug}`
  const tags = [`build-${build.number}`, branchTag(app.gitBranch)]
  const request = {
    id: build.id,
    scope: app.organizationId,
    plan: planned.plan,
    tags: tags.map((tag) => `${repository}:${tag}`),
    noCache: build.noCache,
    limits: buildLimits(app),
    cache: sharedCache(app, repository),
    output: buildOutput(app, planned.sourceDateEpoch),
  }
  const result = await execute(deps, request, planned, recorder, signal, secrets.buildSecrets)
  for (const line of result.sharedCache ? sharedCacheLines(result.sharedCache) : []) say(line)

  const finishedAt = new Date()
  await note({ phase: 'publish' })
  const from = Date.now()
  const published = await withAgent(deps, signal, () => publish(deps, repository, tags, signal, say))
  const publishMs = Date.now() - from
  const { digest } = published
  const builtFrom: BuiltFrom = {
    repository,
    digest,
    gitUrl: app.gitUrl,
    branch: app.gitBranch,
    commit,
    dockerfile,
    plan: planned.plan,
    buildArgs: secrets.buildArgs,
    startedAt: build.startedAt ?? finishedAt,
    finishedAt,
  }
  const wanted = {
    repository,
    digest,
    sbomOf: app.sbom ? (request.tags[0] ?? null) : null,
    provenance: app.provenance ? () => provenance(build, builtFrom, installation(deps)) : null,
  }
  await attest(deps, wanted, signal, say)
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

function tell(deps: Deps, build: BuildRunRow): void {
  for (const channel of [channels.build(build.id), channels.app(build.appId), channels.organization(build.organizationId)])
    deps.signals.publish(channel)
}
