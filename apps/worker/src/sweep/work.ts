import {
  deletedApps,
  finishBuild,
  finishDeployment,
  finishInspection,
  forgetInspections,
  openBuilds,
  openDeployments,
  openInspections,
  requeueBuild,
  requeueDeployment,
  requeueInspection,
  stoppedAppsStillRunning,
  undeployedBuilds,
} from '@slipway/db'
import { enqueue, enqueueTurn, waitingJobs } from '@slipway/jobs'
import type { Deps } from '../deps'

/** Five missed beats. Together with the sweep's own period this ends stuck work well within a minute. */
const STALE_MS = 15_000
/** Older ones are history: an app whose autodeploy was off meanwhile must not be surprised by them. */
const UNDEPLOYED_MS = 10 * 60_000
/** Work that has taken its worker down with it this often is not tried again. */
const MAX_ATTEMPTS = 3

/** What a look at a repository told is read at once; its row is kept this long. */
const INSPECTION_KEPT_MS = 60 * 60_000
/** Nobody waits longer for one. */
const INSPECTION_WAIT_MS = 5 * 60_000

const LOST = {
  code: 'WORKER_LOST',
  message: 'The worker ended three times while it was at this. Look at its log, then try again.',
}

/** Puts on the queues what Postgres says is open and has no job: after a crash, a wiped Redis, or a lost enqueue. */
export async function sweepWork(deps: Deps): Promise<void> {
  const staleBefore = new Date(Date.now() - STALE_MS)
  const warn = (error: unknown) => deps.log.warn({ err: error }, 'could not enqueue; the next sweep tries again')

  const builds = await openBuilds(deps.db, staleBefore)
  for (const build of builds.stale) {
    if (build.cancelRequestedAt) await finishBuild(deps.db, build.id, 'canceled')
    else if (build.attempt >= MAX_ATTEMPTS) await finishBuild(deps.db, build.id, 'failed', { error: LOST })
    else if (await requeueBuild(deps.db, build.id, staleBefore)) {
      deps.log.warn({ buildId: build.id }, 'taking up a build whose worker was lost')
      await enqueueTurn(deps.queues, build.id, warn)
    }
  }
  for (const build of builds.waiting) if (build.cancelRequestedAt) await finishBuild(deps.db, build.id, 'canceled')
  // Any turn takes any build, so only when none is left were some lost: adding more each time would fill the queue.
  if (builds.waiting.length > 0 && (await waitingJobs(deps.queues, 'build', warn)) === 0)
    for (const build of builds.waiting) if (!build.cancelRequestedAt) await enqueueTurn(deps.queues, build.id, warn)

  const deployments = await openDeployments(deps.db, staleBefore)
  for (const deployment of deployments.stale) {
    if (deployment.cancelRequestedAt) await finishDeployment(deps.db, deployment.id, 'canceled')
    else if (deployment.attempt >= MAX_ATTEMPTS) await finishDeployment(deps.db, deployment.id, 'failed', LOST)
    else if (await requeueDeployment(deps.db, deployment.id, staleBefore)) {
      deps.log.warn({ deploymentId: deployment.id }, 'taking up a deployment whose worker was lost')
      await enqueue(deps.queues, 'deploy', { deploymentId: deployment.id }, warn)
    }
  }
  for (const deployment of deployments.waiting) {
    if (deployment.cancelRequestedAt) await finishDeployment(deps.db, deployment.id, 'canceled')
    else await enqueue(deps.queues, 'deploy', { deploymentId: deployment.id }, warn)
  }

  await sweepInspections(deps, staleBefore)

  // The worker died between the image and its deployment.
  for (const buildId of await undeployedBuilds(deps.db, new Date(Date.now() - UNDEPLOYED_MS)))
    await deps.deployments.createFromBuild(buildId)

  const unconverged = [...(await deletedApps(deps.db)).map((app) => app.id), ...(await stoppedAppsStillRunning(deps.db))]
  for (const appId of unconverged) await enqueue(deps.queues, 'converge', { appId }, warn)
}

async function sweepInspections(deps: Deps, staleBefore: Date): Promise<void> {
  const warn = (error: unknown) => deps.log.warn({ err: error }, 'could not enqueue; the next sweep tries again')
  const { waiting, stale } = await openInspections(deps.db, staleBefore)
  const late = new Date(Date.now() - INSPECTION_WAIT_MS)
  for (const { id, attempt } of stale)
    if (attempt >= MAX_ATTEMPTS) await finishInspection(deps.db, id, 'failed', { error: LOST })
    else if (await requeueInspection(deps.db, id, staleBefore)) await enqueue(deps.queues, 'inspect', { inspectionId: id }, warn)
  for (const { id, createdAt } of waiting)
    if (createdAt < late) await finishInspection(deps.db, id, 'canceled')
    else await enqueue(deps.queues, 'inspect', { inspectionId: id }, warn)
  await forgetInspections(deps.db, new Date(Date.now() - INSPECTION_KEPT_MS))
}
