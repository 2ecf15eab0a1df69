import { AppError } from '@slipway/core'
import { Redis } from 'ioredis'

/** The subset of options that ioredis and BullMQ (which ship different types) both take. */
export interface RedisAddress {
  path?: string
  host?: string
  port?: number
  username?: string
  password?: string
  db?: number
  tls?: Record<string, never>
  maxRetriesPerRequest: null
  retryStrategy: (times: number) => number
}

/** ioredis options of `redis://[user:pass@]host:port[/db]`, `rediss://…` or `unix:///path/to/redis.sock`. */
export function redisOptions(url: string): RedisAddress {
  let parsed: URL
  try {
    parsed = new URL(url)
  } catch (cause) {
    throw new AppError({
      kind: 'bad-input',
      code: 'REDIS_URL_INVALID',
      message: 'REDIS_URL is not an address. Use redis://host:port or unix:///path.',
      cause,
    })
  }
  // BullMQ blocks on commands for as long as it takes; a limit per request would end its workers when Redis restarts.
  const common: RedisAddress = { maxRetriesPerRequest: null, retryStrategy: (times) => Math.min(times * 100, 2000) }
  if (parsed.protocol === 'unix:') return { ...common, path: decodeURIComponent(parsed.pathname) }
  if (parsed.protocol !== 'redis:' && parsed.protocol !== 'rediss:')
    throw new AppError({
      kind: 'bad-input',
      code: 'REDIS_URL_INVALID',
      message: `REDIS_URL starts with ${parsed.protocol}, which is not supported. Use redis:// or unix://.`,
    })
  return {
    ...common,
    host: parsed.hostname,
    port: parsed.port ? Number(parsed.port) : 6379,
    ...(parsed.username && { username: decodeURIComponent(parsed.username) }),
    ...(parsed.password && { password: decodeURIComponent(parsed.password) }),
    ...(parsed.pathname.length > 1 && { db: Number(parsed.pathname.slice(1)) }),
    ...(parsed.protocol === 'rediss:' && { tls: {} }),
  }
}

/** A connection that comes back by itself. `onError` hears of every drop: without a listener ioredis would throw. */
export function connectRedis(url: string, onError: (error: Error) => void): Redis {
  const redis = new Redis(redisOptions(url))
  redis.on('error', onError)
  return redis
}

export type { Redis }
