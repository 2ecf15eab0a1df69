import { containersOnHost, neededDeployments, servingDeployments, updateContainer } from '@slipway/db'
import { enqueue } from '@slipway/jobs'
import type { Deps } from '../deps'
import { addressOf, LABELS, stopAndRemove } from '../pipeline/containers'
import { removeUnusedNetworks } from '../pipeline/networks'
import { applyRoutes } from '../pipeline/route'

/** A retired deployment's container may be draining for this long. */
const DRAIN_GRACE_MS = 60_000

/**
 * Compares the agent's truth with ours: new addresses and states into Postgres, lost containers of serving deployments
 * brought back, leftovers of crashed deployments removed (networks of nobody too), and the router told.
 */
export async function sweepContainers(deps: Deps): Promise<void> {
  const { docker } = deps.agent
  // In this order: a container is there before its row, and its row before it serves. Asked the other way round, one that was
  // made meanwhile would be taken for lost, and its app answer nothing until the next sweep.
  const serving = await servingDeployments(deps.db)
  const rows = await containersOnHost(deps.db, deps.hostId)
  const actual = new Map((await docker.listContainers({ all: true, filters: { label: [LABELS.app] } })).map((c) => [c.Id, c]))

  let moved = false
  const alive = new Set<string>()
  for (const row of rows) {
    const found = actual.get(row.engineId)
    if (!found) {
      await updateContainer(deps.db, row.engineId, { state: 'removed', finishedAt: new Date() })
      moved = true
      continue
    }
    const state = found.State === 'running' ? 'running' : found.State === 'created' ? 'created' : 'exited'
    let address = row.address
    if (state === 'running') {
      alive.add(row.deploymentId)
      address = addressOf(await docker.getContainer(row.engineId).inspect())
    }
    if (state !== row.state || address !== row.address) {
      await updateContainer(deps.db, row.engineId, { state, address })
      moved = true
    }
  }

  for (const app of serving)
    if (app.servingDeploymentId && !alive.has(app.servingDeploymentId))
      await enqueue(deps.queues, 'converge', { appId: app.id }, (error) => deps.log.warn({ err: error }, 'the next sweep tries again'))

  const deploymentOf = (labels: Record<string, string>) => labels[LABELS.deployment] ?? ''
  const needed = await neededDeployments(
    deps.db,
    [...actual.values()].map((c) => deploymentOf(c.Labels)),
    new Date(Date.now() - DRAIN_GRACE_MS),
  )
  for (const [id, container] of actual) {
    // A new one may be ahead of its row.
    if (needed.has(deploymentOf(container.Labels)) || Date.now() - container.Created * 1000 < DRAIN_GRACE_MS) continue
    deps.log.info({ engineId: id }, 'removing a container that no deployment needs')
    await stopAndRemove(deps, id)
    await updateContainer(deps.db, id, { state: 'removed', finishedAt: new Date() })
  }
  await applyRoutes(deps, { force: moved })
  await removeUnusedNetworks(deps.agent)
}
