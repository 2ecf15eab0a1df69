import { arch, cpus, hostname, totalmem } from 'node:os'
import type { Agent } from '@slipway/agent-client'
import { type Db, findHost, markHostOffline, upsertHost, writeWorkerHeartbeat } from '@slipway/db'
import type { Logger } from 'pino'

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

interface EngineInfo {
  OperatingSystem?: string
  KernelVersion?: string
  Architecture?: string
  NCPU?: number
  MemTotal?: number
}
