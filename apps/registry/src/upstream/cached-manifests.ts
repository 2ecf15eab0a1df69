/** Manifests of an upstream: fetched once, asked for anew when a tag may have moved, and kept for when nobody answers. */
import {
  ensureCacheRepository,
  forgetCachedTag,
  type ManifestHead,
  putCachedManifest,
  type RepositoryPath,
  resolveManifest,
  touchCachedImage,
} from '@slipway/db'
import { type ImageManifest, MANIFEST_TYPES, pairLayers, parseDigest, parseManifest } from '@slipway/oci'
import { digestBytes } from '@slipway/oci/node'
import type { Registry } from '../context'
import { RegistryError } from '../errors'
import { indexParts } from '../routes/manifest-put'
import { manifestUnknown } from '../routes/manifests'
import type { Remote } from './remote'

const MAX_MANIFEST = 4 * 1024 * 1024
/** How long "there is none" is believed: a tag may be pushed any moment. */
const ABSENT_MS = 30_000
/** An image's blobs are marked as used at most so often. */
const TOUCH_MS = 10 * 60_000
const MAX_REMEMBERED = 20_000

/** Told to the client in a header: the answer is what was kept, as the upstream could not be asked. */
export const STALE = '110 - "Response is Stale"'

export interface Ready {
  /** Came from the upstream with this request. */
  fetched: boolean
  warning: string | undefined
}

export class CachedManifests {
  readonly #fresh = new Memory()
  readonly #absent = new Memory()
  readonly #touched = new Memory()
  readonly #running = new Map<string, Promise<Ready>>()

  constructor(readonly registry: Pick<Registry, 'db' | 'log' | 'manifests'>) {}

  /** Sees to it that the repository has the manifest, if there is one. Throws `MANIFEST_UNKNOWN`, `UNAVAILABLE`, `TOOMANYREQUESTS`. */
  async ready(remote: Remote, path: RepositoryPath, reference: string): Promise<Ready> {
    const key = `${remote.row.id} ${path.name} ${reference}`
    const since = Date.now()
    const head = await resolveManifest(this.registry.db, path, reference)
    if (head) await this.#touch(head)
    if (head && (reference.includes(':') || this.#fresh.within(key, remote.row.revalidateMinutes * 60_000 - 1))) {
      return { fetched: false, warning: undefined }
    }
    if (!head && this.#absent.within(key, ABSENT_MS)) throw manifestUnknown(reference)
    // One of many asks, the others take its answer, also one that came while they looked.
    if (this.#fresh.within(key, Date.now() - since)) return { fetched: false, warning: undefined }
    const running = this.#running.get(key) ?? this.#ask(remote, path, reference, head, key).finally(() => this.#running.delete(key))
    this.#running.set(key, running)
    return running
  }

  async #ask(remote: Remote, path: RepositoryPath, reference: string, head: ManifestHead | null, key: string): Promise<Ready> {
    try {
      const fetched = !(head && (await this.#unmoved(remote, path, reference, head)))
      if (fetched) await this.#fetch(remote, path, reference)
      this.#fresh.set(key)
      return { fetched, warning: undefined }
    } catch (error) {
      const absent = error instanceof RegistryError && error.code === 'MANIFEST_UNKNOWN'
      if (absent) {
        this.#absent.set(key)
        // Gone there, gone here; who has its digest can still pull it.
        if (head) await forgetCachedTag(this.registry.db, head.repositoryId, reference)
        throw error
      }
      if (!head) throw error
      this.registry.log.warn(
        { err: error, upstream: remote.row.host, name: path.name, reference },
        'serving a copy, as the upstream cannot be asked',
      )
      return { fetched: false, warning: STALE }
    }
  }

  async #unmoved(remote: Remote, { name }: RepositoryPath, reference: string, head: ManifestHead): Promise<boolean> {
    const accept = MANIFEST_TYPES.join(', ')
    const answer = await remote.ask('HEAD', name, `manifests/${reference}`, { accept, 'if-none-match': `"${head.digest}"` })
    await answer.body?.cancel()
    if (answer.status === 404) throw manifestUnknown(reference)
    if (answer.status === 401 || answer.status === 403) throw denied(remote)
    return answer.status === 304 || answer.headers.get('docker-content-digest') === head.digest
  }

  async #fetch(remote: Remote, path: RepositoryPath, reference: string): Promise<void> {
    const { db, manifests } = this.registry
    const answer = await remote.ask('GET', path.name, `manifests/${reference}`, { accept: MANIFEST_TYPES.join(', ') })
    if (answer.status !== 200) {
      await answer.body?.cancel()
      // Docker Hub says 401 of what is not there, too: to those who pull it is the same.
      throw manifestUnknown(`${path.name}:${reference} at ${remote.row.host}`)
    }
    const content = await bounded(answer, remote)
    const isPinned = reference.includes(':')
    const digest = digestBytes(content, isPinned ? parseDigest(reference).algorithm : 'sha256')
    const claimed = isPinned ? reference : answer.headers.get('docker-content-digest')
    if (claimed !== null && claimed !== digest && claimed.startsWith(digest.slice(0, 7)))
      throw remote.corrupt(`${digest} is not ${claimed}`)
    const parsed = readManifest(content, answer.headers.get('content-type') ?? undefined, remote)
    const repository = await ensureCacheRepository(db, path)
    const stored = await putCachedManifest(db, {
      repositoryId: repository.id,
      organizationId: repository.organizationId,
      digest,
      mediaType: parsed.mediaType,
      artifactType: parsed.manifest.artifactType,
      subjectDigest: parsed.manifest.subject?.digest,
      annotations: parsed.manifest.annotations,
      content,
      pushedBy: 'system:upstream',
      tags: isPinned ? [] : [reference],
      ...(parsed.kind === 'image' ? partsOf(parsed.manifest) : indexParts(parsed.manifest.manifests)),
    })
    if (!stored)
      throw new RegistryError('UNAVAILABLE', 'The cache was emptied a moment ago. Try again.', { headers: { 'retry-after': '1' } })
    manifests.set(digest, content)
  }

  async #touch(head: ManifestHead): Promise<void> {
    if (this.#touched.within(head.id, TOUCH_MS)) return
    this.#touched.set(head.id)
    await touchCachedImage(this.registry.db, head.id)
  }
}

/** The configuration is not here yet, so no layer has its step. */
const partsOf = ({ config, layers }: ImageManifest) => ({
  layers: pairLayers(layers, undefined).map(({ position: _position, ...layer }) => layer),
  needsBlobs: [config, ...layers],
  children: [],
  configDigest: config.digest,
})

const denied = (remote: Remote) =>
  new RegistryError(
    'UNAVAILABLE',
    `${remote.row.host} does not let us read this image any more. Check its credentials under Settings → Upstreams.`,
  )

async function bounded(answer: Response, remote: Remote): Promise<Buffer> {
  const pieces: Uint8Array[] = []
  let length = 0
  try {
    for await (const piece of answer.body ?? []) {
      length += piece.byteLength
      if (length > MAX_MANIFEST) break
      pieces.push(piece)
    }
  } catch (error) {
    throw remote.failed(error, 'stopped in the middle of a manifest')
  }
  if (length > MAX_MANIFEST) throw remote.corrupt('a manifest of more than 4 MiB')
  return Buffer.concat(pieces, length)
}

function readManifest(content: Buffer, type: string | undefined, remote: Remote) {
  try {
    return parseManifest(content, type)
  } catch (error) {
    throw remote.corrupt(error)
  }
}

/** When something was last so, for the latest of many. */
class Memory {
  readonly #at = new Map<string, number>()

  within(key: string, ms: number): boolean {
    const at = this.#at.get(key)
    return at !== undefined && Date.now() - at <= ms
  }

  set(key: string): void {
    this.#at.delete(key)
    this.#at.set(key, Date.now())
    const oldest = this.#at.keys().next().value
    if (this.#at.size > MAX_REMEMBERED && oldest !== undefined) this.#at.delete(oldest)
  }
}
