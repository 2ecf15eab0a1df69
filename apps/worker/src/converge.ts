/**
 * Makes the host and the router match what Postgres says of one app: stopped, running again, or gone.
 * Takes: an app id. Gives: nothing left to do; may be run at any time, any number of times.
 */
import { agentError, engineStatus } from '@slipway/agent-client'
import { channels, deploymentSettings, OWN_REGISTRY_HOST } from '@slipway/contracts'
import { AppError } from '@slipway/core'
import { containersOfApp, findAppToConverge, findDeploymentRun, purgeApp, updateContainer } from '@slipway/db'
import type { Deps } from './deps'
import { withAgent } from './pipeline/agent-back'
import { waitHealthy } from './pipeline/check'
import { addressOf, assertAlive, inspect, LABELS, startContainer, stopAndRemove } from './pipeline/containers'
import { containerPlan } from './pipeline/deploy'
import { removeUnusedNetworks } from './pipeline/networks'
import { applyRoutes } from './pipeline/route'

type App = NonNullable<Awaited<ReturnType<typeof findAppToConverge>>>

export async function convergeApp(deps: Deps, appId: string, signal: AbortSignal): Promise<void> {
  const app = await findAppToConverge(deps.db, appId)
  if (!app) return
  try {
    await withAgent(deps, signal, async () => {
      if (app.deletedAt) await remove(deps, app)
      else if (app.desiredState === 'stopped') await stop(deps, app)
      else await revive(deps, app, signal)
    })
  } finally {
    deps.signals.publish(channels.app(appId))
    deps.signals.publish(channels.organization(app.organizationId))
  }
}

/** The route goes first, so that nobody is sent to a container that is about to end. The container itself is kept. */
async function stop(deps: Deps, app: App): Promise<void> {
  await applyRoutes(deps)
  for (const row of await containersOfApp(deps.db, app.organizationId, app.id)) {
    try {
      await deps.agent.docker.getContainer(row.engineId).stop({ t: 10 })
    } catch (error) {
      if (engineStatus(error) === 404) {
        await updateContainer(deps.db, row.engineId, { state: 'removed', finishedAt: new Date() })
        continue
      }
      if (engineStatus(error) !== 304) throw agentError(error, 'stop a container')
    }
    await updateContainer(deps.db, row.engineId, { state: 'exited', finishedAt: new Date() })
  }
}

/** Brings the serving deployment's container back: started again when it is there, made anew when it is lost. */
async function revive(deps: Deps, app: App, signal: AbortSignal): Promise<void> {
  if (!app.servingDeploymentId) return
  const deployment = await findDeploymentRun(deps.db, app.servingDeploymentId)
  if (!deployment) return
  const rows = (await containersOfApp(deps.db, app.organizationId, app.id)).filter((row) => row.deploymentId === deployment.id)
  for (const row of rows) {
    const info = await inspect(deps, row.engineId)
    if (!info) {
      await updateContainer(deps.db, row.engineId, { state: 'removed', finishedAt: new Date() })
      continue
    }
    const address = addressOf(info)
    if (info.State.Running && address) {
      if (row.state === 'running' && row.address === address) return
      await updateContainer(deps.db, row.engineId, { state: 'running', address, startedAt: new Date(info.State.StartedAt) })
      await applyRoutes(deps)
      return
    }
  }
  const settings = deploymentSettings.parse(deployment.settings)
  const plan = await containerPlan(deps, deployment, settings, signal)
  const container = await startContainer(deps, plan)
  const alive = () => assertAlive(deps, container.engineId)
  try {
    await waitHealthy(
      { address: container.address, port: plan.port, path: settings.healthPath, timeoutSeconds: settings.healthTimeoutSeconds },
      alive,
      signal,
      () => undefined,
    )
  } catch (error) {
    // It served before, so traffic goes to it all the same: a slow answer is better than none.
    deps.log.warn({ err: error, app: app.slug }, 'a container that was brought back is not healthy yet')
  }
  await applyRoutes(deps)
}

/** Everything that deletion names: route, containers, the organization's network after its last one, volumes, images, rows. Rows last: they are what a crash resumes from. */
async function remove(deps: Deps, app: App): Promise<void> {
  await applyRoutes(deps)
  const { docker } = deps.agent
  try {
    const left = await docker.listContainers({ all: true, filters: { label: [`${LABELS.app}=${app.id}`] } })
    for (const container of left) await stopAndRemove(deps, container.Id)
    await removeUnusedNetworks(deps.agent, 0)
    const volumes = (await docker.listVolumes()).Volumes ?? []
    for (const volume of volumes) if (volume.Name.startsWith(`${app.id}-`)) await docker.getVolume(volume.Name).remove()
    const repository = `${OWN_REGISTRY_HOST}/${app.organization.slug}/${app.slug}`
    const images = await docker.listImages({ filters: { reference: [repository] } })
    for (const tag of images.flatMap((image) => image.RepoTags ?? []).filter((t) => t.startsWith(`${repository}:`)))
      await docker.getImage(tag).remove()
  } catch (error) {
    throw error instanceof AppError ? error : agentError(error, 'remove what the app left')
  }
  await purgeApp(deps.db, app.id)
  deps.log.info({ app: app.slug }, 'app removed')
}
