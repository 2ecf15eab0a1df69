/**
 * Blobs in a bucket of Amazon S3 or of any server that speaks its protocol. What is open, and how far, is told by the objects
 * of the bucket alone (s3-keys.ts), so any process of the registry can go on with any upload.
 */
import type { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import type { CompletedPart } from '@aws-sdk/client-s3'
import { parseDigest } from '@slipway/oci'
import { StreamingDigest } from '@slipway/oci/node'
import { parseRecordKey } from '../records/keys'
import { type Multipart, S3Bucket, type S3Options } from './s3-bucket'
import { S3Keys } from './s3-keys'
import { type BlobStore, DigestMismatchError, type RecordWrite, StoreUnavailableError, UploadTooLargeError } from './store'

/** Size of the objects that an upload is written in, of the parts that a blob is put together from, and of nothing else. */
const PIECE_BYTES = 8 * 1024 * 1024
/** S3 takes no part below this but the last one. */
const MIN_PART_BYTES = 5 * 1024 * 1024
/** S3 allows 10,000. */
const MAX_PARTS = 9000
/** Bytes of all uploads that wait in memory for their piece to be full. Beyond that, pieces are written as they are. */
const MAX_WAITING_BYTES = 96 * 1024 * 1024
const MIN_PIECE_BYTES = 64 * 1024
/** What S3 copies in one request; more goes in parts. */
const MAX_COPY_BYTES = 5 * 1024 ** 3
const COPY_PART_BYTES = 1024 ** 3
/** Requests under way for one upload that is put together. */
const COPIES = 16
/** Running digests kept in memory; an upload whose digest was forgotten is read again when it is sealed. */
const MAX_RUNNING = 1024

interface Piece {
  key: string
  start: number
  size: number
  etag: string
}

interface Sealed {
  digest: string
  pieces: Piece[]
  /** For more than one piece: everything is copied, and only its completion is left. */
  multipart?: { upload: Multipart; parts: CompletedPart[] }
}

interface Running {
  hash: StreamingDigest
  pieces: Piece[]
}

export class S3Store implements BlobStore {
  readonly kind = 's3'
  readonly #bucket: S3Bucket
  readonly #keys: S3Keys
  readonly #running = new Map<string, Running>()
  readonly #sealed = new Map<string, Sealed>()
  #waitingBytes = 0

  constructor(options: S3Options) {
    this.#bucket = new S3Bucket(options)
    this.#keys = new S3Keys(options.prefix)
  }

  async prepare(): Promise<void> {
    await this.#bucket.put(this.#keys.marker, Buffer.from('Blobs of a Slipway registry. Delete nothing here by hand.\n'))
    for await (const _ of this.#bucket.list(this.#keys.marker)) break
  }

  async append(uploadId: string, source: AsyncIterable<Uint8Array>, maxBytes: number): Promise<number> {
    const pieces = await this.#pieces(uploadId)
    const upload: Running = { hash: this.#known(uploadId, pieces) ?? new StreamingDigest(), pieces }
    let size = sizeOf(pieces)
    // A digest over other than exactly what lies there is worth nothing.
    const whole = upload.hash.bytes === size
    this.#running.delete(uploadId)
    let chunks: Uint8Array[] = []
    let bytes = 0
    let written: Promise<void> = Promise.resolve()
    const write = async (content: Uint8Array[], start: number, length: number) => {
      try {
        const key = this.#keys.piece(uploadId, start)
        const { etag } = await this.#bucket.put(key, content.length === 1 && content[0] ? content[0] : Buffer.concat(content, length))
        pieces.push({ key, start, size: length, etag })
      } finally {
        this.#waitingBytes -= length
      }
    }
    const flush = async () => {
      // One after the other: a piece is never there without those before it.
      await written
      if (bytes === 0) return
      written = write(chunks, size - bytes, bytes)
      written.catch(() => undefined)
      chunks = []
      bytes = 0
    }
    try {
      for await (const chunk of source) {
        if (size + chunk.byteLength > maxBytes) throw new UploadTooLargeError(maxBytes)
        chunks.push(chunk)
        bytes += chunk.byteLength
        size += chunk.byteLength
        this.#waitingBytes += chunk.byteLength
        if (whole) upload.hash.update(chunk)
        const crowded = this.#waitingBytes > MAX_WAITING_BYTES
        if (bytes >= PIECE_BYTES || (crowded && bytes >= MIN_PIECE_BYTES)) await flush()
        if (crowded) await written
      }
    } finally {
      // Also what came before the source failed.
      try {
        await flush()
        await written
      } finally {
        this.#waitingBytes -= bytes
        if (whole && upload.hash.bytes === sizeOf(pieces)) this.#remember(uploadId, upload)
      }
    }
    return size
  }

  #remember(uploadId: string, running: Running): void {
    this.#running.set(uploadId, running)
    const oldest = this.#running.keys().next().value
    if (this.#running.size > MAX_RUNNING && oldest !== undefined) this.#running.delete(oldest)
  }

  /** The running digest over exactly these pieces: another process may have written since. */
  #known(uploadId: string, pieces: readonly Piece[]): StreamingDigest | undefined {
    const running = this.#running.get(uploadId)
    return running && isSame(running.pieces, pieces) ? running.hash : undefined
  }

  /** Those that follow each other from 0 on. What lies behind a gap was never told to anybody. */
  async #pieces(uploadId: string): Promise<Piece[]> {
    const pieces: Piece[] = []
    let end = 0
    for await (const { key, size, etag } of this.#bucket.list(this.#keys.upload(uploadId))) {
      const start = this.#keys.parsePiece(key)?.start
      if (start !== end) continue
      pieces.push({ key, start, size, etag })
      end += size
    }
    return pieces
  }

  async uploadSize(uploadId: string): Promise<number> {
    return sizeOf(await this.#pieces(uploadId))
  }

  async seal(uploadId: string, digest: string): Promise<{ size: number }> {
    const { algorithm } = parseDigest(digest)
    const pieces = await this.#pieces(uploadId)
    const known = this.#known(uploadId, pieces)
    const actual = known?.algorithm === algorithm ? known.current() : await this.#hash(pieces, algorithm)
    if (actual !== digest) throw new DigestMismatchError(digest, actual)
    // All that takes long, now: placing happens under the digest's lock.
    await this.#assemble(uploadId, digest, pieces)
    return { size: sizeOf(pieces) }
  }

  async #hash(pieces: readonly Piece[], algorithm: StreamingDigest['algorithm']): Promise<string> {
    const digest = new StreamingDigest(algorithm)
    for (const piece of pieces) for await (const chunk of await this.#read(piece)) digest.update(chunk as Buffer)
    return digest.current()
  }

  async #read({ key, etag }: Piece): Promise<Readable> {
    const content = await this.#bucket.get(key, undefined, etag)
    if (!content) throw new StoreUnavailableError('NoSuchKey', new Error(`${key} went away`))
    return content
  }

  /** Copies the verified pieces, as they were when they were verified, to where one more request makes them the blob. */
  async #assemble(uploadId: string, digest: string, pieces: Piece[]): Promise<Sealed> {
    const before = this.#sealed.get(uploadId)
    if (before?.digest === digest && isSame(before.pieces, pieces)) return before
    await this.#unseal(uploadId)
    const sealed: Sealed = { digest, pieces }
    if (pieces.length > 1) {
      const upload = await this.#bucket.begin(this.#keys.blob(digest))
      try {
        const jobs = grouped(pieces).map((group, i) => () => this.#part(upload, i + 1, group))
        sealed.multipart = { upload, parts: await inParallel(jobs, COPIES) }
      } catch (error) {
        await this.#bucket.abort(upload).catch(() => undefined)
        throw error
      }
    }
    this.#sealed.set(uploadId, sealed)
    return sealed
  }

  async #part(upload: Multipart, number: number, group: Piece[]): Promise<CompletedPart> {
    const [only, ...others] = group
    if (only && others.length === 0) return this.#bucket.partFrom(upload, number, only)
    const chunks: Buffer[] = []
    for (const piece of group) for await (const chunk of await this.#read(piece)) chunks.push(chunk as Buffer)
    return this.#bucket.part(upload, number, Buffer.concat(chunks))
  }

  async #unseal(uploadId: string): Promise<void> {
    const sealed = this.#sealed.get(uploadId)
    this.#sealed.delete(uploadId)
    if (sealed?.multipart) await this.#bucket.abort(sealed.multipart.upload)
  }

  async place(uploadId: string, digest: string): Promise<void> {
    const kept = this.#sealed.get(uploadId)
    const { pieces, multipart } = kept?.digest === digest ? kept : await this.#assemble(uploadId, digest, await this.#pieces(uploadId))
    const [first] = pieces
    if (multipart) await this.#bucket.complete(multipart.upload, multipart.parts)
    else if (first) await this.#bucket.copy(first, this.#keys.blob(digest))
    else await this.#bucket.put(this.#keys.blob(digest), new Uint8Array())
    this.#sealed.delete(uploadId)
    this.#running.delete(uploadId)
    // The blob is there; what cannot be tidied now has no row, and the sweep takes it.
    await this.#erase(pieces.map((piece) => piece.key)).catch(() => undefined)
  }

  async discard(uploadId: string): Promise<void> {
    this.#running.delete(uploadId)
    await this.#unseal(uploadId)
    const keys: string[] = []
    for await (const { key } of this.#bucket.list(this.#keys.upload(uploadId))) keys.push(key)
    await this.#erase(keys)
  }

  /** The last ones first: what is left when it fails in between is a shorter upload, not one with a hole. */
  async #erase(keys: readonly string[]): Promise<void> {
    const jobs = keys.toReversed().map((key) => () => this.#bucket.delete(key))
    await inParallel(jobs, COPIES)
  }

  async size(digest: string): Promise<number | undefined> {
    return this.#bucket.size(this.#keys.blob(digest))
  }

  async open(digest: string, range?: { start: number; end: number }): Promise<Readable | undefined> {
    return this.#bucket.get(this.#keys.blob(digest), range)
  }

  async link(digest: string): Promise<string | undefined> {
    return this.#bucket.link(this.#keys.blob(digest))
  }

  async remove(digest: string): Promise<void> {
    await this.#bucket.delete(this.#keys.blob(digest))
  }

  async quarantine(digest: string): Promise<string | undefined> {
    const key = this.#keys.blob(digest)
    const { algorithm, hex } = parseDigest(digest)
    const name = `${algorithm}-${hex}-${Date.now().toString(36)}`
    for await (const found of this.#bucket.list(key)) {
      if (found.key !== key) continue
      const target = this.#keys.quarantine + name
      if (found.size <= MAX_COPY_BYTES) await this.#bucket.copy(found, target)
      else await this.#copyInParts(found, target)
      await this.#bucket.delete(key)
      return name
    }
    return undefined
  }

  async #copyInParts(from: { key: string; etag: string; size: number }, target: string): Promise<void> {
    const upload = await this.#bucket.begin(target)
    try {
      const jobs = Array.from({ length: Math.ceil(from.size / COPY_PART_BYTES) }, (_, i) => () => {
        const start = i * COPY_PART_BYTES
        return this.#bucket.partFrom(upload, i + 1, from, { start, end: Math.min(start + COPY_PART_BYTES, from.size) - 1 })
      })
      await this.#bucket.complete(upload, await inParallel(jobs, COPIES))
    } catch (error) {
      await this.#bucket.abort(upload).catch(() => undefined)
      throw error
    }
  }

  async *quarantined(): AsyncIterable<{ name: string; size: number; modifiedAt: Date }> {
    for await (const { key, size, modifiedAt } of this.#bucket.list(this.#keys.quarantine)) {
      yield { name: key.slice(this.#keys.quarantine.length), size, modifiedAt }
    }
  }

  async keep(records: readonly RecordWrite[]): Promise<void> {
    const failures: unknown[] = []
    const jobs = records.map(({ key, content }) => async () => {
      const at = this.#keys.record(key)
      await (content ? this.#bucket.put(at, content) : this.#bucket.delete(at)).catch((error: unknown) => failures.push(error))
    })
    // All to their end, also when one fails: nothing is written any more when somebody tries again.
    await inParallel(jobs, COPIES)
    if (failures.length > 0) throw failures[0]
  }

  async record(key: string): Promise<Buffer | undefined> {
    const content = await this.#bucket.get(this.#keys.record(key))
    return content && buffer(content)
  }

  async *records(repositoryId?: string): AsyncIterable<string> {
    const { repositories } = this.#keys
    for await (const { key } of this.#bucket.list(repositoryId === undefined ? repositories : `${repositories}${repositoryId}/`)) {
      const name = key.slice(repositories.length)
      if (parseRecordKey(name)) yield name
    }
  }

  async *blobs(): AsyncIterable<{ digest: string; size: number; modifiedAt: Date }> {
    for await (const { key, size, modifiedAt } of this.#bucket.list(this.#keys.blobs)) {
      const digest = this.#keys.parseBlob(key)
      if (digest !== undefined) yield { digest, size, modifiedAt }
    }
  }

  async *uploads(): AsyncIterable<{ uploadId: string; size: number; modifiedAt: Date }> {
    let current: { uploadId: string; size: number; modifiedAt: Date } | undefined
    // In the order of their keys, so those of one upload come together.
    for await (const { key, size, modifiedAt } of this.#bucket.list(this.#keys.uploads)) {
      const uploadId = this.#keys.parsePiece(key)?.uploadId
      if (uploadId === undefined) continue
      if (current?.uploadId === uploadId) {
        current.size += size
        if (modifiedAt > current.modifiedAt) current.modifiedAt = modifiedAt
        continue
      }
      if (current) yield current
      current = { uploadId, size, modifiedAt }
    }
    if (current) yield current
  }

  async sweep(before: Date): Promise<void> {
    for await (const upload of this.#bucket.multiparts(this.#keys.blobs)) {
      if (upload.begunAt < before) await this.#bucket.abort(upload)
    }
  }
}

const sizeOf = (pieces: readonly Piece[]) => pieces.reduce((sum, piece) => sum + piece.size, 0)
const isSame = (a: readonly Piece[], b: readonly Piece[]) =>
  a.length === b.length && a.every((piece, i) => piece.start === b[i]?.start && piece.size === b[i].size && piece.etag === b[i].etag)

/** Neighbours together until each group is large enough to be a part, and there are no more groups than parts allowed. */
function grouped(pieces: readonly Piece[]): Piece[][] {
  const least = Math.max(MIN_PART_BYTES, Math.ceil(sizeOf(pieces) / MAX_PARTS))
  const groups: Piece[][] = []
  let group: Piece[] = []
  for (const piece of pieces) {
    group.push(piece)
    if (sizeOf(group) < least) continue
    groups.push(group)
    group = []
  }
  return group.length > 0 ? [...groups, group] : groups
}

/** Runs the jobs, at most `limit` at once; results in their order. */
async function inParallel<T>(jobs: readonly (() => Promise<T>)[], limit: number): Promise<T[]> {
  const results = new Array<T>(jobs.length)
  const queue = jobs.entries()
  const run = async () => {
    for (const [i, job] of queue) results[i] = await job()
  }
  await Promise.all(Array.from({ length: Math.min(limit, jobs.length) }, run))
  return results
}
