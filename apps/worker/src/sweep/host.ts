import { arch, cpus, hostname, totalmem } from 'node:os'
import type { Agent } from '@slipway/agent-client'
import { buildPolicy, samePolicy } from '@slipway/contracts'
import { type Db, findHost, hostBuildPolicy, markHostOffline, upsertHost, writeWorkerHeartbeat } from '@slipway/db'
import type { Logger } from 'pino'
import type { Deps } from '../deps'

/** What the agent says of its machine, as the host's row; offline (with what was known) when it does not answer. */
export async function reportHost(db: Db, agent: Agent, version: string, log: Logger): Promise<string> {
  const name = hostname()
  await writeWorkerHeartbeat(db, version)
  try {
    const [health, info] = await Promise.all([agent.health(), agent.docker.info() as Promise<EngineInfo>])
    const row = await upsertHost(db, name, {
      instance: health.instance,
      version: health.version,
      os: info.OperatingSystem ?? null,
      kernel: info.KernelVersion ?? null,
      architecture: info.Architecture ?? arch(),
      cpus: info.NCPU ?? cpus().length,
      memoryBytes: BigInt(info.MemTotal ?? totalmem()),
    })
    return row.id
  } catch (error) {
    log.warn({ err: error }, 'the agent does not answer')
    await markHostOffline(db, name)
    const known = await findHost(db, name)
    if (known) return known
    const facts = {
      instance: null,
      version: null,
      os: null,
      kernel: null,
      architecture: arch(),
      cpus: cpus().length,
      memoryBytes: BigInt(totalmem()),
    }
    const created = await upsertHost(db, name, facts)
    await markHostOffline(db, name)
    return created.id
  }
}

/** An agent that lost its policy, or was away when the row changed, gets it again. Without a word in the row the host's settings file applies. */
export async function bringBuildPolicy(deps: Pick<Deps, 'db' | 'agent' | 'log' | 'hostId'>): Promise<void> {
  const host = await hostBuildPolicy(deps.db, deps.hostId)
  if (!host?.buildPolicy) return
  const wanted = buildPolicy.parse(host.buildPolicy)
  if (samePolicy(wanted, (await deps.agent.buildPolicy()).set)) return
  await deps.agent.setBuildPolicy(wanted)
  deps.log.info({ host: host.name }, 'the agent has the build policy of its host again')
}

interface EngineInfo {
  OperatingSystem?: string
  KernelVersion?: string
  Architecture?: string
  NCPU?: number
  MemTotal?: number
}
