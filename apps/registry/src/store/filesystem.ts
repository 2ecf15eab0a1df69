import {
  closeSync,
  createReadStream,
  fstatSync,
  ftruncateSync,
  fdatasync as nodeFdatasync,
  open as nodeOpen,
  read as nodeRead,
} from 'node:fs'
import { access, constants, type FileHandle, mkdir, open, readdir, rename, rm, statfs } from 'node:fs/promises'
import path from 'node:path'
import type { Readable } from 'node:stream'
import { promisify } from 'node:util'
import { isDigest, parseDigest } from '@slipway/oci'
import { StreamingDigest } from '@slipway/oci/node'
import { codeOf, statOrNone, syncDirectory, told } from './disk'
import { keepRecords, listRecords, readRecord } from './filesystem-records'
import { type Ingested, IngestThread } from './ingest-thread'
import { ALGORITHMS, isQuarantineName, isUploadId, PREFIXES, StorePaths } from './paths'
import { type Batch, type BlobStore, DigestMismatchError, type RecordWrite, type Source, UploadTooLargeError } from './store'

/**
 * Small network reads are gathered to this size: one write instead of eight. Not more, as what is gathered for all uploads together
 * is to be in the processor's cache still when it is hashed and written: by the megabyte, eight uploads took 5 % more processor.
 */
const WRITE_BYTES = 512 * 1024
/** So many uploads gather while what they gathered before is written; with more, others fill the time. */
const MAX_GATHERING_AHEAD = 2
const READ_BYTES = 512 * 1024
/**
 * By number, not by handle: each call that another thread makes is two wake-ups, which cost a push more than the call. What only
 * looks at an open file, or closes it, waits for no disk and is called right here.
 */
const [openFile, readFile, syncData] = [promisify(nodeOpen), promisify(nodeRead), promisify(nodeFdatasync)]
/** Uploads whose digest is kept in memory; that of another one is made from its file when it is sealed. */
const MAX_REMEMBERED = 4096

export class FilesystemStore implements BlobStore {
  readonly kind = 'filesystem'
  readonly #paths: StorePaths
  readonly #ingest = new IngestThread()
  /** What each open upload had when its last append ended, so that sealing need not read it back. */
  readonly #ingested = new Map<string, Ingested>()
  #appending = 0

  constructor(root: string) {
    this.#paths = new StorePaths(root)
  }

  async prepare(): Promise<void> {
    await mkdir(this.#paths.uploads, { recursive: true, mode: 0o700 })
    await mkdir(this.#paths.quarantine, { recursive: true, mode: 0o700 })
    await mkdir(this.#paths.repositories, { recursive: true, mode: 0o700 })
    for (const algorithm of ALGORITHMS) {
      for (const prefix of PREFIXES) await mkdir(this.#paths.prefix(algorithm, prefix), { recursive: true, mode: 0o700 })
      // Made now and synced now: placing a blob then syncs one directory, not three.
      await syncDirectory(path.dirname(this.#paths.prefix(algorithm, '00')))
    }
    await access(this.#paths.uploads, constants.W_OK)
  }

  async append(uploadId: string, source: Source, maxBytes: number, { mayTake = false } = {}): Promise<number> {
    const key = this.#paths.upload(uploadId)
    const ingest = this.#ingest
    let size = await ingest.begin(key, key).catch((error: unknown) => {
      throw told(error)
    })
    this.#appending++
    let written: Promise<Ingested | undefined> = Promise.resolve(undefined)
    try {
      for await (const batch of source.batches?.(WRITE_BYTES) ?? gathered(source)) {
        if (size + batch.bytes > maxBytes) throw new UploadTooLargeError(maxBytes)
        await written
        size += batch.bytes
        written = ingest.write(key, batch.chunks, { take: mayTake, end: batch.last === true })
        written.catch(() => undefined)
        if (this.#appending > MAX_GATHERING_AHEAD) await written
      }
    } catch (error) {
      throw told(error)
    } finally {
      this.#appending--
      let ended: Ingested | undefined
      try {
        ended = await written
      } catch (error) {
        // biome-ignore lint/correctness/noUnsafeFinally: the disk's word counts more than the line's.
        throw told(error)
      } finally {
        ended ??= await ingest.end(key).catch((error: unknown) => {
          throw told(error)
        })
        this.#remember(uploadId, ended)
      }
    }
    return size
  }

  #remember(uploadId: string, ingested: Ingested): void {
    this.#ingested.delete(uploadId)
    this.#ingested.set(uploadId, ingested)
    const oldest = this.#ingested.keys().next().value
    if (this.#ingested.size > MAX_REMEMBERED && oldest !== undefined) this.#ingested.delete(oldest)
  }

  async uploadSize(uploadId: string): Promise<number> {
    return (await statOrNone(this.#paths.upload(uploadId)))?.size ?? 0
  }

  async seal(uploadId: string, digest: string): Promise<{ size: number }> {
    const { algorithm } = parseDigest(digest)
    // An upload of the empty blob had nothing appended.
    const file = await openFile(this.#paths.upload(uploadId), 'a+', 0o600).catch((error: unknown) => {
      throw told(error)
    })
    try {
      const { size } = fstatSync(file)
      const ingested = this.#ingested.get(uploadId)
      // A digest over other than exactly what lies there is worth nothing.
      const known = algorithm === 'sha256' && ingested?.size === size ? ingested.sha256 : undefined
      const actual = known === undefined ? await hashFile(file, algorithm) : `sha256:${known}`
      if (actual !== digest) throw new DigestMismatchError(digest, actual)
      await syncData(file).catch((error: unknown) => {
        // Linux tells of bytes that it could not write once. A client that repeats its request would be told that they are safe.
        this.#ingested.delete(uploadId)
        empty(file)
        throw error
      })
      return { size }
    } catch (error) {
      throw told(error)
    } finally {
      closeSync(file)
    }
  }

  async place(uploadId: string, digest: string): Promise<void> {
    const target = this.#paths.blob(digest)
    try {
      // Over an existing file of the same digest too: that heals one that was damaged on disk.
      await rename(this.#paths.upload(uploadId), target)
      await syncDirectory(path.dirname(target))
    } catch (error) {
      throw told(error)
    }
    this.#ingested.delete(uploadId)
  }

  async discard(uploadId: string): Promise<void> {
    this.#ingested.delete(uploadId)
    await rm(this.#paths.upload(uploadId), { force: true }).catch((error: unknown) => {
      throw told(error)
    })
  }

  async size(digest: string): Promise<number | undefined> {
    return (await statOrNone(this.#paths.blob(digest)))?.size
  }

  async open(digest: string, range?: { start: number; end: number }): Promise<Readable | undefined> {
    const file = await this.file(digest)
    return file && createReadStream('', { fd: file, highWaterMark: READ_BYTES, ...(range ?? {}) })
  }

  async file(digest: string): Promise<FileHandle | undefined> {
    try {
      return await open(this.#paths.blob(digest), 'r')
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined
      throw told(error)
    }
  }

  async remove(digest: string): Promise<void> {
    await rm(this.#paths.blob(digest), { force: true })
  }

  async quarantine(digest: string): Promise<string | undefined> {
    const { algorithm, hex } = parseDigest(digest)
    const name = `${algorithm}-${hex}-${Date.now().toString(36)}`
    try {
      await rename(this.#paths.blob(digest), path.join(this.#paths.quarantine, name))
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined
      throw error
    }
    await syncDirectory(path.dirname(this.#paths.blob(digest)))
    return name
  }

  async *quarantined(): AsyncIterable<{ name: string; size: number; modifiedAt: Date }> {
    for (const name of await readdir(this.#paths.quarantine)) {
      if (!isQuarantineName(name)) continue
      const found = await statOrNone(path.join(this.#paths.quarantine, name))
      if (found) yield { name, size: found.size, modifiedAt: found.mtime }
    }
  }

  async space(): Promise<{ free: number; total: number }> {
    const { bavail, blocks, bsize } = await statfs(this.#paths.root)
    return { free: bavail * bsize, total: blocks * bsize }
  }

  async keep(records: readonly RecordWrite[]): Promise<void> {
    await keepRecords(this.#paths, records)
  }

  async record(key: string): Promise<Buffer | undefined> {
    return readRecord(this.#paths.record(key))
  }

  records(repositoryId?: string): AsyncIterable<string> {
    return listRecords(this.#paths, repositoryId)
  }

  async *blobs(): AsyncIterable<{ digest: string; size: number; modifiedAt: Date }> {
    for (const algorithm of ALGORITHMS) {
      for (const prefix of PREFIXES) {
        const folder = this.#paths.prefix(algorithm, prefix)
        for (const hex of await readdir(folder)) {
          // Others write here, too: NFS (`.nfs…` of a file that is open still), mkfs (`lost+found`), an administrator.
          if (!hex.startsWith(prefix) || !isDigest(`${algorithm}:${hex}`)) continue
          const found = await statOrNone(path.join(folder, hex))
          if (found) yield { digest: `${algorithm}:${hex}`, size: found.size, modifiedAt: found.mtime }
        }
      }
    }
  }

  async *uploads(): AsyncIterable<{ uploadId: string; size: number; modifiedAt: Date }> {
    for (const uploadId of await readdir(this.#paths.uploads)) {
      if (!isUploadId(uploadId)) continue
      const found = await statOrNone(path.join(this.#paths.uploads, uploadId))
      if (found) yield { uploadId, size: found.size, modifiedAt: found.mtime }
    }
  }
}

/** Chunks of the source in batches. Bytes that came before the source failed are still given. */
async function* gathered(source: AsyncIterable<Uint8Array>): AsyncIterable<Batch> {
  let chunks: Uint8Array[] = []
  let bytes = 0
  let failure: { error: unknown } | undefined
  const iterator = source[Symbol.asyncIterator]()
  for (;;) {
    let next: IteratorResult<Uint8Array> | undefined
    try {
      next = await iterator.next()
    } catch (error) {
      failure = { error }
    }
    if (next && !next.done) {
      chunks.push(next.value)
      bytes += next.value.byteLength
      if (bytes < WRITE_BYTES) continue
    }
    if (bytes > 0) yield { chunks, bytes }
    if (failure) throw failure.error
    if (!next || next.done) return
    chunks = []
    bytes = 0
  }
}

async function hashFile(file: number, algorithm: StreamingDigest['algorithm']): Promise<string> {
  const digest = new StreamingDigest(algorithm)
  const buffer = Buffer.allocUnsafe(READ_BYTES)
  for (let position = 0; ; ) {
    const { bytesRead } = await readFile(file, buffer, 0, buffer.byteLength, position)
    if (bytesRead === 0) return digest.current()
    digest.update(buffer.subarray(0, bytesRead))
    position += bytesRead
  }
}

function empty(file: number): void {
  try {
    ftruncateSync(file, 0)
  } catch {
    // The disk is away; what lies there is read again and compared with its digest when it is back.
  }
}
