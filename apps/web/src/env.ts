/** The only place of this app that reads process.env. Read at the first request, so that `next build` needs none of it. */
import * as z from 'zod'

const port = z.coerce.number().int().min(1).max(65_535)
const url = z.url().transform((value) => value.replace(/\/$/, ''))

const schema = z
  .object({
    DATABASE_URL: z.string().regex(/^postgres(?:ql)?:\/\//, 'must start with postgresql://'),
    /** redis://…, rediss://…, or unix:///path */
    REDIS_URL: z.string().regex(/^(?:rediss?|unix):\/\//, 'must start with redis://, rediss:// or unix://'),
    /** Folder of master.key and setup-token. */
    SLIPWAY_SECRETS: z.string().min(1),
    SLIPWAY_DATA: z.string().min(1),
    SLIPWAY_WEB_URL: url,
    SLIPWAY_AGENT_SOCKET: z.string().min(1),
    SLIPWAY_REGISTRY_URL: url,
    SLIPWAY_REGISTRY_PORT: port,
    SLIPWAY_ROUTER_PORT: port,
    SLIPWAY_BASE_DOMAIN: z.string().min(1).default('localhost'),
    /** Path of Caddy's admin socket, or an http URL. */
    SLIPWAY_CADDY_ADMIN: z.string().min(1),
    /** Proxies whose X-Forwarded-For is believed: addresses and networks, with commas, or `none`. */
    SLIPWAY_TRUSTED_PROXIES: z.string().default('127.0.0.0/8,::1'),
    SLIPWAY_VERSION: z.string().min(1),
    SLIPWAY_ADMIN_EMAIL: z.email().optional(),
    SLIPWAY_ADMIN_PASSWORD_FILE: z.string().min(1).optional(),
    SLIPWAY_ADMIN_ORGANIZATION: z.string().min(1).max(80).default('Default'),
    SLIPWAY_LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
  })
  .refine((env) => Boolean(env.SLIPWAY_ADMIN_EMAIL) === Boolean(env.SLIPWAY_ADMIN_PASSWORD_FILE), {
    message: 'SLIPWAY_ADMIN_EMAIL and SLIPWAY_ADMIN_PASSWORD_FILE go together',
  })
export type Env = z.infer<typeof schema>

let parsed: Env | undefined

/** Throws with the names of what is missing or wrong, never with a value: some of them hold passwords. */
export function env(): Env {
  if (parsed) return parsed
  // An empty variable is one that was not set.
  const given = Object.fromEntries(Object.entries(process.env).filter(([, value]) => value !== ''))
  const result = schema.safeParse(given)
  if (!result.success) {
    const problems = result.error.issues.map((issue) => [issue.path.join('.'), issue.message].filter(Boolean).join(': '))
    throw new Error(`The environment of the web app is not complete.\n  ${problems.join('\n  ')}`)
  }
  parsed = result.data
  return parsed
}
