/** Pulling, checking and deleting blobs (distribution-spec "Pulling blobs", "Deleting Blobs"). */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { findLinkedBlob, findRepositoryByPath, keepBlobLink, type LinkedBlob, unlinkBlob } from '@slipway/db'
import { parseDigest } from '@slipway/oci'
import { allows } from '../auth/verify'
import type { Caller, Registry } from '../context'
import { blobUnknown, nameUnknown, RegistryError } from '../errors'
import { parseRange } from '../http/body'
import { sendEmpty } from '../http/respond'
import { repositoryPath } from '../http/route'
import { sendFile } from '../http/send-file'

/** A link that a push relied on longer ago is renewed when a push asks for the blob. */
const RENEW_AFTER_MS = 10 * 60_000

interface BlobRequest {
  name: string
  digest: string
}

async function linked({ db }: Registry, { name, digest }: BlobRequest): Promise<LinkedBlob> {
  parseDigest(digest)
  const blob = await findLinkedBlob(db, repositoryPath(name), digest)
  if (!blob) throw blobUnknown()
  return blob
}

const blobHeaders = (digest: string) => ({
  'content-type': 'application/octet-stream',
  'docker-content-digest': digest,
  etag: `"${digest}"`,
  'accept-ranges': 'bytes',
  // Content behind a digest never changes; private, as who may read it does.
  'cache-control': 'private, max-age=31536000, immutable',
})

export async function headBlob(registry: Registry, response: ServerResponse, target: BlobRequest, { token }: Caller): Promise<void> {
  const blob = await linked(registry, target)
  if ((await registry.store.size(target.digest)) !== blob.size) throw lost(registry, target.digest)
  if (allows(token, target.name, 'push') && Date.now() - blob.seenAt.getTime() > RENEW_AFTER_MS) {
    await keepBlobLink(registry.db, blob.repositoryId, target.digest)
  }
  sendEmpty(response, 200, { ...blobHeaders(target.digest), 'content-length': blob.size })
}

export async function getBlob(registry: Registry, request: IncomingMessage, response: ServerResponse, target: BlobRequest): Promise<void> {
  const { digest } = target
  const { size } = await linked(registry, target)
  const headers = blobHeaders(digest)
  if (request.headers['if-none-match'] === headers.etag) return void response.writeHead(304, headers).end()
  const ifRange = request.headers['if-range']
  const range = ifRange === undefined || ifRange === headers.etag ? parseRange(request.headers.range, size) : 'whole'
  if (range === 'unsatisfiable') {
    throw new RegistryError('SIZE_INVALID', `The blob has ${size} bytes; the range lies outside.`, {
      status: 416,
      headers: { 'content-range': `bytes */${size}` },
    })
  }
  const { start, end } = range === 'whole' ? { start: 0, end: size - 1 } : range
  const { store } = registry
  const source = await (store.file ? store.file(digest) : store.open(digest, range === 'whole' ? undefined : range))
  if (!source) throw lost(registry, digest)
  if (range === 'whole') response.writeHead(200, { ...headers, 'content-length': size })
  else response.writeHead(206, { ...headers, 'content-length': end - start + 1, 'content-range': `bytes ${start}-${end}/${size}` })
  if (source instanceof Readable) return pipeline(source, response)
  try {
    await sendFile(response, source, start, end)
  } finally {
    await source.close()
  }
}

export async function deleteBlob({ db }: Registry, response: ServerResponse, { name, digest }: BlobRequest): Promise<void> {
  parseDigest(digest)
  const repository = await findRepositoryByPath(db, repositoryPath(name))
  if (!repository) throw nameUnknown()
  const result = await unlinkBlob(db, repository.id, digest)
  if (result === 'unknown') throw blobUnknown()
  if (result === 'in-use') {
    const message = 'This blob is part of an image in the repository. Delete the manifests that name it first.'
    throw new RegistryError('UNSUPPORTED', message, { status: 405, headers: { allow: 'GET, HEAD' } })
  }
  sendEmpty(response, 202)
}

/** A row whose bytes are gone or cut short: somebody touched the store. Told as unknown, so that a push brings it back. */
function lost({ log }: Registry, digest: string): RegistryError {
  log.error({ digest }, 'a blob that has a row is missing or damaged in the store')
  return blobUnknown()
}
