import { createAgent } from '@slipway/agent-client'
import { createDb } from '@slipway/db'
import { closeQueues, connectRedis, createQueues, createSignals } from '@slipway/jobs'
import { createSealer, readMasterKey } from '@slipway/secrets'
import { createServices } from './create-services'
import type { Log, ServicesConfig } from './deps'
import type { Services } from './services'

export interface Addresses {
  databaseUrl: string
  redisUrl: string
  agentSocket: string
}

/** All use cases with connections of their own, for a process that serves them; `close` ends live streams and the connections. */
export function connectServices(
  addresses: Addresses,
  config: ServicesConfig,
  log: Log,
): { services: Services; close: () => Promise<void> } {
  // Redis may be away for a while without anything breaking; each drop is worth one line, not a failure.
  const onRedisError = (error: unknown) => log.warn({ err: error }, 'Redis is away')
  const sealer = createSealer(readMasterKey(config.secretsDir))
  const db = createDb(addresses.databaseUrl, { poolSize: 15 })
  const redis = connectRedis(addresses.redisUrl, onRedisError)
  const signals = createSignals(redis, connectRedis(addresses.redisUrl, onRedisError), onRedisError)
  const queues = createQueues(addresses.redisUrl, onRedisError)
  const stopping = new AbortController()
  const services = createServices({
    stopping: stopping.signal,
    db,
    queues,
    redis,
    signals,
    agent: createAgent({ socketPath: addresses.agentSocket }),
    sealer,
    config,
    log,
  })
  return {
    services,
    async close() {
      stopping.abort()
      await signals.close()
      await closeQueues(queues)
      await db.$disconnect()
    },
  }
}
