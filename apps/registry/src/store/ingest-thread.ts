/**
 * Uploads are written and hashed in a thread of their own (ingest.mjs). The pieces that Node makes of a body are handed over, not
 * copied: they are gone from the main thread at once, whose large heap would otherwise be searched for every 64 MB of them.
 *
 * Messages: `begin` → size; `write`, one at a time per upload; `end`, which the last `write` may say itself → size and digest. Made with the first upload.
 */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type TransferListItem, Worker } from 'node:worker_threads'

type Command =
  | { command: 'begin'; key: string; path: string }
  | { command: 'write'; key: string; chunks: Uint8Array[]; end: boolean }
  | { command: 'end'; key: string }

/** What came of an upload so far; its digest unless it went on from bytes that this process has not seen. */
export interface Ingested {
  size: number
  /** In hex. */
  sha256?: string
}

interface Answer {
  id: number
  value?: unknown
  failed?: { message: string; code?: string }
}

interface Waiting {
  resolve: (value: unknown) => void
  reject: (error: Error) => void
}

/** Beside this file, or beside the bundle that this file is part of. */
const SCRIPT = ['./ingest.mjs', './ingest.js'].map((name) => fileURLToPath(new URL(name, import.meta.url))).find((file) => existsSync(file))

export class IngestThread {
  #worker: Worker | undefined
  readonly #waiting = new Map<number, Waiting>()
  #last = 0

  /** Opens the file for appending; its size. */
  begin = async (key: string, path: string) => Number(await this.#ask({ command: 'begin', key, path }))

  /**
   * Appends; rejects with the system's error, and nothing of these chunks was kept then, nor ended. `take`: they are not the caller's
   * any more. `end`: they are the last; gives what `end` would.
   */
  write = async (key: string, chunks: readonly Uint8Array[], { take, end }: { take: boolean; end: boolean }) => {
    const own = take ? chunks.map(owned) : chunks.map((chunk) => new Uint8Array(chunk))
    const memory = new Set(own.map((chunk) => chunk.buffer as ArrayBuffer))
    return (await this.#ask({ command: 'write', key, chunks: own, end }, [...memory])) as Ingested | undefined
  }

  end = async (key: string) => (await this.#ask({ command: 'end', key })) as Ingested

  #ask(command: Command, transfer: readonly TransferListItem[] = []): Promise<unknown> {
    this.#worker ??= this.#start()
    const worker = this.#worker
    const id = ++this.#last
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
      // Only while somebody waits: otherwise it would keep a process alive that has nothing else to do.
      if (this.#waiting.size === 1) worker.ref()
      worker.postMessage({ id, ...command }, transfer)
    })
  }

  #start(): Worker {
    if (SCRIPT === undefined) throw new Error('ingest.js is missing beside the registry; build it again')
    // A small heap: it holds no more than what is being written.
    const worker = new Worker(SCRIPT, { resourceLimits: { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 4 } })
    worker.on('message', ({ id, value, failed }: Answer) => {
      const waiting = this.#waiting.get(id)
      this.#waiting.delete(id)
      if (this.#waiting.size === 0) worker.unref()
      if (failed) waiting?.reject(Object.assign(new Error(failed.message), { code: failed.code }))
      else waiting?.resolve(value)
    })
    const gone = (error: Error) => {
      if (this.#worker !== worker) return
      // The next upload starts another; what was written is on disk, and is hashed again from there.
      this.#worker = undefined
      for (const { reject } of this.#waiting.values()) reject(error)
      this.#waiting.clear()
    }
    worker.on('error', (cause) => gone(new Error('the thread that writes uploads failed', { cause })))
    worker.on('exit', (code) => gone(new Error(`the thread that writes uploads ended with ${code}`)))
    return worker
  }
}

/** With memory of its own, as only whole pieces of memory can be handed over. */
function owned(chunk: Uint8Array): Uint8Array {
  if (chunk.buffer instanceof ArrayBuffer && chunk.byteLength === chunk.buffer.byteLength) return chunk
  return new Uint8Array(chunk)
}
