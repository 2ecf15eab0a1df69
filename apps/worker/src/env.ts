import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ServicesConfig } from '@slipway/services'
import * as z from 'zod'

const schema = z.object({
  DATABASE_URL: z.string().min(1),
  REDIS_URL: z.string().min(1),
  SLIPWAY_DATA: z.string().min(1),
  SLIPWAY_SECRETS: z.string().min(1),
  SLIPWAY_WEB_URL: z.url(),
  SLIPWAY_REGISTRY_URL: z.url(),
  SLIPWAY_REGISTRY_PORT: z.coerce.number().int().default(5000),
  SLIPWAY_ROUTER_PORT: z.coerce.number().int().default(8080),
  SLIPWAY_BASE_DOMAIN: z.string().default('localhost'),
  SLIPWAY_AGENT_SOCKET: z.string().min(1),
  SLIPWAY_CADDY_ADMIN: z.string().min(1),
  SLIPWAY_VERSION: z.string().default('0.0.0'),
  SLIPWAY_BUILD_CONCURRENCY: z.coerce.number().int().min(1).max(32).default(2),
  LOG_LEVEL: z.string().default('info'),
})

export type Env = z.infer<typeof schema> & {
  /** PEM of the key that signs registry tokens, read each time: another one may sign tomorrow. */
  readonly registryKey: string
}

/** The worker's settings; ends the process with one line per wrong setting. */
export function readEnv(): Env {
  const parsed = schema.safeParse(process.env)
  if (!parsed.success) {
    for (const issue of parsed.error.issues) process.stderr.write(`worker: ${issue.path.join('.')}: ${issue.message}\n`)
    process.exit(78) // EX_CONFIG
  }
  const file = join(parsed.data.SLIPWAY_SECRETS, 'registry-token.pem')
  readFileSync(file)
  return {
    ...parsed.data,
    get registryKey() {
      return readFileSync(file, 'utf8')
    },
  }
}

export const servicesConfig = (env: Env): ServicesConfig => ({
  version: env.SLIPWAY_VERSION,
  secretsDir: env.SLIPWAY_SECRETS,
  webUrl: env.SLIPWAY_WEB_URL,
  registryUrl: env.SLIPWAY_REGISTRY_URL,
  registryPort: env.SLIPWAY_REGISTRY_PORT,
  routerPort: env.SLIPWAY_ROUTER_PORT,
  baseDomain: env.SLIPWAY_BASE_DOMAIN,
  caddyAdmin: env.SLIPWAY_CADDY_ADMIN,
})
