/** Pushing manifests (distribution-spec "Pushing Manifests"): everything is checked, then one transaction makes it visible. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { findRepositoryByPath, linkedBlobSizes, type NewManifest, putManifest } from '@slipway/db'
import {
  type Descriptor,
  type ImageConfigFile,
  type ImageManifest,
  isImageConfigType,
  isNonDistributable,
  isTag,
  namesManifest,
  type ParsedManifest,
  pairLayers,
  parseDigest,
  parseImageConfig,
  parseManifest,
} from '@slipway/oci'
import { digestBytes } from '@slipway/oci/node'
import type { Caller, Registry } from '../context'
import { nameUnknown, RegistryError } from '../errors'
import { readBody } from '../http/body'
import { sendEmpty } from '../http/respond'
import { repositoryPath } from '../http/route'
import { type BlobStore, DigestMismatchError } from '../store/store'
import { assertReference, type ManifestTarget } from './manifests'

/** distribution-spec: at least this much must be taken; more is refused, as Docker Hub does. */
const MAX_MANIFEST = 4 * 1024 * 1024
const MAX_TAGS = 100
const MAX_CONFIG = 8 * 1024 * 1024

export async function storeManifest(
  registry: Registry,
  request: IncomingMessage,
  response: ServerResponse,
  { name, reference }: ManifestTarget,
  query: URLSearchParams,
  { token, address }: Caller,
): Promise<void> {
  assertReference(reference)
  const byDigest = reference.includes(':')
  const tags = byDigest ? tagParameters(query) : [reference]
  // Before the body: the request may be one for another name.
  const repository = await findRepositoryByPath(registry.db, repositoryPath(name))
  if (!repository) throw nameUnknown()
  const tooLarge = () => new RegistryError('MANIFEST_INVALID', 'A manifest may have at most 4 MiB.', { status: 413 })
  const tooSlow = () => new RegistryError('MANIFEST_INVALID', 'The manifest comes too slowly. Push it again.', { status: 408 })
  const content = await readBody(request, { maxBytes: MAX_MANIFEST, tooLarge, pace: registry.patience.slowest, tooSlow })
  const parsed = parseManifest(content, request.headers['content-type'])
  const digest = digestBytes(content, byDigest ? parseDigest(reference).algorithm : 'sha256')
  if (byDigest && digest !== reference) throw new DigestMismatchError(reference, digest)

  // One that has more than it may have gets no new image; moving tags among what is there costs nothing.
  await registry.quota.assertRoom(repository.organizationId, 0)
  const result = await putManifest(registry.db, {
    repositoryId: repository.id,
    organizationId: repository.organizationId,
    digest,
    mediaType: parsed.mediaType,
    artifactType: artifactTypeOf(parsed),
    subjectDigest: parsed.manifest.subject?.digest,
    annotations: parsed.manifest.annotations,
    content,
    pushedBy: token.sub,
    address,
    tags,
    ...(parsed.kind === 'image' ? await imageParts(registry, repository.id, parsed.manifest) : indexParts(parsed.manifest.manifests)),
  })
  if (result.outcome === 'repository-gone') throw nameUnknown()
  if (result.outcome === 'wrong-size') {
    throw new RegistryError('MANIFEST_INVALID', `The manifest gives a wrong size for ${result.digest}: it has ${result.size} bytes.`)
  }
  if (result.outcome === 'missing') {
    const missing = result.blobs
    const message = `The manifest names ${missing.length === 1 ? 'a blob that is' : `${missing.length} blobs that are`} not in the repository. Push them first.`
    throw new RegistryError('MANIFEST_BLOB_UNKNOWN', message, { detail: missing.slice(0, 50).map((missed) => ({ digest: missed })) })
  }
  registry.manifests.set(digest, content)
  const subject = parsed.manifest.subject
  sendEmpty(response, 201, {
    location: `/v2/${name}/manifests/${digest}`,
    'docker-content-digest': digest,
    ...(subject ? { 'oci-subject': subject.digest } : {}),
    ...(byDigest && tags.length > 0 ? { 'oci-tag': tags.join(', ') } : {}),
  })
}

/** `?tag=v1&tag=v1.2`: tags that a push by digest sets with the same transaction (distribution-spec after 1.1, "Pushing Manifests"). */
function tagParameters(query: URLSearchParams): string[] {
  const tags = query.getAll('tag')
  if (tags.length > MAX_TAGS) {
    throw new RegistryError('MANIFEST_INVALID', `One push may set at most ${MAX_TAGS} tags.`, { status: 414 })
  }
  if (!tags.every(isTag)) throw new RegistryError('MANIFEST_INVALID', 'One of the ?tag= parameters is not a tag.')
  return [...new Set(tags)]
}

type Parts = Pick<NewManifest, 'layers' | 'children' | 'configDigest' | 'config' | 'os' | 'architecture'> & { needsBlobs: Descriptor[] }

/**
 * Images may come later than their index. Entries that are no manifests are blobs that nothing else names (BuildKit's
 * `--cache-to type=registry` has its layers and a configuration there), so they are demanded and kept as an image's layers are.
 */
export function indexParts(entries: Descriptor[]): Parts {
  const blobs = entries.filter((entry) => !namesManifest(entry.mediaType))
  return {
    layers: blobs.map(({ digest, mediaType, size }) => ({ digest, mediaType, size })),
    needsBlobs: blobs.filter((blob) => !isNonDistributable(blob.mediaType)),
    children: entries
      .filter((entry) => namesManifest(entry.mediaType))
      .map(({ digest, platform }) => ({ digest, os: platform?.os, architecture: platform?.architecture, variant: platform?.variant })),
  }
}

export async function imageParts(
  registry: Pick<Registry, 'db' | 'store' | 'log'>,
  repositoryId: string,
  manifest: ImageManifest,
): Promise<Parts> {
  return partsOfImage(manifest, await readConfig(registry, repositoryId, manifest.config))
}

export const partsOfImage = (manifest: ImageManifest, config: ImageConfigFile | undefined): Parts => ({
  children: [],
  layers: pairLayers(manifest.layers, config).map(({ position: _position, ...layer }) => layer),
  needsBlobs: [manifest.config, ...manifest.layers.filter((layer) => !isNonDistributable(layer.mediaType))],
  configDigest: manifest.config.digest,
  config: config?.config ?? undefined,
  os: config?.os,
  architecture: config?.architecture,
})

/** Of images only; an artifact's config is its own business. The row's link is checked before a byte is read. */
async function readConfig(
  { db, store, log }: Pick<Registry, 'db' | 'store' | 'log'>,
  repositoryId: string,
  config: Descriptor,
): Promise<ImageConfigFile | undefined> {
  if (!isReadableConfig(config)) return undefined
  const real = (await linkedBlobSizes(db, repositoryId, [config.digest])).get(config.digest)
  // Missing or of another size: the transaction refuses the manifest with the reason.
  if (real !== config.size) return undefined
  const file = await configIn(store, config)
  if (!file) log.error({ digest: config.digest }, 'a blob that has a row is missing in the store')
  return file
}

const isReadableConfig = ({ mediaType, size }: Descriptor) => isImageConfigType(mediaType) && size <= MAX_CONFIG

/** For whoever may read it: it asks for no link. */
export async function configIn(store: BlobStore, config: Descriptor): Promise<ImageConfigFile | undefined> {
  const stream = isReadableConfig(config) ? await store.open(config.digest) : undefined
  return stream && parseImageConfig(await buffer(stream))
}

/** image-spec: an artifact without artifactType is of its config's type. */
export function artifactTypeOf(parsed: ParsedManifest): string | undefined {
  if (parsed.manifest.artifactType !== undefined) return parsed.manifest.artifactType
  return parsed.kind === 'image' && !isImageConfigType(parsed.manifest.config.mediaType) ? parsed.manifest.config.mediaType : undefined
}
