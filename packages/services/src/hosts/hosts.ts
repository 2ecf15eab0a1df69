import { listHosts } from '@slipway/db'
import { containerView } from '../deployments/views'
import type { Deps } from '../deps'
import type { HostsService } from '../services'
import { createBuildPolicy } from './build-policy'
import { mayRunHosts } from './operator'

/** The worker speaks for its host every few seconds; silent for this long, it is shown as offline. */
const SILENT_MS = 20_000

export const createHosts = (deps: Pick<Deps, 'db' | 'agent' | 'log'>): HostsService => ({
  ...createBuildPolicy(deps),
  async list(scope) {
    const [hosts, mayRun] = await Promise.all([listHosts(deps.db, scope.organizationId), mayRunHosts(deps.db, scope)])
    return hosts.map((host) => {
      const silent = !host.lastSeenAt || Date.now() - host.lastSeenAt.getTime() > SILENT_MS
      return {
        id: host.id,
        name: host.name,
        state: silent ? 'offline' : host.state,
        version: host.version,
        os: host.os,
        kernel: host.kernel,
        architecture: host.architecture,
        cpus: host.cpus,
        memoryBytes: host.memoryBytes === null ? null : Number(host.memoryBytes),
        lastSeenAt: host.lastSeenAt,
        containers: host.containers.map(containerView),
        mayRun,
      }
    })
  },
})
