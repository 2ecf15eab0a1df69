import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { createAgent } from '@slipway/agent-client'
import { createDb } from '@slipway/db'
import { createIngress } from '@slipway/ingress'
import { closeQueues, connectRedis, createQueues, createSignals } from '@slipway/jobs'
import { createDeployments, createOutgoingWork, createSealer, readMasterKey } from '@slipway/services'
import pino from 'pino'
import type { Deps } from './deps'
import { readEnv, servicesConfig } from './env'
import { dispatchForever } from './events/dispatch'
import { forgetSshSessions } from './pipeline/ssh'
import { register } from './register'
import { sweepForever } from './sweep'
import { reportHost } from './sweep/host'
import { followRestarts } from './sweep/restarts'

/** Running work is handed back to the queues within this time after SIGTERM. */
const STOP_MS = 10_000

async function main(): Promise<void> {
  const env = readEnv()
  const log = pino({ level: env.LOG_LEVEL, base: { part: 'worker' } })
  const onError = (what: string) => (error: unknown) => log.warn({ err: error }, what)
  const stop = new AbortController()

  const db = createDb(env.DATABASE_URL)
  const queues = createQueues(env.REDIS_URL, onError('redis'))
  const redis = connectRedis(env.REDIS_URL, onError('Redis is away'))
  const signals = createSignals(redis, connectRedis(env.REDIS_URL, onError('Redis is away')), onError('a signal was lost'))
  const agent = createAgent({ socketPath: env.SLIPWAY_AGENT_SOCKET })
  const ingress = createIngress({
    adminSocket: env.SLIPWAY_CADDY_ADMIN,
    routerPort: env.SLIPWAY_ROUTER_PORT,
    baseDomain: env.SLIPWAY_BASE_DOMAIN,
  })
  const sealer = createSealer(readMasterKey(env.SLIPWAY_SECRETS))
  const config = servicesConfig(env)
  const deployments = createDeployments({ db, queues, redis, signals, agent, sealer, config, log })
  mkdirSync(join(env.SLIPWAY_DATA, 'checkouts'), { recursive: true, mode: 0o700 })
  await forgetSshSessions(join(env.SLIPWAY_DATA, 'run'))

  const deps: Deps = {
    env,
    log,
    db,
    queues,
    signals,
    sealer,
    deployments,
    outgoing: createOutgoingWork({ db, sealer, config, log }),
    agent,
    ingress,
    hostId: await reportHost(db, agent, env.SLIPWAY_VERSION, log),
    stopping: stop.signal,
  }
  const consumers = register(deps)
  const sweeping = Promise.all([sweepForever(deps), followRestarts(deps), dispatchForever(deps)])
  log.info({ version: env.SLIPWAY_VERSION, host: deps.hostId }, 'worker is at work')

  const end = async (signal: string) => {
    if (stop.signal.aborted) return
    log.info({ signal }, 'stopping')
    setTimeout(() => process.exit(1), STOP_MS).unref()
    stop.abort(new Error('the worker is stopping'))
    await Promise.all([sweeping, ...consumers.map((consumer) => consumer.close())])
    deps.outgoing.close()
    await closeQueues(queues)
    await signals.close()
    await db.$disconnect()
    process.exit(0)
  }
  process.on('SIGTERM', () => void end('SIGTERM'))
  process.on('SIGINT', () => void end('SIGINT'))
}

main().catch((error) => {
  process.stderr.write(`worker: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
  process.exit(1)
})
