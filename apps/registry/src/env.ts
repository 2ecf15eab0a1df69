/** The only reader of process.env in this app. */
import path from 'node:path'
import { LOOPBACK_ONLY, TrustedProxies } from '@slipway/outbound'
import * as z from 'zod'
import type { Limit, RequestLimits } from './auth/request-limits'
import { MAX_CONNECTIONS } from './http/connections'
import { MAX_OPEN_UPLOADS } from './quota'
import { readStoreSettings, type StoreSettings, storeSchema } from './store/settings'

const GIBIBYTE = 1024 ** 3
const DAY_MS = 24 * 3_600_000

const requestLimit = z
  .string()
  .regex(/^(?:off|[1-9]\d{0,9}\/[1-9]\d{0,5})$/, 'must be <requests>/<seconds>, as 1200/60, or off')
  .transform((text) => {
    const [count, seconds] = text.split('/').map(Number)
    return count !== undefined && seconds !== undefined ? { count, seconds } : undefined
  })

const schema = z.object({
  DATABASE_URL: z.string({ error: 'is required: postgresql://…' }).regex(/^postgres(ql)?:\/\//, 'must start with postgresql://'),
  SLIPWAY_REGISTRY_PORT: z.coerce.number().int().min(0).max(65_535).default(5000),
  /** Address to listen on. The default listens on ::1 as well, as docker tries that first for `localhost`. */
  SLIPWAY_REGISTRY_HOST: z.string().min(1).default('127.0.0.1'),
  /** How clients reach the registry, when the request's own Host does not tell (behind a proxy that rewrites it). */
  SLIPWAY_REGISTRY_PUBLIC_URL: z
    .url({ protocol: /^https?$/ })
    .transform((url) => url.replace(/\/+$/, ''))
    .optional(),
  /** Proxies whose X-Forwarded-For is believed: addresses and networks, with commas, or `none`. */
  SLIPWAY_TRUSTED_PROXIES: z.string().default(LOOPBACK_ONLY),
  /** Where docker's `registry-mirrors` may point: every name there is docker.io's. None: no such port. */
  SLIPWAY_REGISTRY_MIRROR_PORT: z.coerce.number().int().min(1).max(65_535).optional(),
  /** Days after which another key signs the tokens; 0: never by itself. */
  SLIPWAY_REGISTRY_KEY_DAYS: z.coerce.number().min(0).max(3650).default(90),
  /** Requests of an account in so many seconds, `1200/60`; `off`: no limit. An address may five times that, nobody in particular once. */
  SLIPWAY_REGISTRY_LIMIT_TOKENS: requestLimit.default({ count: 1200, seconds: 60 }),
  SLIPWAY_REGISTRY_LIMIT_MANIFESTS: requestLimit.default({ count: 60_000, seconds: 600 }),
  SLIPWAY_REGISTRY_LIMIT_UPLOADS: requestLimit.default({ count: 20_000, seconds: 600 }),
  /** Uploads that one organization may have open at one time. */
  SLIPWAY_REGISTRY_MAX_UPLOADS: z.coerce.number().int().positive().max(1_000_000).default(MAX_OPEN_UPLOADS),
  /** Open at one time, of all clients together; more are closed at once. */
  SLIPWAY_REGISTRY_MAX_CONNECTIONS: z.coerce.number().int().positive().max(1_000_000).default(MAX_CONNECTIONS),
  SLIPWAY_REGISTRY_MAX_BLOB_GIB: z.coerce.number().positive().max(1024).default(64),
  /** Each blob is read and compared with its digest once in so many days; 0: never. */
  SLIPWAY_REGISTRY_SCRUB_DAYS: z.coerce.number().min(0).max(3650).default(14),
  SLIPWAY_REGISTRY_SCRUB_MIB_PER_SECOND: z.coerce.number().positive().max(10_000).default(20),
  SLIPWAY_DATA: z.string().min(1).default('/var/lib/slipway'),
  SLIPWAY_SECRETS: z.string().min(1).optional(),
  ...storeSchema.shape,
  SLIPWAY_VERSION: z.string().default('dev'),
  SLIPWAY_LOG_LEVEL: z.string().optional(),
  LOG_LEVEL: z.string().optional(),
})

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']

export interface Settings {
  databaseUrl: string
  port: number
  host: string
  publicUrl: string | undefined
  trustedProxies: TrustedProxies
  maxBlobBytes: number
  maxOpenUploads: number
  maxConnections: number
  store: StoreSettings
  /** Folder of the keys. */
  secrets: string
  mirrorPort: number | undefined
  tokenKeyFile: string
  keyDays: number
  limits: RequestLimits
  version: string
  scrub: { everyMs: number; bytesPerSecond: number }
  logLevel: string
}

/** Throws an error whose message names each variable that is wrong. */
export function readSettings(env: Record<string, string | undefined> = process.env): Settings {
  const set = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''))
  const result = schema.safeParse(set)
  if (!result.success) {
    throw new Error(result.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`).join('; '))
  }
  const values = result.data
  const level = values.SLIPWAY_LOG_LEVEL ?? values.LOG_LEVEL ?? 'info'
  if (!LEVELS.includes(level)) throw new Error(`LOG_LEVEL must be one of ${LEVELS.join(', ')}`)
  const secrets = values.SLIPWAY_SECRETS ?? path.join(values.SLIPWAY_DATA, 'secrets')
  return {
    databaseUrl: values.DATABASE_URL,
    port: values.SLIPWAY_REGISTRY_PORT,
    host: values.SLIPWAY_REGISTRY_HOST,
    publicUrl: values.SLIPWAY_REGISTRY_PUBLIC_URL,
    trustedProxies: new TrustedProxies(values.SLIPWAY_TRUSTED_PROXIES),
    maxBlobBytes: Math.floor(values.SLIPWAY_REGISTRY_MAX_BLOB_GIB * GIBIBYTE),
    maxOpenUploads: values.SLIPWAY_REGISTRY_MAX_UPLOADS,
    maxConnections: values.SLIPWAY_REGISTRY_MAX_CONNECTIONS,
    store: readStoreSettings(values, path.join(values.SLIPWAY_DATA, 'registry')),
    secrets,
    mirrorPort: values.SLIPWAY_REGISTRY_MIRROR_PORT,
    keyDays: values.SLIPWAY_REGISTRY_KEY_DAYS,
    limits: limitsOf({
      tokens: values.SLIPWAY_REGISTRY_LIMIT_TOKENS,
      manifests: values.SLIPWAY_REGISTRY_LIMIT_MANIFESTS,
      uploads: values.SLIPWAY_REGISTRY_LIMIT_UPLOADS,
    }),
    tokenKeyFile: path.join(secrets, 'registry-token.pem'),
    version: values.SLIPWAY_VERSION,
    scrub: {
      everyMs: values.SLIPWAY_REGISTRY_SCRUB_DAYS * DAY_MS,
      bytesPerSecond: values.SLIPWAY_REGISTRY_SCRUB_MIB_PER_SECOND * 1024 ** 2,
    },
    logLevel: level,
  }
}

const limitsOf = (limits: Record<keyof RequestLimits, Limit | undefined>): RequestLimits =>
  Object.fromEntries(Object.entries(limits).filter(([, limit]) => limit !== undefined))
