import { listHosts } from '@slipway/db'
import { containerView } from '../deployments/views'
import type { Deps } from '../deps'
import type { HostsService } from '../services'

/** The worker speaks for its host every few seconds; silent for this long, it is shown as offline. */
const SILENT_MS = 20_000

export const createHosts = ({ db }: Pick<Deps, 'db'>): HostsService => ({
  async list(scope) {
    const hosts = await listHosts(db, scope.organizationId)
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
      }
    })
  },
})
