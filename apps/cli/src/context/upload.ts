/** Takes: a context. Gives: all of it on the server, after sending what was not there; a broken connection goes on where it ended. */
import { closeSync, openSync, readSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { type ContextMissing, OBJECTS_HEAD } from '@slipway/contracts'
import { CliError, EXIT, unreachable } from '../errors'
import { plain } from '../output'
import type { Session } from '../session'
import type { Context, ContextFile } from './walk'

/** Bytes of one request, unpacked. */
const BATCH = 8 * 1024 * 1024
const PARALLEL = 3
const QUESTION = 10_000
const ATTEMPTS = 4
const REQUEST_MS = 10 * 60_000
const pack = promisify(gzip)

type Job =
  | { objects: { kind: 'blob' | 'tree'; digest: string; size: number; object?: Buffer; file?: ContextFile }[] }
  | { large: string; file: ContextFile }

export class Uploader {
  /** Bytes of requests. */
  sent = 0
  /** Bytes of files and directories that were missing, and how many of them are there by now. */
  total = 0
  done = 0
  readonly #session: Session
  readonly #org: string
  readonly #signal: AbortSignal
  readonly #onProgress: (uploader: Uploader) => void
  #partial: Record<string, number> = {}

  constructor(session: Session, org: string, signal: AbortSignal, onProgress: (uploader: Uploader) => void) {
    this.#session = session
    this.#org = org
    this.#signal = signal
    this.#onProgress = onProgress
  }

  /** Asks what is missing, and sends it. */
  async run(context: Context): Promise<void> {
    const top = await this.#ask({ trees: [context.root], blobs: [] })
    if (top.trees.length === 0) return
    const { trees } = await this.#ask({ trees: [...context.trees.keys()], blobs: [] })
    const held = new Set(trees.flatMap((digest) => context.trees.get(digest)?.blobs ?? []))
    const { blobs } = await this.#ask({ trees: [], blobs: [...held] })
    await this.send(context, { trees, blobs })
  }

  /** Sends these of a context, whatever the server has. */
  async send(context: Context, { trees, blobs }: Pick<ContextMissing, 'trees' | 'blobs'>): Promise<void> {
    const jobs = plan(context, trees, blobs)
    for (const job of jobs)
      this.total += 'large' in job ? job.file.size - (this.#partial[job.large] ?? 0) : job.objects.reduce((sum, { size }) => sum + size, 0)
    this.#onProgress(this)
    const work = async () => {
      for (let job = jobs.shift(); job; job = jobs.shift())
        await ('large' in job ? this.#large(job.large, job.file) : this.#batch(job.objects))
    }
    await Promise.all(Array.from({ length: PARALLEL }, work))
  }

  async #ask({ trees, blobs }: Pick<ContextMissing, 'trees' | 'blobs'>): Promise<ContextMissing> {
    const client = await this.#session.client()
    const all: ContextMissing = { trees: [], blobs: [] }
    for (let i = 0; i < Math.max(trees.length, blobs.length); i += QUESTION) {
      const asked = { org: this.#org, trees: trees.slice(i, i + QUESTION), blobs: blobs.slice(i, i + QUESTION) }
      this.sent += 67 * (asked.trees.length + asked.blobs.length)
      const answer = await client.contexts.missing.mutate(asked, { signal: this.#signal })
      all.trees.push(...answer.trees)
      all.blobs.push(...answer.blobs)
      Object.assign(this.#partial, answer.partial)
    }
    return all
  }

  async #batch(objects: Extract<Job, { objects: unknown }>['objects']): Promise<void> {
    const parts: Buffer[] = [Buffer.from(OBJECTS_HEAD)]
    for (const { kind, digest, size, object, file } of objects)
      parts.push(Buffer.from(`${kind} ${digest} ${size}\n`), object ?? read(file as ContextFile, 0, size))
    await this.#post(Buffer.concat(parts))
    this.done += objects.reduce((sum, { size }) => sum + size, 0)
    this.#onProgress(this)
  }

  async #large(digest: string, file: ContextFile): Promise<void> {
    let offset = this.#partial[digest] ?? 0
    for (let conflicts = 0; offset < file.size; ) {
      const length = Math.min(BATCH, file.size - offset)
      const head = Buffer.from(`${OBJECTS_HEAD}part ${digest} ${offset} ${length} ${file.size}\n`)
      try {
        await this.#post(Buffer.concat([head, read(file, offset, length)]))
        offset += length
        this.done += length
      } catch (error) {
        // A piece whose answer was lost is there, or part of it.
        if (!(error instanceof CliError && error.exitCode === EXIT.refused) || ++conflicts > ATTEMPTS) throw error
        await sleep(1000, undefined, { signal: this.#signal })
        const { blobs } = await this.#ask({ trees: [], blobs: [digest] })
        offset = blobs.length === 0 ? file.size : (this.#partial[digest] ?? 0)
      }
      this.#onProgress(this)
    }
  }

  async #post(objects: Buffer): Promise<void> {
    const { url, apiKey } = await this.#session.connect()
    const packed = isNear(url) ? objects : await pack(objects, { level: 1 })
    const small = packed.length < objects.length * 0.95
    const body = small ? packed : objects
    const headers = {
      authorization: `Bearer ${apiKey}`,
      'content-type': 'application/octet-stream',
      ...(small && { 'content-encoding': 'gzip' }),
    }
    for (let attempt = 1; ; attempt++) {
      const signal = AbortSignal.any([this.#signal, AbortSignal.timeout(REQUEST_MS)])
      let failure: unknown
      try {
        this.sent += body.length
        const response = await fetch(`${url}/api/contexts/${encodeURIComponent(this.#org)}`, {
          method: 'POST',
          headers,
          body: body as BodyInit,
          signal,
        })
        if (response.ok) {
          await response.arrayBuffer()
          return
        }
        failure = await refusal(response)
        if (response.status < 500) throw failure
      } catch (error) {
        if (this.#signal.aborted || error instanceof CliError) throw error
        failure = unreachable(url, error)
      }
      if (attempt >= ATTEMPTS) throw failure
      await sleep(300 * 4 ** (attempt - 1), undefined, { signal: this.#signal })
    }
  }
}

/** Packing costs more than the way to one's own machine. */
function isNear(url: string): boolean {
  const { hostname } = new URL(url)
  return hostname === 'localhost' || hostname === '[::1]' || /^127\./.test(hostname)
}

/** Small files together, in batches; large ones one by one. */
function plan(context: Context, trees: string[], blobs: string[]): Job[] {
  const jobs: Job[] = []
  let batch: Extract<Job, { objects: unknown }> | null = null
  let size = 0
  const add = (object: Extract<Job, { objects: unknown }>['objects'][number]) => {
    if (!batch || size + object.size > BATCH) {
      batch = { objects: [] }
      jobs.push(batch)
      size = 0
    }
    batch.objects.push(object)
    size += object.size + 80
  }
  for (const digest of blobs) {
    const file = context.blobs.get(digest)
    if (!file) continue
    if (file.size > BATCH) jobs.push({ large: digest, file })
    else add({ kind: 'blob', digest, size: file.size, file })
  }
  for (const digest of trees) {
    const object = context.trees.get(digest)?.object
    if (object) add({ kind: 'tree', digest, size: object.length, object })
  }
  return jobs
}

function read({ path, size }: ContextFile, offset: number, length: number): Buffer {
  const buffer = Buffer.allocUnsafe(length)
  const fd = openSync(path, 'r')
  try {
    for (let at = 0; at < length; ) {
      const count = readSync(fd, buffer, at, length - at, offset + at)
      if (count === 0)
        throw new CliError(EXIT.failed, 'FILE_CHANGED', `${plain(path)} had ${size} bytes and changed while it was sent.`, 'Build again.')
      at += count
    }
    return buffer
  } finally {
    closeSync(fd)
  }
}

async function refusal(response: Response): Promise<CliError> {
  const text = (await response.text().catch(() => '')).slice(0, 2000)
  let answer: { code?: unknown; message?: unknown } = {}
  try {
    answer = JSON.parse(text) as typeof answer
  } catch {
    // Something between us and the server answered.
  }
  const message = typeof answer.message === 'string' ? plain(answer.message) : `The server answered ${response.status} to an upload.`
  const exit = { 401: EXIT.auth, 403: EXIT.auth, 404: EXIT.notFound, 409: EXIT.refused, 413: EXIT.refused }[response.status]
  return new CliError(exit ?? EXIT.failed, typeof answer.code === 'string' ? answer.code : `HTTP_${response.status}`, message)
}
