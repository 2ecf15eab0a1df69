import { connectServices, type Services } from '@slipway/services'
import { env } from '../env'
import { log } from './log'

type Connected = ReturnType<typeof connectServices>

// Routes, pages and instrumentation are separate bundles of one process; the global makes them share one set of connections.
const shared = globalThis as { slipwayServices?: Connected }

function connect(): Connected {
  const settings = env()
  return connectServices(
    { databaseUrl: settings.DATABASE_URL, redisUrl: settings.REDIS_URL, agentSocket: settings.SLIPWAY_AGENT_SOCKET },
    {
      version: settings.SLIPWAY_VERSION,
      secretsDir: settings.SLIPWAY_SECRETS,
      webUrl: settings.SLIPWAY_WEB_URL,
      registryUrl: settings.SLIPWAY_REGISTRY_URL,
      registryPort: settings.SLIPWAY_REGISTRY_PORT,
      routerPort: settings.SLIPWAY_ROUTER_PORT,
      baseDomain: settings.SLIPWAY_BASE_DOMAIN,
      caddyAdmin: settings.SLIPWAY_CADDY_ADMIN,
      ...(settings.SLIPWAY_ADMIN_EMAIL &&
        settings.SLIPWAY_ADMIN_PASSWORD_FILE && {
          admin: {
            email: settings.SLIPWAY_ADMIN_EMAIL,
            passwordFile: settings.SLIPWAY_ADMIN_PASSWORD_FILE,
            organization: settings.SLIPWAY_ADMIN_ORGANIZATION,
          },
        }),
    },
    log(),
  )
}

export function services(): Services {
  shared.slipwayServices ??= connect()
  return shared.slipwayServices.services
}

/** Ends live streams, then the connections; requests that come later open none. */
export async function closeServices(): Promise<void> {
  await shared.slipwayServices?.close()
}
