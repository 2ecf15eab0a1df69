import { setTimeout as sleep } from 'node:timers/promises'
import { noteRestart } from '@slipway/db'
import type { Deps } from '../deps'
import { addressOf, LABELS } from '../pipeline/containers'
import { applyRoutes } from '../pipeline/route'

const RECONNECT_MS = 1000

/**
 * Until the worker stops: a container that ended and was started again by the engine has another address, and the router is
 * told at once. The sweep finds the same by itself; for an app whose process crashes, its period would be an outage.
 */
export async function followRestarts(deps: Deps): Promise<void> {
  while (!deps.stopping.aborted) {
    try {
      for await (const engineId of deps.agent.starts(LABELS.app, deps.stopping)) {
        await restarted(deps, engineId).catch((error) => deps.log.warn({ err: error, engineId }, 'the sweep will find the new address'))
      }
    } catch (error) {
      deps.log.info({ err: error }, 'the agent tells no events; asking again')
    }
    try {
      await sleep(RECONNECT_MS, undefined, { signal: deps.stopping })
    } catch {
      return // stopping
    }
  }
}

async function restarted(deps: Deps, engineId: string): Promise<void> {
  const address = addressOf(await deps.agent.docker.getContainer(engineId).inspect())
  if (address && (await noteRestart(deps.db, engineId, address))) {
    deps.log.info({ engineId }, 'a container was started again')
    await applyRoutes(deps)
  }
}
