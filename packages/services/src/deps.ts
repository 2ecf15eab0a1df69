import type { Agent } from '@slipway/agent-client'
import { channels, type JobData, type JobName } from '@slipway/contracts'
import type { Db } from '@slipway/db'
import { enqueue, type Queues, type Redis, type Signals } from '@slipway/jobs'
import type { Sealer } from '@slipway/secrets'

export interface Log {
  info(fields: Record<string, unknown>, message: string): void
  warn(fields: Record<string, unknown>, message: string): void
  error(fields: Record<string, unknown>, message: string): void
}

/** What the use cases need to know of the installation; each app's env.ts reads it. */
export interface ServicesConfig {
  version: string
  /** Folder of master.key and setup-token. */
  secretsDir: string
  /** `http://localhost:3000`, without a slash at the end. */
  webUrl: string
  /** Where containers and `docker` reach the registry from this machine: `http://127.0.0.1:5000`. */
  registryUrl: string
  registryPort: number
  routerPort: number
  /** `localhost`: apps answer at `<app>.localhost`. */
  baseDomain: string
  /** Path of Caddy's admin socket, or an http URL. */
  caddyAdmin: string
  admin?: { email: string; passwordFile: string; organization: string }
}

/** Everything a use case works with; made once per process, no globals. */
export interface Deps {
  db: Db
  queues: Queues
  redis: Redis
  signals: Signals
  agent: Agent
  sealer: Sealer
  config: ServicesConfig
  log: Log
  /** Fires when the process was asked to stop: live streams end at once, so that it can. */
  stopping?: AbortSignal
}

/** After the commit: the row is the truth, and the worker's sweep finds it even if Redis hears nothing. */
export const startJob = <N extends JobName>(deps: Deps, name: N, data: JobData<N>) =>
  enqueue(deps.queues, name, data, (error) => deps.log.warn({ err: error, job: name, ...data }, 'a job waits for the sweep: Redis is away'))

/** Tells everyone who watches to read again. */
export function announce(
  deps: Deps,
  changed: { organizationId: string; appId?: string; buildIds?: string[]; deploymentIds?: string[] },
): void {
  for (const id of changed.buildIds ?? []) deps.signals.publish(channels.build(id))
  for (const id of changed.deploymentIds ?? []) deps.signals.publish(channels.deployment(id))
  if (changed.appId) deps.signals.publish(channels.app(changed.appId))
  deps.signals.publish(channels.organization(changed.organizationId))
}

/** `http://shop.localhost:8080`; the router's port is left out where browsers imply it. */
export function publicUrl({ routerPort }: ServicesConfig, hostname: string): string {
  if (routerPort === 443) return `https://${hostname}`
  return routerPort === 80 ? `http://${hostname}` : `http://${hostname}:${routerPort}`
}

/** As `docker login` writes it: the panel's host with the registry's port. */
export const registryHost = ({ webUrl, registryPort }: ServicesConfig) => `${new URL(webUrl).hostname}:${registryPort}`

/** Whether clients speak http to it: as browsers do to the panel, which is on the same host. */
export const registryIsPlain = ({ webUrl }: ServicesConfig) => new URL(webUrl).protocol === 'http:'
