/** Pushing blobs: in one request, in two, in chunks, or mounted from another repository (distribution-spec "Pushing blobs"). */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { BASE_ORGANIZATION } from '@slipway/contracts'
import { newId } from '@slipway/core'
import {
  commitBlob,
  createUpload,
  deleteUpload,
  ensureRepository,
  ensureSystemOrganization,
  findRepositoryByPath,
  findUpload,
  organizationBlobSize,
  quotaRefusal,
  type RepositoryRef,
  touchUpload,
} from '@slipway/db'
import { parseDigest } from '@slipway/oci'
import { isSystem } from '../auth/verify'
import type { Caller, Registry } from '../context'
import { nameUnknown, RegistryError, tooManyUploads, uploadUnknown } from '../errors'
import { contentLength, MeteredBody, PacedBody, parseContentRange } from '../http/body'
import { sendEmpty } from '../http/respond'
import { repositoryPath } from '../http/route'
import { movedTo } from '../moved'
import { NoRoom } from '../quota'
import type { OpenUpload } from '../recent-uploads'
import { DigestMismatchError } from '../store/store'
import { mount } from './mount'

interface UploadTarget {
  name: string
  uploadId: string
}

const locationOf = ({ name, uploadId }: UploadTarget) => `/v2/${name}/blobs/uploads/${uploadId}`
/** `0-0` for an empty upload too, as Docker's registry does; the syntax has no word for nothing. */
const rangeOf = (size: number) => `0-${Math.max(0, size - 1)}`
const progress = (target: UploadTarget, size: number) => ({
  location: locationOf(target),
  range: rangeOf(size),
  'docker-upload-uuid': target.uploadId,
})

/** The repository of a push, made by it. */
async function repositoryToPush({ db }: Registry, name: string, { token, address }: Caller): Promise<RepositoryRef> {
  const path = repositoryPath(name)
  if (path.organization === BASE_ORGANIZATION && isSystem(token)) await ensureSystemOrganization(db, BASE_ORGANIZATION, 'Base images')
  const at = await findRepositoryByPath(db, path)
  if (at) return at
  // Made anew it would end what the old name leads to; a person's push goes where the repository is now. A build means this name.
  if (!isSystem(token) && (await movedTo(db, name))) throw nameUnknown()
  const repository = await ensureRepository(db, path, { sub: token.sub, address })
  if (!repository) throw nameUnknown()
  return repository
}

export async function startUpload(
  registry: Registry,
  request: IncomingMessage,
  response: ServerResponse,
  name: string,
  query: URLSearchParams,
  caller: Caller,
): Promise<void> {
  const digest = query.get('digest')
  if (digest !== null) parseDigest(digest)
  const mounted = query.get('mount')
  if (digest === null && mounted === null) return beginUpload(registry, request, response, name, caller)
  const repository = await repositoryToPush(registry, name, caller)
  const from = query.get('from')
  if (mounted !== null && (await mount(registry, request, repository, { name, digest: mounted, from, token: caller.token }))) {
    return sendEmpty(response, 201, { location: `/v2/${name}/blobs/${mounted}`, 'docker-content-digest': mounted })
  }
  if (digest === null) return beginUpload(registry, request, response, name, caller)
  const room = await roomForNew(registry, request, repository.organizationId, { digest })
  // Whole in this one request: a session that nobody else can name needs no row.
  const target = { name, uploadId: newId('upload') }
  await occupied(registry, target.uploadId, async () => {
    try {
      await appendWithin(registry, request, { ...target, organizationId: repository.organizationId, hasRow: false, bytes: 0, ...room })
      await finish(registry, repository, target.uploadId, digest)
    } catch (error) {
      // Why it failed is what the client shall hear; what cannot be removed now, the sweep removes.
      await registry.store.discard(target.uploadId).catch(() => undefined)
      throw error
    }
  })
  sendEmpty(response, 201, { location: `/v2/${name}/blobs/${digest}`, 'docker-content-digest': digest })
}

/** One statement, unless this push makes the repository: it stands before every blob. */
async function beginUpload(
  registry: Registry,
  request: IncomingMessage,
  response: ServerResponse,
  name: string,
  caller: Caller,
): Promise<void> {
  const { db, maxOpenUploads } = registry
  const begin = () => createUpload(db, repositoryPath(name), caller.token.sub, maxOpenUploads)
  let begun = await begin()
  if (!begun) {
    await repositoryToPush(registry, name, caller)
    begun = await begin()
  }
  if (!begun) throw nameUnknown()
  const { repository, uploadId } = begun
  try {
    await roomForNew(registry, request, repository.organizationId, { upload: uploadId ?? undefined })
  } catch (error) {
    // Nobody hears of this session; what cannot be removed now, the sweep removes.
    if (uploadId !== null) await deleteUpload(db, uploadId).catch(() => undefined)
    throw error
  }
  if (uploadId === null) throw tooManyUploads(name, maxOpenUploads)
  registry.recentUploads.remember({ name, uploadId, repositoryId: repository.id, organizationId: repository.organizationId })
  sendEmpty(response, 202, progress({ name, uploadId }, 0))
}

async function openUpload({ db, recentUploads }: Registry, { name, uploadId }: UploadTarget): Promise<OpenUpload> {
  const upload = recentUploads.take(name, uploadId) ?? (await findUpload(db, repositoryPath(name), uploadId))
  if (!upload) throw uploadUnknown()
  return upload
}

/** One writer at a time: two would mix their bytes. */
async function occupied<T>({ busyUploads }: Registry, uploadId: string, work: () => Promise<T>): Promise<T> {
  if (busyUploads.has(uploadId)) {
    throw new RegistryError('BLOB_UPLOAD_INVALID', 'Another request is writing to this upload. Wait for it to end.', { status: 409 })
  }
  busyUploads.add(uploadId)
  try {
    return await work()
  } finally {
    busyUploads.delete(uploadId)
  }
}

/** Appends the request's body after checking that it continues where the upload ends. Resolves to the new size. */
async function appendBody(
  registry: Registry,
  request: IncomingMessage,
  target: UploadTarget & { organizationId: string },
): Promise<number> {
  const length = contentLength(request)
  const header = request.headers['content-range']
  if (header !== undefined) {
    const size = await registry.store.uploadSize(target.uploadId)
    const range = parseContentRange(header)
    if (!range) throw new RegistryError('BLOB_UPLOAD_INVALID', 'The Content-Range is not <start>-<end>.')
    if (range.start !== size) {
      const message = `The upload has ${size} bytes; the next chunk must start there, not at ${range.start}.`
      throw new RegistryError('BLOB_UPLOAD_INVALID', message, { status: 416, headers: progress(target, size) })
    }
    if (length !== undefined && length !== range.end - range.start + 1) {
      throw new RegistryError('SIZE_INVALID', 'Content-Range and Content-Length do not agree.')
    }
  }
  if (length !== undefined && length > registry.maxBlobBytes) {
    throw new RegistryError('SIZE_INVALID', `A blob may have at most ${registry.maxBlobBytes} bytes.`, { status: 413 })
  }
  const left = await registry.quota.left(target.organizationId, target.uploadId)
  // Without a limit nobody asks what it had before.
  const bytes = left === undefined ? 0 : await registry.store.uploadSize(target.uploadId)
  const wanted = bytes + (length ?? 0)
  if (left !== undefined && wanted > left) throw await registry.quota.noRoom(target.organizationId, left, wanted)
  return appendWithin(registry, request, { ...target, hasRow: true, bytes, left: left ?? Infinity })
}

/** Of an upload that begins: bytes that there is room for, at least those that it says it brings. A blob that is there costs nothing. */
async function roomForNew(
  { db, quota }: Registry,
  request: IncomingMessage,
  organizationId: string,
  { digest, upload }: { digest?: string; upload?: string | undefined },
): Promise<{ left: number; free?: number }> {
  const left = await quota.left(organizationId, upload)
  if (left === undefined) return { left: Infinity }
  const free = digest === undefined ? undefined : await organizationBlobSize(db, organizationId, digest)
  if (free !== undefined) return { left, free }
  const wanted = contentLength(request) || 0
  if (Math.max(wanted, 1) > left) throw await quota.noRoom(organizationId, left, wanted)
  return { left }
}

/**
 * Until there is no room for more, whatever others take meanwhile and however long a body goes on. Such an upload has ended with that:
 * kept for a day, its bytes would take the room of others.
 */
async function appendWithin(
  registry: Registry,
  request: IncomingMessage,
  { uploadId: id, ...upload }: UploadTarget & { organizationId: string; bytes: number; left: number; free?: number; hasRow: boolean },
): Promise<number> {
  const { store, quota, maxBlobBytes, patience } = registry
  const body = new PacedBody(request, patience.slowest)
  return quota.watch({ id, ...upload }, async (meter) => {
    try {
      return await store.append(id, new MeteredBody(body, meter), maxBlobBytes, { mayTake: true })
    } catch (error) {
      if (error instanceof NoRoom) await drop(registry, id)
      throw error
    }
  })
}

/**
 * Marks the upload as in use while its body comes, which may take hours, and when the line breaks, as its bytes are kept: whether it is
 * abandoned, and whether a push of its repository is under way, the collector tells by that (gc.ts).
 */
async function inUse<T>({ db, store, log, patience }: Registry, uploadId: string, work: () => Promise<T>): Promise<T> {
  const touch = async () => touchUpload(db, uploadId, await store.uploadSize(uploadId))
  const quietly = () => touch().catch((error: unknown) => log.warn({ err: error, upload: uploadId }, 'an upload was not marked as in use'))
  const timer = setInterval(() => void quietly(), patience.touchMs)
  timer.unref()
  try {
    return await work()
  } catch (error) {
    await quietly()
    throw error
  } finally {
    clearInterval(timer)
  }
}

export async function patchUpload(
  registry: Registry,
  request: IncomingMessage,
  response: ServerResponse,
  target: UploadTarget,
): Promise<void> {
  const { organizationId } = await openUpload(registry, target)
  const append = () => appendBody(registry, request, { ...target, organizationId })
  const size = await occupied(registry, target.uploadId, () => inUse(registry, target.uploadId, append))
  await touchUpload(registry.db, target.uploadId, size)
  sendEmpty(response, 202, progress(target, size))
}

export async function finishUpload(
  registry: Registry,
  request: IncomingMessage,
  response: ServerResponse,
  target: UploadTarget,
  query: URLSearchParams,
): Promise<void> {
  const { repositoryId, organizationId } = await openUpload(registry, target)
  const digest = query.get('digest')
  if (digest === null) throw new RegistryError('DIGEST_INVALID', 'The last request of an upload needs ?digest=.')
  parseDigest(digest)
  await occupied(registry, target.uploadId, async () => {
    const append = () => appendBody(registry, request, { ...target, organizationId })
    if (contentLength(request) !== 0) await inUse(registry, target.uploadId, append)
    try {
      await finish(registry, { id: repositoryId, organizationId }, target.uploadId, digest)
    } catch (error) {
      // What was sent is wrong and stays wrong, or has no room.
      if (error instanceof DigestMismatchError || error instanceof NoRoom || quotaRefusal(error)) await drop(registry, target.uploadId)
      throw error
    }
  })
  sendEmpty(response, 201, { location: `/v2/${target.name}/blobs/${digest}`, 'docker-content-digest': digest })
}

/** Verify and sync, then place and link, which ends the session: nothing is visible before, everything after. */
async function finish(registry: Registry, repository: RepositoryRef, uploadId: string, digest: string): Promise<void> {
  const { store, db, quota } = registry
  const { size } = await store.seal(uploadId, digest)
  await quota.assertRoom(repository.organizationId, size, digest)
  await commitBlob(db, {
    repositoryId: repository.id,
    digest,
    size,
    uploadId,
    place: () => store.place(uploadId, digest),
    // A rename; a bucket may copy for minutes.
    ...(store.kind === 'filesystem' && { isPlaced: async () => (await store.size(digest)) === size }),
  })
}

async function drop({ store, db }: Registry, uploadId: string): Promise<void> {
  await store.discard(uploadId)
  await deleteUpload(db, uploadId)
}

export async function uploadStatus(registry: Registry, response: ServerResponse, target: UploadTarget): Promise<void> {
  await openUpload(registry, target)
  sendEmpty(response, 204, progress(target, await registry.store.uploadSize(target.uploadId)))
}

export async function cancelUpload(registry: Registry, response: ServerResponse, target: UploadTarget): Promise<void> {
  await openUpload(registry, target)
  await occupied(registry, target.uploadId, () => drop(registry, target.uploadId))
  sendEmpty(response, 204)
}
