/** The few requests of S3 that the store is made of: each with a deadline, each failing as a `StoreUnavailableError`. */
import { Readable } from 'node:stream'
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
  UploadPartCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3'
import { fromIni } from '@aws-sdk/credential-provider-ini'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { StoreFullError, StoreUnavailableError } from './store'

export interface S3Options {
  bucket: string
  /** Ends with a slash, or is empty. */
  prefix: string
  region: string
  /** Undefined: Amazon's. */
  endpoint?: string
  /** The bucket in the path instead of the host's name, as most servers but Amazon's want it. */
  pathStyle?: boolean
  /** As `~/.aws/credentials`; undefined: where the AWS SDK looks (environment, files, the machine's role). */
  credentialsFile?: string
  /** Where clients reach the server, when that is not `endpoint`. */
  publicEndpoint?: string
  /** Whether clients are sent to the server for blobs. */
  redirect?: boolean
  /** For one request that moves no bytes. Those that do get three times as long. */
  deadlineMs?: number
}

export interface Found {
  key: string
  size: number
  etag: string
  modifiedAt: Date
}

export interface Source {
  key: string
  /** What is copied or read must still be exactly this. */
  etag: string
}

export interface Multipart {
  key: string
  id: string
}

const DEADLINE_MS = 20_000
const CONNECT_MS = 5000
const ATTEMPTS = 3
const SOCKETS = 64
/** An address that a client was sent to works for that long. */
const LINK_SECONDS = 60

export class S3Bucket {
  readonly #client: S3Client
  readonly #links: S3Client | undefined
  readonly #bucket: string
  readonly #deadlineMs: number

  constructor(options: S3Options) {
    const config = {
      region: options.region,
      forcePathStyle: options.pathStyle ?? false,
      maxAttempts: ATTEMPTS,
      // Each request is signed with its body's SHA-256, which the server compares; more checksums are not known to all servers.
      requestChecksumCalculation: 'WHEN_REQUIRED' as const,
      responseChecksumValidation: 'WHEN_REQUIRED' as const,
      requestHandler: { connectionTimeout: CONNECT_MS, httpAgent: { maxSockets: SOCKETS }, httpsAgent: { maxSockets: SOCKETS } },
      ...(options.credentialsFile === undefined
        ? {}
        : { credentials: fromIni({ filepath: options.credentialsFile, configFilepath: options.credentialsFile, profile: 'default' }) }),
    }
    const client = (endpoint: string | undefined) => new S3Client({ ...config, ...(endpoint === undefined ? {} : { endpoint }) })
    this.#client = client(options.endpoint)
    if (options.redirect) this.#links = client(options.publicEndpoint ?? options.endpoint)
    this.#bucket = options.bucket
    this.#deadlineMs = options.deadlineMs ?? DEADLINE_MS
  }

  async put(key: string, body: Uint8Array): Promise<{ etag: string }> {
    const command = new PutObjectCommand({ Bucket: this.#bucket, Key: key, Body: body, ContentType: 'application/octet-stream' })
    const { ETag } = await this.#within(this.#deadlineMs * 3, (abortSignal) => this.#client.send(command, { abortSignal }))
    return { etag: ETag ?? '' }
  }

  /** Undefined when there is none. */
  async size(key: string): Promise<number | undefined> {
    const command = new HeadObjectCommand({ Bucket: this.#bucket, Key: key })
    const found = await this.#orNone((abortSignal) => this.#client.send(command, { abortSignal }))
    return found && (found.ContentLength ?? 0)
  }

  /** Bytes start..end, both inclusive. A server that stops in the middle breaks the stream off after the deadline. */
  async get(key: string, range?: { start: number; end: number }, etag?: string): Promise<Readable | undefined> {
    const command = new GetObjectCommand({
      Bucket: this.#bucket,
      Key: key,
      ...(range ? { Range: `bytes=${range.start}-${range.end}` } : {}),
      ...(etag === undefined ? {} : { IfMatch: etag }),
    })
    const found = await this.#orNone((abortSignal) => this.#client.send(command, { abortSignal }))
    return found && this.#watched(found.Body as Readable)
  }

  #watched(body: Readable): Readable {
    const idleMs = this.#deadlineMs
    async function* read() {
      const iterator = body[Symbol.asyncIterator]() as AsyncIterator<Buffer>
      try {
        for (;;) {
          // Runs only while we wait for the server: a client that is slow to take is no fault of it.
          const timer = setTimeout(() => body.destroy(unavailable(new Error(`no byte came for ${idleMs} ms`))), idleMs)
          const next = await iterator.next().finally(() => clearTimeout(timer))
          if (next.done) return
          yield next.value
        }
      } catch (error) {
        throw unavailable(error)
      } finally {
        body.destroy()
      }
    }
    return Readable.from(read(), { objectMode: false })
  }

  /** Fine when there is none. */
  async delete(key: string): Promise<void> {
    const command = new DeleteObjectCommand({ Bucket: this.#bucket, Key: key })
    await this.#orNone((abortSignal) => this.#client.send(command, { abortSignal }))
  }

  async *list(prefix: string): AsyncIterable<Found> {
    for (let token: string | undefined; ; ) {
      const command = new ListObjectsV2Command({ Bucket: this.#bucket, Prefix: prefix, ContinuationToken: token })
      const page = await this.#within(this.#deadlineMs, (abortSignal) => this.#client.send(command, { abortSignal }))
      for (const { Key, Size, ETag, LastModified } of page.Contents ?? []) {
        if (Key !== undefined) yield { key: Key, size: Size ?? 0, etag: ETag ?? '', modifiedAt: LastModified ?? new Date(0) }
      }
      token = page.IsTruncated ? page.NextContinuationToken : undefined
      if (token === undefined) return
    }
  }

  async copy(from: Source, key: string): Promise<void> {
    const source = { CopySource: this.#source(from.key), CopySourceIfMatch: from.etag }
    const command = new CopyObjectCommand({ Bucket: this.#bucket, Key: key, ...source })
    await this.#within(this.#deadlineMs, (abortSignal) => this.#client.send(command, { abortSignal }))
  }

  async begin(key: string): Promise<Multipart> {
    const command = new CreateMultipartUploadCommand({ Bucket: this.#bucket, Key: key, ContentType: 'application/octet-stream' })
    const { UploadId } = await this.#within(this.#deadlineMs, (abortSignal) => this.#client.send(command, { abortSignal }))
    if (!UploadId) throw unavailable(new Error('the server gave a multipart upload no id'))
    return { key, id: UploadId }
  }

  async part({ key, id }: Multipart, number: number, content: Uint8Array): Promise<CompletedPart> {
    const command = new UploadPartCommand({ Bucket: this.#bucket, Key: key, UploadId: id, PartNumber: number, Body: content })
    const done = await this.#within(this.#deadlineMs * 3, (abortSignal) => this.#client.send(command, { abortSignal }))
    return { PartNumber: number, ETag: done.ETag }
  }

  async partFrom({ key, id }: Multipart, number: number, from: Source, range?: { start: number; end: number }): Promise<CompletedPart> {
    const bytes = range && { CopySourceRange: `bytes=${range.start}-${range.end}` }
    const source = { CopySource: this.#source(from.key), CopySourceIfMatch: from.etag, ...bytes }
    const command = new UploadPartCopyCommand({ Bucket: this.#bucket, Key: key, UploadId: id, PartNumber: number, ...source })
    const { CopyPartResult: done } = await this.#within(this.#deadlineMs * 3, (abortSignal) => this.#client.send(command, { abortSignal }))
    return { PartNumber: number, ETag: done?.ETag }
  }

  async complete({ key, id }: Multipart, parts: CompletedPart[]): Promise<void> {
    const command = new CompleteMultipartUploadCommand({ Bucket: this.#bucket, Key: key, UploadId: id, MultipartUpload: { Parts: parts } })
    await this.#within(this.#deadlineMs, (abortSignal) => this.#client.send(command, { abortSignal }))
  }

  /** Fine when there is none. */
  async abort({ key, id }: Multipart): Promise<void> {
    const command = new AbortMultipartUploadCommand({ Bucket: this.#bucket, Key: key, UploadId: id })
    await this.#orNone((abortSignal) => this.#client.send(command, { abortSignal }))
  }

  async *multiparts(prefix: string): AsyncIterable<Multipart & { begunAt: Date }> {
    for (let marker: { KeyMarker?: string; UploadIdMarker?: string } = {}; ; ) {
      const command = new ListMultipartUploadsCommand({ Bucket: this.#bucket, Prefix: prefix, ...marker })
      const page = await this.#within(this.#deadlineMs, (abortSignal) => this.#client.send(command, { abortSignal }))
      for (const { Key, UploadId, Initiated } of page.Uploads ?? []) {
        if (Key !== undefined && UploadId !== undefined) yield { key: Key, id: UploadId, begunAt: Initiated ?? new Date(0) }
      }
      if (!page.IsTruncated || page.NextKeyMarker === undefined) return
      marker = { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker }
    }
  }

  /** An address of that object alone, signed for a minute. Undefined: clients are not sent there. */
  async link(key: string): Promise<string | undefined> {
    if (!this.#links) return undefined
    const command = new GetObjectCommand({ Bucket: this.#bucket, Key: key, ResponseContentType: 'application/octet-stream' })
    return getSignedUrl(this.#links, command, { expiresIn: LINK_SECONDS })
  }

  #source(key: string): string {
    return `${this.#bucket}/${key.split('/').map(encodeURIComponent).join('/')}`
  }

  async #orNone<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T | undefined> {
    try {
      return await this.#within(this.#deadlineMs, work)
    } catch (error) {
      const cause = error instanceof StoreUnavailableError ? error.reason : undefined
      if (cause && ['NoSuchKey', 'NotFound', 'NoSuchUpload'].includes(cause)) return undefined
      throw error
    }
  }

  async #within<T>(ms: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const abort = new AbortController()
    const timer = setTimeout(() => abort.abort(), ms)
    try {
      return await work(abort.signal)
    } catch (error) {
      throw unavailable(abort.signal.aborted ? new Error(`no answer within ${ms} ms`) : error)
    } finally {
      clearTimeout(timer)
    }
  }
}

/** What servers say when they have no room left. */
const FULL = ['XMinioStorageFull', 'InsufficientStorage', 'QuotaExceeded', 'QuotaExceededException', 'StorageFull', 'NoSpaceLeft']

function unavailable(error: unknown): Error {
  if (error instanceof StoreUnavailableError) return error
  const name = error instanceof Error ? error.name : 'Error'
  const status = error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined
  if (FULL.includes(name) || status === 507) return new StoreFullError(plain(error, status))
  return new StoreUnavailableError(name, plain(error, status))
}

/** Without what the SDK hangs on its errors: the request's headers would take a signature into the log. */
function plain(error: unknown, status: number | undefined): Error {
  const { name, message } = error instanceof Error ? error : new Error(String(error))
  const code = (error as NodeJS.ErrnoException | null)?.code
  return new Error([name, code, status, message].filter((part) => part !== undefined && part !== '').join(' '))
}
