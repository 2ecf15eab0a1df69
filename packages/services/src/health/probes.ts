/** One question to each part, each with a deadline of its own. */
import { request as httpRequest } from 'node:http'
import { databaseVersion, readWorkerHeartbeat } from '@slipway/db'
import * as z from 'zod'
import type { Deps } from '../deps'

export const DEADLINE_MS = 1000
/** The worker writes every five seconds. */
const WORKER_SILENT_MS = 15_000
const MAX_ANSWER = 64 * 1024

/** The part's version, null when it tells none. Throws when it is down. */
export type Probe = () => Promise<string | null>

export const probes = (deps: Deps): Record<'postgres' | 'redis' | 'registry' | 'agent' | 'worker' | 'router', Probe> => ({
  postgres: () => databaseVersion(deps.db),
  async redis() {
    return /redis_version:(\S+)/.exec(await deps.redis.info('server'))?.[1] ?? null
  },
  async registry() {
    const response = await fetch(new URL('/healthz', deps.config.registryUrl), { signal: AbortSignal.timeout(DEADLINE_MS) })
    if (!response.ok) throw new Error(`it answered ${response.status}`)
    const health = z.object({ version: z.string() }).safeParse(await response.json())
    return health.success ? health.data.version : null
  },
  agent: async () => (await deps.agent.health(DEADLINE_MS)).version,
  async worker() {
    const heartbeat = await readWorkerHeartbeat(deps.db)
    if (!heartbeat) throw new Error('it has not started yet')
    const silent = Date.now() - heartbeat.at
    if (silent > WORKER_SILENT_MS) throw new Error(`it was last heard of ${Math.round(silent / 1000)} s ago`)
    return heartbeat.version
  },
  router: () => askCaddy(deps.config.caddyAdmin),
})

/** Caddy's admin API tells no version; that it answers is all there is to know. */
function askCaddy(address: string): Promise<null> {
  const socket = /^(?:unix:?\/\/)?(\/.*)$/.exec(address)?.[1]
  const target = socket ? { socketPath: socket, path: '/config/' } : httpTarget(new URL('/config/', address))
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(DEADLINE_MS)
    const request = httpRequest({ ...target, headers: { host: 'localhost' }, signal }, (response) => {
      let bytes = 0
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length
        // The routes may be long; that the answer began is enough.
        if (bytes > MAX_ANSWER) response.destroy()
      })
      if (response.statusCode === 200) resolve(null)
      else reject(new Error(`it answered ${response.statusCode}`))
      response.on('error', () => undefined)
    })
    request.on('error', reject)
    request.end()
  })
}

const httpTarget = (url: URL) => ({ host: url.hostname, port: url.port || 80, path: url.pathname })
