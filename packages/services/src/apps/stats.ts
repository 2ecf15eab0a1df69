import { engineStatus } from '@slipway/agent-client'
import { containersOfApp } from '@slipway/db'
import * as z from 'zod'
import type { Deps } from '../deps'
import type { AppsService } from '../services'
import { loadApp } from './load'

const cpu = z.object({
  cpu_usage: z.object({ total_usage: z.number() }),
  system_cpu_usage: z.number().optional(),
  online_cpus: z.number().optional(),
})
/** The part of Docker's `GET /containers/{id}/stats?stream=false` that is shown. */
const engineStats = z.object({
  cpu_stats: cpu,
  precpu_stats: cpu.partial(),
  memory_stats: z.object({
    usage: z.number().optional(),
    limit: z.number().optional(),
    stats: z.record(z.string(), z.number()).optional(),
  }),
})

/** Sum over the running containers; null when none runs or the engine cannot tell. */
export const statsMethod =
  (deps: Deps): AppsService['stats'] =>
  async (scope, input) => {
    const app = await loadApp(deps.db, scope, input.app)
    const running = (await containersOfApp(deps.db, scope.organizationId, app.id)).filter((container) => container.state === 'running')
    if (running.length === 0) return null
    const total = {
      memoryBytes: 0,
      memoryLimitBytes: app.memoryLimitBytes === null ? null : Number(app.memoryLimitBytes) * running.length,
      cpuPercent: 0,
    }
    try {
      for (const { engineId } of running) {
        const stats = engineStats.parse(await deps.agent.docker.getContainer(engineId).stats({ stream: false }))
        const cache = stats.memory_stats.stats?.inactive_file ?? stats.memory_stats.stats?.total_inactive_file ?? 0
        total.memoryBytes += Math.max(0, (stats.memory_stats.usage ?? 0) - cache)
        total.cpuPercent += cpuPercent(stats)
      }
    } catch (error) {
      // Exited meanwhile, or an engine without this call: nothing to show, and nothing that the user could do about it.
      if (engineStatus(error) !== undefined) return null
      deps.log.warn({ err: error, app: app.id }, 'the use of resources could not be read')
      return null
    }
    return total
  }

function cpuPercent({ cpu_stats: now, precpu_stats: before }: z.infer<typeof engineStats>): number {
  const used = now.cpu_usage.total_usage - (before.cpu_usage?.total_usage ?? 0)
  const system = (now.system_cpu_usage ?? 0) - (before.system_cpu_usage ?? 0)
  if (used <= 0 || system <= 0) return 0
  return (used / system) * (now.online_cpus ?? 1) * 100
}
