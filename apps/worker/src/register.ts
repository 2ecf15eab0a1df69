/** Hop 2: which queue is worked off by what, and how many at a time. */
import { type Consumer, consume } from '@slipway/jobs'
import { convergeApp } from './converge'
import type { Deps } from './deps'
import { runBuild } from './pipeline/build'
import { runDeployment } from './pipeline/deploy'
import { runInspection } from './pipeline/inspect'
import { readLayer } from './pipeline/layer'
import { runReplication } from './replication/run'

export function register(deps: Deps): Consumer[] {
  const options = (concurrency: number) => ({ concurrency, onError: (error: Error) => deps.log.warn({ err: error }, 'queue') })
  const url = deps.env.REDIS_URL
  return [
    consume(url, 'build', options(deps.env.SLIPWAY_BUILD_CONCURRENCY), (_turn, deadline) => runBuild(deps, deadline)),
    consume(url, 'deploy', options(8), ({ deploymentId }, deadline) => runDeployment(deps, deploymentId, deadline)),
    consume(url, 'inspect', options(2), ({ inspectionId }, deadline) => runInspection(deps, inspectionId, deadline)),
    // The agent lists two at a time.
    consume(url, 'layer', options(2), ({ layer }, deadline) => readLayer(deps, layer, deadline)),
    consume(url, 'deliver', options(8), async ({ deliveryId }) => void (await deps.outgoing.deliver(deliveryId))),
    // Each moves three blobs at a time.
    consume(url, 'replicate', options(3), ({ runId }, deadline) => runReplication(deps, runId, deadline)),
    consume(url, 'converge', options(4), ({ appId }, deadline) => convergeApp(deps, appId, deadline)),
  ]
}
