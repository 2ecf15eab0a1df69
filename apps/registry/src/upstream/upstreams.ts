/**
 * The pull-through cache (docs/adr/0013): `docker.io/library/nginx` in our registry is what docker.io has under that name, fetched when
 * it is first asked for and kept. This file finds the upstream of a name; the other files of this folder fetch, send and keep count.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { isAppError, upstreamHost } from '@slipway/core'
import {
  absentImages,
  cacheRepositoriesWith,
  ensureCacheRepository,
  findLinkedBlob,
  findUpstream,
  isPartOfImage,
  linkCachedBlob,
  type RepositoryPath,
  type UpstreamRow,
} from '@slipway/db'
import { parseDigest, type RegistryCredentials } from '@slipway/oci'
import type { Sealer } from '@slipway/secrets'
import type { Registry } from '../context'
import { blobUnknown, RegistryError } from '../errors'
import { sendEmpty } from '../http/respond'
import { BlobFlight, NotThere, TooLargeForCache } from './blob-flight'
import { CachedManifests, type Ready } from './cached-manifests'
import { Gate } from './gate'
import { Remote, type RemoteLimits } from './remote'
import { UpstreamUsage } from './usage'

/** Settings are read again after this; a change in the panel needs no restart. */
const SETTINGS_MS = 3000
const MAX_FLIGHTS = 24
const IDLE_MS = 120_000
/** Of an index that are fetched to know what it is made of: more than any has, and an end for one that somebody made up. */
const MAX_IMAGES = 200

/** Whose AAD the credentials are sealed with: they belong to the installation. */
export const UPSTREAM_OWNER = 'installation'

export interface UpstreamsOptions {
  registry: Pick<Registry, 'db' | 'store' | 'log' | 'manifests' | 'busyUploads' | 'maxBlobBytes'>
  /** Opens credentials; without it, upstreams that have some cannot be asked. */
  sealer?: Sealer
  limits?: RemoteLimits
}

interface Known {
  remote: Remote
  version: string
  readAt: number
}

export class Upstreams {
  readonly #options: UpstreamsOptions
  readonly #manifests: CachedManifests
  readonly #usage: UpstreamUsage
  readonly #known = new Map<string, Known>()
  readonly #flights = new Map<string, BlobFlight>()
  readonly #gate = new Gate(MAX_FLIGHTS)

  constructor(options: UpstreamsOptions) {
    this.#options = options
    this.#manifests = new CachedManifests(options.registry)
    this.#usage = new UpstreamUsage(options.registry.db, options.registry.log)
  }

  start(): void {
    this.#usage.start()
  }

  /** Writes what is noted, and lets the cache shrink to its limit. */
  settle(): Promise<void> {
    return this.#usage.flush()
  }

  async stop(): Promise<void> {
    await this.#usage.stop()
    for (const { remote } of this.#known.values()) remote.close()
  }

  /** Undefined: the name is an organization's. Throws `NAME_UNKNOWN` for an upstream that is not there. */
  async remoteOf(path: RepositoryPath): Promise<Remote | undefined> {
    const host = upstreamHost(path.organization)
    if (host === undefined) return undefined
    const known = this.#known.get(host)
    if (known && Date.now() - known.readAt < SETTINGS_MS) return known.remote
    const row = await findUpstream(this.#options.registry.db, host)
    if (!row) {
      known?.remote.close()
      this.#known.delete(host)
      const message = `No upstream ${host} is set up here. An owner of the installation adds it under Settings → Upstreams.`
      throw new RegistryError('NAME_UNKNOWN', message)
    }
    const version = JSON.stringify({ ...row, secret: row.secret && Buffer.from(row.secret).toString('base64') })
    if (known?.version === version) {
      known.readAt = Date.now()
      return known.remote
    }
    known?.remote.close()
    const remote = new Remote(
      row,
      this.#credentials(row),
      ({ at, error }) => {
        const use = this.#usage.of(row)
        if (error === null) use.contactAt = at
        use.error = error === null ? null : { message: error, at }
      },
      this.#options.limits,
    )
    this.#known.set(host, { remote, version, readAt: Date.now() })
    return remote
  }

  #credentials(row: UpstreamRow): RegistryCredentials | undefined {
    if (!row.secret) return undefined
    const { sealer } = this.#options
    if (!sealer) throw new RegistryError('UNAVAILABLE', 'The registry cannot read the upstream’s credentials: its master key is missing.')
    try {
      const password = sealer.open(row.secret, { kind: 'upstream', organizationId: UPSTREAM_OWNER, id: row.id })
      return { username: row.username ?? '', password }
    } catch (cause) {
      throw new RegistryError(
        'UNAVAILABLE',
        'The upstream’s credentials cannot be decrypted. Enter them again under Settings → Upstreams.',
        {
          cause,
        },
      )
    }
  }

  /** Before a manifest is given out. */
  async manifest(remote: Remote, path: RepositoryPath, reference: string): Promise<Ready> {
    const ready = await this.#manifests.ready(remote, path, reference)
    this.#usage.of(remote.row)[ready.fetched ? 'misses' : 'hits']++
    return ready
  }

  /**
   * Whether the image `root` has `wanted`, by what the upstream says it is made of: its manifests that are not here are fetched for
   * that, which each is once. For those who may have this image only.
   */
  async isPart(
    remote: Remote,
    path: RepositoryPath,
    root: string,
    wanted: { digest: string; kind: 'manifest' | 'blob' },
  ): Promise<boolean> {
    const { db } = this.#options.registry
    const asked = new Set<string>()
    for (let next: string | undefined = root; next !== undefined && asked.size < MAX_IMAGES; ) {
      asked.add(next)
      await this.#manifests.ready(remote, path, next).catch((error: unknown) => {
        // An index may name what is not there, and what is no manifest at all.
        if (next === root || !(error instanceof RegistryError && [404, 502].includes(error.status))) throw error
      })
      if (await isPartOfImage(db, path, root, wanted)) return true
      next = (await absentImages(db, path, root, MAX_IMAGES)).find((digest) => !asked.has(digest))
    }
    return false
  }

  /** Before a blob is given out. True: it was sent already, as it came. */
  async blob(
    remote: Remote,
    path: RepositoryPath,
    digest: string,
    request: IncomingMessage,
    response: ServerResponse,
    headers: Record<string, string | number>,
  ): Promise<boolean> {
    parseDigest(digest)
    const use = this.#usage.of(remote.row)
    if (await this.#has(path, digest)) {
      use.hits++
      return false
    }
    if (request.method === 'HEAD') {
      const answer = await remote.ask('HEAD', path.name, `blobs/${digest}`)
      await answer.body?.cancel()
      if (answer.status !== 200) throw blobUnknown()
      const length = answer.headers.get('content-length')
      sendEmpty(response, 200, { ...headers, ...(length !== null && /^\d{1,15}$/.test(length) ? { 'content-length': length } : {}) })
      return true
    }
    use.misses++
    const flight = await this.#flight(remote, path, digest)
    try {
      const whole = request.headers.range === undefined
      if (whole && (await flight.follow(response, (size) => (size === undefined ? headers : { ...headers, 'content-length': size })))) {
        return true
      }
      // The line is silent meanwhile, and that is not the client's fault.
      response.socket?.setTimeout(0)
      await flight.landed
      return false
    } catch (error) {
      throw this.#toClient(error, remote)
    } finally {
      response.socket?.setTimeout(IDLE_MS)
    }
  }

  /** Fetches a damaged or lost blob again, from whichever upstream keeps a copy here. False: none has it, or none answers. */
  async refetch(digest: string): Promise<boolean> {
    for (const path of await cacheRepositoriesWith(this.#options.registry.db, digest, 5)) {
      try {
        const remote = await this.remoteOf(path)
        if (!remote) continue
        await (await this.#flight(remote, path, digest)).landed
        return true
      } catch (error) {
        this.#options.registry.log.warn({ err: error, digest, path }, 'a damaged blob could not be fetched again')
      }
    }
    return false
  }

  async #has(path: RepositoryPath, digest: string): Promise<boolean> {
    const { db, store } = this.#options.registry
    const blob = await findLinkedBlob(db, path, digest)
    if (blob) return blob.damagedAt === null && (await store.size(digest)) === blob.size
    const size = await linkCachedBlob(db, path, digest)
    return size !== null && (await store.size(digest)) === size
  }

  async #flight(remote: Remote, path: RepositoryPath, digest: string): Promise<BlobFlight> {
    const key = `${remote.row.id} ${path.name} ${digest}`
    const running = this.#flights.get(key)
    if (running) return running
    const { registry } = this.#options
    const repository = await ensureCacheRepository(registry.db, path)
    const other = this.#flights.get(key)
    if (other) return other
    const use = () => this.#usage.of(remote.row)
    const flight = new BlobFlight({
      registry,
      remote,
      gate: this.#gate,
      repository: { id: repository.id, name: path.name },
      digest,
      onBytes: (bytes) => {
        use().fetchedBytes += bytes
      },
    })
    this.#flights.set(key, flight)
    flight.landed.then(
      () => {
        use().grew = true
        this.#flights.delete(key)
      },
      () => this.#flights.delete(key),
    )
    return flight
  }

  #toClient(error: unknown, remote: Remote): unknown {
    if (error instanceof NotThere) return blobUnknown()
    if (error instanceof TooLargeForCache) {
      const message = `This layer has ${error.bytes} bytes, more than the cache of ${remote.row.host} may hold. Raise its limit under Settings → Upstreams.`
      return new RegistryError('DENIED', message, { status: 403, cause: error })
    }
    if (isAppError(error) && error.code.startsWith('OUTBOUND_')) return remote.failed(error)
    return error
  }
}
