/**
 * Hop 8. Takes: what Postgres says is serving.
 * Gives: a router that sends each hostname to the right containers.
 */

import { listRoutes } from '@slipway/db'
import type { Route } from '@slipway/ingress'
import type { Deps } from '../deps'

/**
 * Routes are always computed whole from Postgres, so that two deployments at once, a sweep, and a router that was
 * restarted with nothing in it all end the same.
 */
export async function applyRoutes(deps: Deps, { force = false } = {}): Promise<void> {
  const read = async (): Promise<Route[]> =>
    (await listRoutes(deps.db)).flatMap((row) =>
      row.hostnames.map((hostname) => ({
        appId: row.appId,
        hostname,
        upstreams: row.containers.map(({ address, port }) => `${address}:${port}`),
      })),
    )
  await deps.ingress.apply(read, { force })
}
