/** Pulling, checking and deleting blobs (distribution-spec "Pulling blobs", "Deleting Blobs"). */
import type { FileHandle } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { findLinkedBlob, findRepositoryByPath, keepBlobLink, type LinkedBlob, unlinkBlob } from '@slipway/db'
import { parseDigest } from '@slipway/oci'
import { allows } from '../auth/verify'
import type { Caller, Registry } from '../context'
import { blobDamaged, blobUnknown, nameUnknown, RegistryError } from '../errors'
import { parseRange } from '../http/body'
import { sendEmpty } from '../http/respond'
import { repositoryPath } from '../http/route'
import { sendFile } from '../http/send-file'
import { DamagedOnDiskError, HeldBack, Witness } from '../integrity/held-back'

/** A link that a push relied on longer ago is renewed when a push asks for the blob. */
const RENEW_AFTER_MS = 10 * 60_000

/** Below that, one more round trip costs more than the bytes. */
const LINK_FROM_BYTES = 64 * 1024

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

export const blobHeaders = (digest: string) => ({
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
  if (blob.damagedAt) await assertSound(registry, target.digest)
  if (allows(token, target.name, 'push') && Date.now() - blob.seenAt.getTime() > RENEW_AFTER_MS) {
    await keepBlobLink(registry.db, blob.repositoryId, target.digest)
  }
  sendEmpty(response, 200, { ...blobHeaders(target.digest), 'content-length': blob.size })
}

export async function getBlob(registry: Registry, request: IncomingMessage, response: ServerResponse, target: BlobRequest): Promise<void> {
  const { digest } = target
  const blob = await linked(registry, target)
  const { size } = blob
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
  const { store, integrity } = registry
  // Where there is doubt, the bytes are looked at on their way through here.
  if (size >= LINK_FROM_BYTES && !integrity.doubts(blob) && (await redirected(registry, response, digest, size))) return
  let source = await (store.file ? store.file(digest) : store.open(digest, range === 'whole' ? undefined : range))
  if (!source) throw lost(registry, digest)
  const file = source instanceof Readable ? undefined : await fileFacts(source)
  if (file && file.size !== size) {
    await (source as FileHandle).close()
    throw lost(registry, digest)
  }
  const doubted = integrity.doubts(blob, file?.writtenAt)
  // A part cannot be judged by itself.
  if (doubted && range !== 'whole') {
    if (source instanceof Readable) source.destroy()
    else await source.close()
    await assertSound(registry, digest)
    source = await (store.file ? store.file(digest) : store.open(digest, range))
    if (!source) throw lost(registry, digest)
  }
  const witness = doubted && range === 'whole' ? new Witness(digest) : undefined
  if (range === 'whole') response.writeHead(200, { ...headers, 'content-length': size })
  else response.writeHead(206, { ...headers, 'content-length': end - start + 1, 'content-range': `bytes ${start}-${end}/${size}` })
  try {
    if (!(source instanceof Readable)) await sendFile(response, source, { start, end }, witness)
    else if (witness) await pipeline(source, new HeldBack(witness), response)
    else await pipeline(source, response)
    if (witness) await integrity.passed(digest)
  } catch (error) {
    if (error instanceof DamagedOnDiskError) integrity.suspect(digest)
    throw error
  } finally {
    if (!(source instanceof Readable)) await source.close()
  }
}

async function fileFacts(file: FileHandle): Promise<{ size: number; writtenAt: Date }> {
  try {
    const { size, mtime } = await file.stat()
    return { size, writtenAt: mtime }
  } catch (error) {
    await file.close()
    throw error
  }
}

/**
 * Sends the client to the store itself, for this blob alone and a minute; who may not read it never comes here. Docker,
 * containerd, podman, skopeo and our own clients follow, and leave the token behind.
 */
async function redirected(registry: Registry, response: ServerResponse, digest: string, size: number): Promise<boolean> {
  const location = await registry.store.link?.(digest)
  if (location === undefined) return false
  if ((await registry.store.size(digest)) !== size) throw lost(registry, digest)
  // Not to be kept: the address works for a minute.
  sendEmpty(response, 307, { location, 'docker-content-digest': digest, 'cache-control': 'no-store' })
  return true
}

export async function deleteBlob(
  { db }: Registry,
  response: ServerResponse,
  { name, digest }: BlobRequest,
  { token, address }: Caller,
): Promise<void> {
  parseDigest(digest)
  const repository = await findRepositoryByPath(db, repositoryPath(name))
  if (!repository) throw nameUnknown()
  const result = await unlinkBlob(db, repository.id, digest, { sub: token.sub, address })
  if (result === 'unknown') throw blobUnknown()
  if (result === 'in-use') {
    const message = 'This blob is part of an image in the repository. Delete the manifests that name it first.'
    throw new RegistryError('UNSUPPORTED', message, { status: 405, headers: { allow: 'GET, HEAD' } })
  }
  sendEmpty(response, 202)
}

/** Reads the whole blob before anything of it is sent. */
async function assertSound(registry: Registry, digest: string): Promise<void> {
  if ((await registry.integrity.check(digest, 'read')).state !== 'sound') throw blobDamaged()
}

/** A row whose bytes are gone or cut short: somebody touched the store. Told as unknown, so that a push brings it back. */
function lost({ integrity }: Registry, digest: string): RegistryError {
  integrity.suspect(digest)
  return blobDamaged()
}
