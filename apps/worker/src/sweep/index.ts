import { setTimeout as sleep } from 'node:timers/promises'
import type { Deps } from '../deps'
import { sweepContainers } from './containers'
import { sweepDeliveries } from './deliveries'
import { bringBuildPolicy, reportHost } from './host'
import { sweepLayers } from './layers'
import { sweepReplication } from './replication'
import { createRetentionSweep } from './retention'
import { sweepWork } from './work'

const PERIOD_MS = 5000

/** Until the worker stops: every five seconds what is stuck is taken up, and host, Postgres and router are made to agree. */
export async function sweepForever(deps: Deps): Promise<void> {
  const retention = createRetentionSweep(deps)
  while (!deps.stopping.aborted) {
    retention.sweep()
    await step(deps, 'quotas', () => retention.tell())
    await step(deps, 'host', () => reportHost(deps.db, deps.agent, deps.env.SLIPWAY_VERSION, deps.log))
    await step(deps, 'build policy', () => bringBuildPolicy(deps))
    await step(deps, 'work', () => sweepWork(deps))
    await step(deps, 'layers', () => sweepLayers(deps))
    await step(deps, 'webhooks', () => sweepDeliveries(deps))
    await step(deps, 'replication', () => sweepReplication(deps))
    await step(deps, 'containers', () => sweepContainers(deps))
    try {
      await sleep(PERIOD_MS, undefined, { signal: deps.stopping })
    } catch {
      return await retention.end() // stopping
    }
  }
  await retention.end()
}

/** One part that fails (Postgres away, agent being restarted) must not keep the others from their turn. */
async function step(deps: Deps, name: string, run: () => Promise<unknown>): Promise<void> {
  try {
    await run()
  } catch (error) {
    if (!deps.stopping.aborted) deps.log.warn({ err: error, sweep: name }, 'sweep failed; trying again')
  }
}
