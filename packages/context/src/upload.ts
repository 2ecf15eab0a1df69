/** Takes: a context. Gives: all of it on the other side, after sending what was not there; goes on where a connection broke. */
import { closeSync, constants, openSync, readSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ContextMissing } from '@slipway/contracts'
import { OBJECTS_HEAD } from '@slipway/contracts/context-tree'
import type { Context, ContextFile } from './context'
import { changed } from './walk'

/** The other side: a build host, or the panel before it. */
export interface ContextTarget {
  missing(asked: Pick<ContextMissing, 'trees' | 'blobs'>): Promise<ContextMissing>
  /** Gives the bytes that were sent. `conflict`: a piece of a large file does not go on where what is there ends. */
  send(objects: Buffer): Promise<{ bytes: number; conflict?: boolean }>
}

/** Most bytes of one request, unpacked. */
const BATCH = 8 * 1024 * 1024
/** Requests at once, and fewest bytes of one: little is sent by several, too, because each is stored by another processor. */
const PARALLEL = 3
const SMALL_BATCH = 256 * 1024
const QUESTION = 10_000
const SMALL_QUESTION = 1000
const CONFLICTS = 4
const NOTHING: ReadonlySet<string> = new Set()

type Job =
  | { objects: { kind: 'blob' | 'tree'; digest: string; size: number; object?: Buffer; file?: ContextFile }[] }
  | { large: string; file: ContextFile }

export class Uploader {
  /** Bytes of requests. */
  sent = 0
  /** Bytes of files and directories that were missing, and how many of them are there by now. */
  total = 0
  done = 0
  readonly #target: ContextTarget
  readonly #signal: AbortSignal
  readonly #onProgress: (uploader: Uploader) => void
  #partial: Record<string, number> = {}

  constructor(target: ContextTarget, signal: AbortSignal, onProgress: (uploader: Uploader) => void = () => undefined) {
    this.#target = target
    this.#signal = signal
    this.#onProgress = onProgress
  }

  /** Asks what is missing, and sends it. What `known` has was sent before, and is not asked for. */
  async run(context: Context, known: { has(tree: string): boolean } = NOTHING): Promise<void> {
    if (known.has(context.root)) return
    const fresh = [...context.trees.keys()].filter((digest) => !known.has(digest))
    const files = new Set(fresh.flatMap((digest) => context.trees.get(digest)?.blobs ?? []))
    // One question, unless it were a large one of which all may be there: then from the top.
    if (fresh.length < context.trees.size || fresh.length + files.size <= SMALL_QUESTION)
      return this.send(context, await this.#ask({ trees: fresh, blobs: [...files] }))
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
      const room = new Room()
      for (let job = jobs.shift(); job; job = jobs.shift())
        await ('large' in job ? this.#large(job.large, job.file, room) : this.#batch(job.objects, room))
    }
    await Promise.all(Array.from({ length: PARALLEL }, work))
  }

  async #ask({ trees, blobs }: Pick<ContextMissing, 'trees' | 'blobs'>): Promise<ContextMissing> {
    const all: ContextMissing = { trees: [], blobs: [] }
    for (let i = 0; i < Math.max(trees.length, blobs.length); i += QUESTION) {
      const asked = { trees: trees.slice(i, i + QUESTION), blobs: blobs.slice(i, i + QUESTION) }
      this.sent += 67 * (asked.trees.length + asked.blobs.length)
      const answer = await this.#target.missing(asked)
      all.trees.push(...answer.trees)
      all.blobs.push(...answer.blobs)
      Object.assign(this.#partial, answer.partial)
    }
    return all
  }

  async #batch(objects: Extract<Job, { objects: unknown }>['objects'], room: Room): Promise<void> {
    const body = new Body(room.of(objects.reduce((sum, { size }) => sum + MAX_LINE + size, OBJECTS_HEAD.length)))
    body.text(OBJECTS_HEAD)
    for (const { kind, digest, size, object, file } of objects) {
      body.text(`${kind} ${digest} ${size}\n`)
      if (object) body.bytes(object)
      else body.file(file as ContextFile, 0, size)
    }
    await this.#send(body.end())
    this.done += objects.reduce((sum, { size }) => sum + size, 0)
    this.#onProgress(this)
  }

  async #large(digest: string, file: ContextFile, room: Room): Promise<void> {
    let offset = this.#partial[digest] ?? 0
    for (let conflicts = 0; offset < file.size; ) {
      const length = Math.min(BATCH, file.size - offset)
      const body = new Body(room.of(OBJECTS_HEAD.length + MAX_LINE + length))
      body.text(`${OBJECTS_HEAD}part ${digest} ${offset} ${length} ${file.size}\n`)
      body.file(file, offset, length)
      // A piece whose answer was lost is there, or part of it.
      if (await this.#send(body.end(), ++conflicts <= CONFLICTS)) {
        offset += length
        this.done += length
        conflicts = 0
      } else {
        // What was refused may still be on its way out of it.
        room.forget()
        await sleep(1000, undefined, { signal: this.#signal })
        const { blobs } = await this.#ask({ trees: [], blobs: [digest] })
        offset = blobs.length === 0 ? file.size : (this.#partial[digest] ?? 0)
      }
      this.#onProgress(this)
    }
  }

  /** False for a conflict, when there may be one. */
  async #send(objects: Buffer, mayConflict = false): Promise<boolean> {
    this.#signal.throwIfAborted()
    const { bytes, conflict = false } = await this.#target.send(objects)
    this.sent += bytes
    if (conflict && !mayConflict) throw new Error('the build host has another part of a file than it says, again and again')
    return !conflict
  }
}

/** Small files together, in batches; large ones one by one. */
function plan(context: Context, trees: string[], blobs: string[]): Job[] {
  const all = blobs.reduce((sum, digest) => sum + (context.blobs.get(digest)?.size ?? 0), 0)
  const most = Math.min(BATCH, Math.max(SMALL_BATCH, Math.ceil(all / PARALLEL)))
  const jobs: Job[] = []
  let batch: Extract<Job, { objects: unknown }> | null = null
  let size = 0
  const add = (object: Extract<Job, { objects: unknown }>['objects'][number]) => {
    if (!batch || size + object.size > most) {
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

/** Of a record's line: a word, a digest, three numbers. */
const MAX_LINE = 128

/** Memory for one request after the other: fresh pages, and their collection, cost as much as the reading of what comes there. */
class Room {
  #buffer = Buffer.alloc(0)

  of(bytes: number): Buffer {
    if (this.#buffer.length < bytes) this.#buffer = Buffer.allocUnsafeSlow(bytes)
    return this.#buffer
  }

  forget(): void {
    this.#buffer = Buffer.alloc(0)
  }
}

/** The body of one request: files are read to where they are sent from. */
class Body {
  readonly #buffer: Buffer
  #at = 0

  constructor(buffer: Buffer) {
    this.#buffer = buffer
  }

  text(text: string): void {
    this.#at += this.#buffer.write(text, this.#at)
  }

  bytes(bytes: Buffer): void {
    this.#at += bytes.copy(this.#buffer, this.#at)
  }

  file({ path, size }: ContextFile, offset: number, length: number): void {
    const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    try {
      for (let at = 0; at < length; ) {
        const count = readSync(fd, this.#buffer, this.#at, length - at, offset + at)
        if (count === 0) throw changed(`${path} (${size} bytes)`)
        at += count
        this.#at += count
      }
    } finally {
      closeSync(fd)
    }
  }

  end(): Buffer {
    return this.#buffer.subarray(0, this.#at)
  }
}
