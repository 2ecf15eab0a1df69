import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { AppError } from '@slipway/core'
import { adminRequest, routerDown } from './admin'
import { routerConfig } from './config'
import { syncRoutes } from './route-directory'
import { isHostname, type Route, routeFiles } from './routes'

export interface IngressOptions {
  /** Caddy's admin socket. The routes directory lies beside it. */
  adminSocket: string
  routerPort: number
  /** Apps get `<slug>.<baseDomain>`; checked, and used by `hostnameOf`. */
  baseDomain: string
  /** Until when `apply` keeps trying to reach Caddy; default 10 s. */
  deadlineMs?: number
}

export interface IngressHealth {
  ok: boolean
  /** Caddy answers, but with another configuration than ours: the next `apply` mends it. */
  configured: boolean
  reason?: string
}

export interface Ingress {
  /**
   * Makes these, and only these, the routes; a function is asked when it is its turn, so that what was read last is what
   * stays. When it resolves, new requests go to the new upstreams; those under way
   * finish where they are. Idempotent; calls that come while one is at work are merged into one that follows.
   * `force` loads Caddy's configuration even when it looks right.
   * @throws AppError ROUTE_INVALID, ROUTE_CONFLICT (nothing changed), ROUTER_UNAVAILABLE, ROUTER_CONFIG_REFUSED
   */
  apply(routes: RoutesToApply, options?: { force?: boolean }): Promise<void>
  health(): Promise<IngressHealth>
  hostnameOf(slug: string): string
}

export type RoutesToApply = readonly Route[] | (() => Promise<readonly Route[]>)

interface Job {
  routes: RoutesToApply
  force: boolean
  promise: Promise<void>
}

const ATTEMPT_MS = 3000

export function createIngress(options: IngressOptions): Ingress {
  const { adminSocket, routerPort, baseDomain, deadlineMs = 10_000 } = options
  if (!isHostname(baseDomain)) {
    throw new AppError({
      kind: 'bad-input',
      code: 'BASE_DOMAIN_INVALID',
      message: `"${baseDomain}" is no domain. Set a base domain such as localhost or apps.example.com.`,
    })
  }
  const routesDirectory = join(dirname(adminSocket), 'routes')
  const config = routerConfig({ adminSocket, routesDirectory, port: routerPort })
  const text = JSON.stringify(config)
  let running: Promise<void> | null = null
  let waiting: Job | null = null

  async function isConfigured(): Promise<boolean> {
    const reply = await adminRequest(adminSocket, 'GET', '/config/', ATTEMPT_MS)
    if (reply.status !== 200) throw new Error(`caddy answered ${reply.status}: ${reply.body.slice(0, 500)}`)
    return isDeepStrictEqual(JSON.parse(reply.body), config)
  }

  async function load(): Promise<void> {
    const reply = await adminRequest(adminSocket, 'POST', '/load', ATTEMPT_MS, text)
    if (reply.status === 200) return
    const cause = new Error(`caddy answered ${reply.status}: ${reply.body.slice(0, 2000)}`)
    // A port in use is not ours to mend by trying again soon, and neither is a refused configuration.
    if (reply.status >= 400 && reply.status < 500) {
      throw new AppError({
        kind: 'internal',
        code: 'ROUTER_CONFIG_REFUSED',
        message: `The router refused its configuration. Look whether port ${routerPort} is free; the log has the cause.`,
        cause,
      })
    }
    throw cause
  }

  async function ensureConfigured(force: boolean): Promise<void> {
    const until = performance.now() + deadlineMs
    for (;;) {
      try {
        if (force || !(await isConfigured())) await load()
        return
      } catch (error) {
        if (error instanceof AppError) throw error
        if (performance.now() >= until) throw routerDown(error)
        await sleep(100)
      }
    }
  }

  async function work(job: Pick<Job, 'routes' | 'force'>): Promise<void> {
    const routes = typeof job.routes === 'function' ? await job.routes() : job.routes
    await syncRoutes(routesDirectory, routeFiles(routes))
    await ensureConfigured(job.force)
  }

  /** Runs now, or once after what runs now; whoever waits already gets the newest routes. */
  function submit(routes: RoutesToApply, force: boolean): Promise<void> {
    if (!running) {
      running = work({ routes, force }).finally(() => {
        running = null
      })
      return running
    }
    if (waiting) {
      waiting.routes = routes
      waiting.force ||= force
      return waiting.promise
    }
    const after = running
    const job: Job = { routes, force, promise: Promise.resolve() }
    const next = async () => {
      await after.catch(() => undefined)
      waiting = null
      return submit(job.routes, job.force)
    }
    waiting = job
    job.promise = next()
    return job.promise
  }

  return {
    async apply(routes, { force = false } = {}) {
      // What can be refused at once is.
      if (typeof routes !== 'function') routeFiles(routes)
      await submit(routes, force)
    },
    async health() {
      try {
        const configured = await isConfigured()
        return configured ? { ok: true, configured } : { ok: false, configured, reason: 'The router has no configuration yet.' }
      } catch (error) {
        return {
          ok: false,
          configured: false,
          reason: `The router does not answer: ${error instanceof Error ? error.message : String(error)}`,
        }
      }
    },
    hostnameOf: (slug) => `${slug}.${baseDomain}`,
  }
}
