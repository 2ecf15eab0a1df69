/**
 * Where the bytes of blobs lie. The life of a blob, with a layer of 30 MB as the example:
 *
 * 1. `append('upl_1', chunk)` one or more times: the bytes grow under the upload's id. A client that loses its connection
 *    asks `uploadSize('upl_1')` and goes on from there, also after a restart of the registry.
 * 2. `seal('upl_1', 'sha256:9f…')` checks the digest over everything that came and syncs it. A wrong digest throws
 *    `DIGEST_INVALID` and nothing was ever visible.
 * 3. `place('upl_1', 'sha256:9f…')`, under the digest's lock in Postgres, moves it to where `open` finds it, durably.
 *    After that the caller writes the row. A crash in between leaves bytes without a row: the next push places them again,
 *    or the collector removes them.
 * 4. `open('sha256:9f…', { start, end })` streams it, as often as asked.
 * 5. `remove('sha256:9f…')` when the collector found no row for it. Streams that are open go on to their end.
 *
 * Any method may throw `StoreFullError`, or `StoreUnavailableError` when the store did not answer in time or refused us.
 * Other failures are the store's own errors and mean "try again later", too.
 */
import type { FileHandle } from 'node:fs/promises'
import type { Readable } from 'node:stream'

/** Pieces of a body that came together, and how many bytes they are. */
export interface Batch {
  chunks: Uint8Array[]
  bytes: number
  /** Known to be the last of a body whose length was told. */
  last?: boolean
}

/** Bytes of an upload. Those that can give many pieces at once have `batches`, of at least so many bytes but for the last one. */
export interface Source extends AsyncIterable<Uint8Array> {
  batches?(least: number): AsyncIterable<Batch>
}

/** By a key of records/keys.ts. Null: there is to be none. */
export interface RecordWrite {
  key: string
  content: Uint8Array | null
}

export interface BlobStore {
  /** As people are told where the blobs are. */
  readonly kind: 'filesystem' | 's3'
  /** Once, before anything else. Throws when the place is not usable. */
  prepare(): Promise<void>
  /**
   * Appends until the source ends; what arrived before the source failed is kept. Resolves to the upload's new size. `mayTake`: nobody
   * else looks at the source's chunks any more, so that they need not be copied.
   */
  append(uploadId: string, source: Source, maxBytes: number, options?: { mayTake?: boolean }): Promise<number>
  /** Bytes so far; 0 for an upload that nothing was appended to yet. */
  uploadSize(uploadId: string): Promise<number>
  seal(uploadId: string, digest: string): Promise<{ size: number }>
  place(uploadId: string, digest: string): Promise<void>
  /** Forgets the upload and its bytes. Fine when there is none. */
  discard(uploadId: string): Promise<void>
  /** Undefined when there is no such blob. */
  size(digest: string): Promise<number | undefined>
  /** Bytes start..end, both inclusive; the whole without a range. Undefined when there is no such blob. */
  open(digest: string, range?: { start: number; end: number }): Promise<Readable | undefined>
  /** The blob's file, for stores that have one: it can be sent with less work than a stream. The caller closes it. */
  file?(digest: string): Promise<FileHandle | undefined>
  /** For stores that clients can reach: where this blob alone can be fetched for a minute. Undefined: send it yourself. */
  link?(digest: string): Promise<string | undefined>
  remove(digest: string): Promise<void>
  /**
   * Moves the bytes of a damaged blob to where nobody is served from, and keeps them: whether something can be saved of them is for a
   * person to say. Resolves to their name there; undefined when there are none. `place` may then bring sound ones.
   */
  quarantine(digest: string): Promise<string | undefined>
  /** What `quarantine` moved aside, by that name. */
  quarantined(): AsyncIterable<{ name: string; size: number; modifiedAt: Date }>
  /** Of the disk that the store is on, for stores that are on one. */
  space?(): Promise<{ free: number; total: number }>
  /** Writes records, or removes them; all are there, or gone, for good when it resolves. One process at a time calls it. */
  keep(records: readonly RecordWrite[]): Promise<void>
  /** Undefined when there is none. */
  record(key: string): Promise<Buffer | undefined>
  /** Keys of all records, or of those of one repository; in any order. */
  records(repositoryId?: string): AsyncIterable<string>
  blobs(): AsyncIterable<{ digest: string; size: number; modifiedAt: Date }>
  uploads(): AsyncIterable<{ uploadId: string; size: number; modifiedAt: Date }>
  /** Removes what crashes before that moment left and neither `blobs` nor `uploads` tells. */
  sweep?(before: Date): Promise<void>
}

/** The disk (or the quota) is full. */
export class StoreFullError extends Error {
  constructor(cause: unknown) {
    super('no space left in the blob store', { cause })
    this.name = 'StoreFullError'
  }
}

/** The store is away, too slow, or does not let us in. `reason` is its own word for it. */
export class StoreUnavailableError extends Error {
  constructor(
    readonly reason: string,
    cause: unknown,
  ) {
    super('the blob store does not answer as it should', { cause })
    this.name = 'StoreUnavailableError'
  }
}

/** What was sent does not have the digest that was claimed. */
export class DigestMismatchError extends Error {
  constructor(
    readonly expected: string,
    readonly actual: string,
  ) {
    super(`content has digest ${actual}, not ${expected}`)
    this.name = 'DigestMismatchError'
  }
}

/** More bytes than `maxBytes`. */
export class UploadTooLargeError extends Error {
  constructor(readonly maxBytes: number) {
    super(`upload exceeds ${maxBytes} bytes`)
    this.name = 'UploadTooLargeError'
  }
}
