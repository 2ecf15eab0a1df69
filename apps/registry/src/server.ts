import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createDb, type Db } from '@slipway/db'
import { DOCKER_HUB } from '@slipway/oci'
import { LOOPBACK_ONLY, TrustedProxies } from '@slipway/outbound'
import type { Sealer } from '@slipway/secrets'
import type { Logger } from 'pino'
import { createHandler } from './app'
import { Authenticator } from './auth/credentials'
import { type TokenKeys, watchKeys } from './auth/keys'
import { makeLimiters, type RequestLimits } from './auth/request-limits'
import { TokenVerifier } from './auth/verify'
import type { Registry } from './context'
import { Collector } from './gc'
import { type Pace, SLOWEST } from './http/body'
import { Connections, MAX_CONNECTIONS } from './http/connections'
import { Integrity } from './integrity/integrity'
import { addRepairers } from './integrity/repairers'
import { Scrubber } from './integrity/scrubber'
import { ManifestCache } from './manifest-cache'
import { PullCounter } from './pulls'
import { MAX_OPEN_UPLOADS, QuotaDoor } from './quota'
import { RecentUploads } from './recent-uploads'
import { RecordKeeper } from './records/keeper'
import type { BlobStore } from './store/store'
import type { RemoteLimits } from './upstream/remote'
import { Upstreams } from './upstream/upstreams'
import { VerificationWatch } from './verify/watch'

const POOL = 12
/** Between two bytes, either way. Whole requests have no deadline: a layer takes as long as the line is slow. */
const IDLE_MS = 120_000
const SOCKET_BYTES = 256 * 1024

/** With clients that are slow, by weakness or by intent. */
export interface Patience {
  /** For the head of a request. */
  headersMs: number
  /** For its body, and for taking the answer. */
  slowest: Pace
  /** For the whole of a login's form, and for what nobody reads of a body after its answer. */
  formMs: number
  /** While a body comes, its upload is marked as in use so often. */
  touchMs: number
}
const PATIENCE: Patience = { headersMs: 20_000, slowest: SLOWEST, formMs: 10_000, touchMs: 300_000 }

export interface RegistryOptions {
  databaseUrl: string
  store: BlobStore
  keys: TokenKeys
  /** Days after which another key signs; 0: never by itself. */
  keyDays?: number
  limits?: RequestLimits
  log: Logger
  host: string
  /** 0: any free port. */
  port: number
  publicUrl?: string
  /** Whose word on where a request comes from is taken; the loopback's by default. */
  trustedProxies?: TrustedProxies
  maxBlobBytes: number
  /** Of one organization at one time; 5,000 by default. */
  maxOpenUploads?: number
  version: string
  patience?: Partial<Patience>
  /** 10,000 by default. */
  maxConnections?: number
  /** Where every name is docker.io's, for docker's `registry-mirrors`; 0: any free port. None by default. */
  mirrorPort?: number | undefined
  /** Opens the credentials of upstreams. */
  sealer?: Sealer
  /** Deadlines towards upstreams. */
  upstreamLimits?: RemoteLimits
  /** Of the round over the store; none by default. */
  scrub?: { everyMs: number; bytesPerSecond: number }
}

export interface RunningRegistry {
  port: number
  mirrorPort?: number | undefined
  /** Writes what upstreams noted, and lets their caches shrink, which otherwise happens every few seconds. */
  settle(): Promise<void>
  /** Stops listening, lets requests end for at most `deadlineMs`, then cuts them off. */
  stop(deadlineMs?: number): Promise<void>
}

export async function startRegistry(options: RegistryOptions): Promise<RunningRegistry> {
  const { store, log, host } = options
  await store.prepare()
  const db = createDb(options.databaseUrl, { poolSize: POOL, direct: true })
  const registry = makeRegistry(options, db)
  const collector = new Collector({ db, store, log, busyUploads: registry.busyUploads })
  const scrubber = new Scrubber({ db, log, integrity: registry.integrity, ...(options.scrub ?? { everyMs: 0, bytesPerSecond: 1 }) })
  const keeper = new RecordKeeper({ db, store, log })
  const verifications = new VerificationWatch({ db, store, log, integrity: registry.integrity })
  const servers: Server[] = []
  const connections = new Connections({ most: options.maxConnections ?? MAX_CONNECTIONS, slowest: registry.patience.slowest, log })
  const listen = async (at: string, port: number, mirrorOf?: string) => {
    const server = await listenAt(registry, connections, at, port, mirrorOf)
    servers.push(server)
    return server
  }
  try {
    const first = await listen(host, options.port)
    const { port } = first.address() as AddressInfo
    // docker resolves localhost to ::1 first; the two loopbacks are one to people.
    if (host === '127.0.0.1' || host === 'localhost') {
      await listen('::1', port).catch((error: unknown) => log.info({ err: error }, 'no IPv6 loopback here'))
    }
    const mirror = options.mirrorPort === undefined ? undefined : await listen(host, options.mirrorPort, DOCKER_HUB)
    registry.pulls.start()
    const unwatch = options.keyDays ? watchKeys(options.keys, options.keyDays, log) : () => undefined
    registry.upstreams.start()
    collector.start()
    scrubber.start()
    keeper.start()
    verifications.start()
    return {
      port,
      ...(mirror ? { mirrorPort: (mirror.address() as AddressInfo).port } : {}),
      settle: () => registry.upstreams.settle(),
      stop: async (deadlineMs = 10_000) => {
        await drain(servers, deadlineMs)
        connections.stop()
        unwatch()
        await collector.stop()
        await scrubber.stop()
        await verifications.stop()
        await keeper.stop()
        await registry.pulls.stop()
        await registry.upstreams.stop()
        await db.$disconnect()
      },
    }
  } catch (error) {
    for (const server of servers) server.close()
    connections.stop()
    await db.$disconnect()
    throw error
  }
}

function makeRegistry(
  {
    store,
    keys,
    log,
    publicUrl,
    trustedProxies = new TrustedProxies(LOOPBACK_ONLY),
    maxBlobBytes,
    maxOpenUploads = MAX_OPEN_UPLOADS,
    version,
    scrub,
    sealer,
    upstreamLimits,
    limits,
    patience,
  }: RegistryOptions,
  db: Db,
): Registry {
  // Pulls look for themselves only where the round does not come by.
  const staleAfterMs = scrub && scrub.everyMs > 0 ? 2 * scrub.everyMs : undefined
  const manifests = new ManifestCache()
  const busyUploads = new Set<string>()
  const integrity = new Integrity({ db, store, log, ...(staleAfterMs === undefined ? {} : { staleAfterMs }) })
  const upstreams = new Upstreams({
    registry: { db, store, log, manifests, busyUploads, maxBlobBytes },
    ...(sealer && { sealer }),
    ...(upstreamLimits && { limits: upstreamLimits }),
  })
  addRepairers(integrity, upstreams, { db, store, log, busyUploads, sealer })
  return {
    db,
    store,
    keys,
    verifier: new TokenVerifier(keys),
    authenticator: new Authenticator(db),
    limiters: makeLimiters(limits),
    publicUrl,
    trustedProxies,
    maxBlobBytes,
    maxOpenUploads,
    patience: { ...PATIENCE, ...patience },
    version,
    log,
    pulls: new PullCounter(db, log),
    manifests,
    integrity,
    upstreams,
    busyUploads,
    recentUploads: new RecentUploads(),
    quota: new QuotaDoor(db),
  }
}

function listenAt(registry: Registry, connections: Connections, host: string, port: number, mirrorOf?: string): Promise<Server> {
  const { headersMs } = registry.patience
  const options = {
    requestTimeout: 0,
    headersTimeout: headersMs,
    connectionsCheckingInterval: headersMs / 4,
    keepAliveTimeout: 65_000,
    highWaterMark: SOCKET_BYTES,
    noDelay: true,
  }
  const server = createServer(options, createHandler(registry, mirrorOf))
  server.setTimeout(IDLE_MS)
  connections.watch(server)
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port }, () => {
      server.off('error', reject)
      server.on('error', (error) => registry.log.error({ err: error }, 'server error'))
      resolve(server)
    })
  })
}

async function drain(servers: readonly Server[], deadlineMs: number): Promise<void> {
  const closed = Promise.all(servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))))
  // A connection kept alive becomes idle only when its request ends, so it is looked for again and again.
  const idle = setInterval(() => {
    for (const server of servers) server.closeIdleConnections()
  }, 50)
  const cut = setTimeout(() => {
    for (const server of servers) server.closeAllConnections()
  }, deadlineMs)
  await closed
  clearInterval(idle)
  clearTimeout(cut)
}
