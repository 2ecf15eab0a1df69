/**
 * Hops 6 to 8: start → check → switch → drain → stop of the old.
 * Takes: a deployment id. Gives: the intended digest answering at the app's URL; or a failed deployment, the old one serving.
 */
import { setTimeout } from 'node:timers/promises'
import { channels, type DeploymentSettings, deploymentSettings } from '@slipway/contracts'
import { AppError, formatDuration, type Hop, type StepState, toAppError } from '@slipway/core'
import {
  claimDeployment,
  containersOfApp,
  type DeploymentRunRow,
  finishDeployment,
  heartbeatDeployment,
  moveDeployment,
  nextQueuedDeployment,
  noteVolumes,
  type Prisma,
  pointApp,
  pointAppBack,
  requeueDeployment,
  servingNumber,
  setHop,
  switchServing,
  updateContainer,
  updateDeployment,
} from '@slipway/db'
import { waitDrained } from '@slipway/ingress'
import { enqueue } from '@slipway/jobs'
import type { Deps } from '../deps'
import { isAgentAway, withAgent } from './agent-back'
import { waitHealthy } from './check'
import { CANCELED, deadlineOf, keepAlive } from './claim'
import {
  assertAlive,
  type ContainerPlan,
  portOf,
  type RunningContainer,
  recordExit,
  startContainer,
  stopAndRemove,
  tail,
  volumesOf,
} from './containers'
import { goneOrAs } from './gone'
import { ensureImage } from './images'
import { pinned } from './registry-access'
import { applyRoutes } from './route'

const ROUTER_RETRY_MS = 500

interface Replaced {
  engineId: string
  upstream: string | null
}

interface Run {
  deps: Deps
  deployment: DeploymentRunRow
  settings: DeploymentSettings
  signal: AbortSignal
  container: (RunningContainer & { port: number }) | null
}

export async function runDeployment(deps: Deps, deploymentId: string, deadline: AbortSignal): Promise<void> {
  const claim = await claimDeployment(deps.db, deploymentId, deps.hostId)
  // Busy: another deployment of the app is under way; it enqueues this one when it is over.
  if (claim.outcome !== 'claimed') return
  const { deployment } = claim
  const log = deps.log.child({ deploymentId, app: deployment.app.slug, number: deployment.number })
  const watch = keepAlive(deps, deploymentId, () => heartbeatDeployment(deps.db, deploymentId), deadline)
  const run: Run = { deps, deployment, settings: deploymentSettings.parse(deployment.settings), signal: watch.signal, container: null }
  tell(run)
  let replaced: Replaced[] = []
  try {
    await start(run)
    await check(run)
    replaced = await switchTraffic(run)
    log.info('deployment serves')
  } catch (error) {
    if (watch.isStopping()) await requeueDeployment(deps.db, deploymentId, new Date(Date.now() + 60_000))
    else {
      log.info({ err: error }, 'deployment ended without serving')
      await fail(run, watch.signal.aborted ? watch.signal.reason : error)
    }
  } finally {
    watch.end()
    tell(run)
    const next = deps.stopping.aborted ? null : await nextQueuedDeployment(deps.db, deployment.appId)
    if (next)
      await enqueue(deps.queues, 'deploy', { deploymentId: next }, (error) =>
        log.warn({ err: error }, 'the sweep will enqueue the next deployment'),
      )
  }
  await drain(run, replaced)
}

async function start(run: Run): Promise<void> {
  const { deps, deployment, signal } = run
  await hop(run, 'start', 'running')
  // Both find again what an attempt before them has made.
  run.container = await withAgent(deps, signal, async () => {
    const plan = await containerPlan(deps, deployment, run.settings, signal)
    return { ...(await startContainer(deps, plan)), port: plan.port }
  })
}

/** The image on the host, and with it everything that the container is made of. Also used to bring a lost container back. */
export async function containerPlan(
  deps: Deps,
  deployment: DeploymentRunRow,
  settings: DeploymentSettings,
  signal: AbortSignal,
): Promise<ContainerPlan> {
  const { app } = deployment
  const organization = app.organization.slug
  const reference = pinned(deployment.imageReference, deployment.imageDigest)
  const image = await ensureImage(deps, organization, reference, signal).catch(async (error: unknown) => {
    throw await goneOrAs(deps.db, deployment, error)
  })
  const volumes = volumesOf(image)
  // Before they are made: what deleting the app names is at least what there is.
  if (volumes.length > 0) await noteVolumes(deps.db, deployment.appId, volumes)
  if (!deployment.imageDigest && image.digest) await updateDeployment(deps.db, deployment.id, { imageDigest: image.digest })
  return {
    organizationId: app.organizationId,
    organization,
    appId: deployment.appId,
    appSlug: app.slug,
    deploymentId: deployment.id,
    number: deployment.number,
    // The image's own id: no tag can move between the look and the start.
    image: image.id,
    settings,
    port: portOf(settings, image),
    environment: await deps.deployments.environment(deployment.id),
    volumes,
  }
}

async function check(run: Run): Promise<void> {
  const { deps, deployment, container, settings, signal } = run
  if (!container) return
  await moveOn(run, 'checking')
  const from = Date.now()
  let told = from
  // An agent that is being restarted says nothing about the container, which lives on without it.
  const alive = () =>
    assertAlive(deps, container.engineId).catch((error) => {
      if (!isAgentAway(error)) throw error
    })
  await alive()
  await waitHealthy(
    { address: container.address, port: container.port, path: settings.healthPath, timeoutSeconds: settings.healthTimeoutSeconds },
    alive,
    signal,
    (attempt) => {
      if (attempt.ok || Date.now() - told < 1000) return
      told = Date.now()
      const seen = attempt.listening ? `${settings.healthPath} ${attempt.reason}` : `waiting for port ${container.port}`
      hop(run, 'start', 'running', seen).catch((error) =>
        deps.log.warn({ err: error, deploymentId: deployment.id }, 'could not write progress'),
      )
    },
  )
  await hop(run, 'start', 'done', `${formatDuration(container.startMs)} · healthy ${formatDuration(Date.now() - from)}`)
}

/**
 * Postgres first: from then on every computation of the routes, by whomever, sends traffic to the new container. It serves
 * when the router has taken them. Returns the containers that are no longer needed.
 */
async function switchTraffic(run: Run): Promise<Replaced[]> {
  const { deps, deployment } = run
  const from = Date.now()
  await moveOn(run, 'switching')
  await hop(run, 'switch', 'running')
  const others = (await containersOfApp(deps.db, deployment.organizationId, deployment.appId)).filter(
    (c) => c.deploymentId !== deployment.id,
  )
  if (!(await pointApp(deps.db, deployment.id))) throw CANCELED
  await routeTo(run)
  if (!(await switchServing(deps.db, deployment.id))) throw CANCELED
  await hop(run, 'switch', 'done', formatDuration(Date.now() - from))
  return others.map(({ engineId, address, port }) => ({ engineId, upstream: address ? `${address}:${port}` : null }))
}

/** A router that is being restarted is waited for, till the deployment's own deadline; the old version serves meanwhile. */
async function routeTo(run: Run): Promise<void> {
  const { deps, deployment, signal } = run
  for (;;) {
    try {
      return await applyRoutes(deps)
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'ROUTER_UNAVAILABLE') throw error
      deps.log.warn({ err: error, deploymentId: deployment.id }, 'the router does not take the new route; trying again')
      signal.throwIfAborted()
      await hop(run, 'switch', 'running', 'waiting for the router')
      await setTimeout(ROUTER_RETRY_MS, undefined, { signal })
    }
  }
}

/** Requests that the old containers had begun may end, up to the drain time; new ones no longer reach them. */
async function drain(run: Run, replaced: Replaced[]): Promise<void> {
  const { deps, settings } = run
  if (replaced.length === 0) return
  try {
    const upstreams = replaced.flatMap((c) => (c.upstream ? [c.upstream] : []))
    await waitDrained(upstreams, { timeoutMs: settings.drainSeconds * 1000, signal: deps.stopping })
  } catch (error) {
    if (deps.stopping.aborted) return // the sweep of the next worker removes them
    deps.log.warn({ err: error }, 'could not watch the old version drain')
  }
  for (const { engineId } of replaced) await discard(deps, engineId)
  tell(run)
}

async function fail(run: Run, cause: unknown): Promise<void> {
  const { deps, deployment, container } = run
  // Before its container ends, nobody may be sent there any more.
  if (await pointAppBack(deps.db, deployment.id))
    await applyRoutes(deps).catch((error) => deps.log.warn({ err: error, deploymentId: deployment.id }, 'the sweep will tell the router'))
  if (cause === CANCELED) {
    if (container) await discard(deps, container.engineId)
    await finishDeployment(deps.db, deployment.id, 'canceled', { code: 'CANCELED', message: 'Canceled.' })
    return
  }
  const error = toAppError(deadlineOf(cause, 'DEPLOY_TIMEOUT', 'The deployment took longer than 15 minutes and was ended. Deploy again.'))
  if (error.kind === 'internal') deps.log.error({ err: cause, deploymentId: deployment.id }, 'deployment failed by a fault of ours')
  const details: Record<string, unknown> = { ...error.details }
  if (container) {
    details.lastLines ??= await tail(deps, container.engineId)
    await discard(deps, container.engineId)
  }
  const serving = await servingNumber(deps.db, deployment.appId)
  const message = serving === null || serving === deployment.number ? error.message : `${error.message} #${serving} keeps serving.`
  await finishDeployment(deps.db, deployment.id, 'failed', { code: error.code, message, details: details as Prisma.InputJsonObject })
}

async function discard(deps: Deps, engineId: string): Promise<void> {
  try {
    await recordExit(deps, engineId)
    await stopAndRemove(deps, engineId)
    await updateContainer(deps.db, engineId, { state: 'removed', finishedAt: new Date() })
  } catch (error) {
    deps.log.warn({ err: error, engineId }, 'the sweep will remove the container')
  }
}

async function moveOn(run: Run, to: 'checking' | 'switching'): Promise<void> {
  if (!(await moveDeployment(run.deps.db, run.deployment.id, to))) throw CANCELED
  tell(run)
}

async function hop(run: Run, name: Hop, state: StepState, proof?: string): Promise<void> {
  await setHop(run.deps.db, run.deployment.id, name, state, proof)
  tell(run)
}

function tell({ deps, deployment }: Run): void {
  for (const channel of [
    channels.deployment(deployment.id),
    channels.app(deployment.appId),
    channels.organization(deployment.organizationId),
  ])
    deps.signals.publish(channel)
}
