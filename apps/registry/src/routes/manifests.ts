/** Pulling, checking and deleting manifests (distribution-spec "Pulling manifests", "Deleting tags", "Deleting Manifests"). */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { deleteManifest, deleteTag, findRepositoryByPath, type ManifestHead, manifestContent, resolveManifest } from '@slipway/db'
import { DOCKER_MANIFEST, isIndexType, isTag, MANIFEST_TYPES, OCI_MANIFEST, parseDigest, parseManifest } from '@slipway/oci'
import { digestBytes } from '@slipway/oci/node'
import type { Caller, Registry } from '../context'
import { nameUnknown, RegistryError } from '../errors'
import { sendEmpty } from '../http/respond'
import { repositoryPath } from '../http/route'

export interface ManifestTarget {
  name: string
  /** A tag or a digest. */
  reference: string
}

export const manifestUnknown = (reference: string) =>
  new RegistryError('MANIFEST_UNKNOWN', `The repository has no image ${reference.slice(0, 140)}. Check the tag.`, {
    detail: { reference: reference.slice(0, 140) },
  })

/** Throws unless it is a tag or a digest. */
export function assertReference(reference: string): void {
  if (reference.includes(':')) parseDigest(reference)
  else if (!isTag(reference)) throw new RegistryError('MANIFEST_INVALID', 'This is neither a tag nor a digest.')
}

export async function content({ db, manifests, log }: Registry, head: Pick<ManifestHead, 'id' | 'digest'>): Promise<Buffer> {
  const kept = manifests.get(head.digest)
  if (kept) return kept
  const stored = await manifestContent(db, head.id)
  if (!stored) throw manifestUnknown(head.digest)
  const bytes = Buffer.from(stored)
  // Once per reading from the database: what is in the cache was right when it came there.
  if (digestBytes(bytes, parseDigest(head.digest).algorithm) !== head.digest) {
    log.error({ digest: head.digest, manifest: head.id }, 'the content of a manifest does not have its digest')
    const message = 'The registry found the content of this image’s manifest damaged. Push the image again to repair it.'
    throw new RegistryError('MANIFEST_UNKNOWN', message)
  }
  manifests.set(head.digest, bytes)
  return bytes
}

/** HEAD and GET. A client that says which kinds it takes gets none of another kind. */
export async function getManifest(
  registry: Registry,
  request: IncomingMessage,
  response: ServerResponse,
  { name, reference }: ManifestTarget,
  { token, address }: Caller,
): Promise<void> {
  assertReference(reference)
  const path = repositoryPath(name)
  let head = await resolveManifest(registry.db, path, reference)
  if (!head) {
    // One look more only on the way to an error: which of the two is missing.
    throw (await findRepositoryByPath(registry.db, path)) ? manifestUnknown(reference) : nameUnknown()
  }
  const accepted = acceptedKinds(request)
  if (accepted && !accepted.has(head.mediaType)) head = await acceptableChild(registry, head, path, accepted, reference)
  const headers = {
    'content-type': head.mediaType,
    'content-length': head.size,
    'docker-content-digest': head.digest,
    etag: `"${head.digest}"`,
    // A tag moves: clients may keep the bytes but must ask.
    'cache-control': reference.includes(':') ? 'private, max-age=31536000, immutable' : 'private, no-cache',
  }
  if (request.headers['if-none-match'] === headers.etag) return sendNotModified(response, head)
  const caller = `${token.sub} ${address}`
  if (request.method === 'HEAD') {
    registry.pulls.asked(head, reference, caller)
    return void response.writeHead(200, headers).end()
  }
  const bytes = await content(registry, head)
  response.writeHead(200, headers).end(bytes)
  registry.pulls.pulled(head, reference, caller)
}

const sendNotModified = (response: ServerResponse, { digest }: ManifestHead): void =>
  void response.writeHead(304, { etag: `"${digest}"`, 'docker-content-digest': digest }).end()

/** The manifest kinds of the Accept header, or undefined when it leaves the kind to us (absent, wildcards, other types only). */
function acceptedKinds(request: IncomingMessage): Set<string> | undefined {
  const header = request.headers.accept
  if (header === undefined) return undefined
  const types = header.split(',').map((part) => part.split(';')[0]?.trim().toLowerCase() ?? '')
  if (types.includes('*/*') || types.includes('application/*')) return undefined
  const kinds = new Set(types.filter((type) => (MANIFEST_TYPES as readonly string[]).includes(type)))
  return kinds.size === 0 ? undefined : kinds
}

/** For clients from before indexes: the linux/amd64 image of one, as Docker's registry does. */
async function acceptableChild(
  registry: Registry,
  head: ManifestHead,
  path: ReturnType<typeof repositoryPath>,
  accepted: Set<string>,
  reference: string,
): Promise<ManifestHead> {
  if (isIndexType(head.mediaType) && !reference.includes(':') && (accepted.has(DOCKER_MANIFEST) || accepted.has(OCI_MANIFEST))) {
    const parsed = parseManifest(await content(registry, head), head.mediaType)
    const children = parsed.kind === 'index' ? parsed.manifest.manifests : []
    const match = children.find((c) => c.platform?.os === 'linux' && c.platform.architecture === 'amd64' && accepted.has(c.mediaType))
    const child = match && (await resolveManifest(registry.db, path, match.digest))
    if (child) return child
  }
  const message = `The image is of type ${head.mediaType}, which your client does not take. Use a newer client.`
  throw new RegistryError('MANIFEST_UNKNOWN', message)
}

export async function removeManifest(
  { db }: Registry,
  response: ServerResponse,
  { name, reference }: ManifestTarget,
  { token, address }: Caller,
): Promise<void> {
  assertReference(reference)
  const repository = await findRepositoryByPath(db, repositoryPath(name))
  if (!repository) throw nameUnknown()
  const removed = reference.includes(':')
    ? await deleteManifest(db, repository.id, reference, { sub: token.sub, address })
    : await deleteTag(db, repository.id, reference, { sub: token.sub, address })
  if (!removed) throw manifestUnknown(reference)
  sendEmpty(response, 202)
}
