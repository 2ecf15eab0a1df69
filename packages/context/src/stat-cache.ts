/**
 * What the files of a folder held when they were last read, so that a walk reads only those that changed: as git's index.
 *
 * A file whose times are as young as its reading may have changed once more within one tick of the file system's clock, which
 * nothing would show: such a file is not remembered (git calls it racily clean) and is read again the next time.
 *
 * The file on disk is a line of JSON, then numbers, digests and names each together, in the order of the walk: reading 50,000 of them
 * takes a few milliseconds, and the next walk, which goes the same way, finds each where the last one was.
 */
import { createHash } from 'node:crypto'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** The coarsest clock of a file system in use: FAT's. */
const TICK_MS = 2000
const VERSION = 2
/** 200,000 files with long paths. */
const MAX_BYTES = 256 * 1024 * 1024
const NUMBERS = 4
const DIGEST = 32

interface Stat {
  size: number
  mtimeMs: number
  ctimeMs: number
  ino: number
}

/** What was known before, by the place in the file. */
interface Before {
  names: readonly string[]
  numbers: Float64Array
  digests: Buffer
}
const NOTHING: Before = { names: [], numbers: new Float64Array(), digests: Buffer.alloc(0) }

interface Fresh extends Stat {
  path: string
  digest: string
}

export class StatCache {
  readonly #path: string
  readonly #before: Before
  /** Made when a walk goes another way than the last one. */
  #places: Map<string, number> | undefined
  #next = 0
  /** What this walk saw, in its order: the place of what is as it was. */
  readonly #now: (number | Fresh)[] = []
  #changed = false

  private constructor(path: string, before: Before) {
    this.#path = path
    this.#before = before
  }

  /** Of one folder. A cache that cannot be read is an empty one. */
  static async open(cacheDir: string, folder: string): Promise<StatCache> {
    const path = join(cacheDir, 'contexts', `${createHash('sha256').update(folder).digest('hex').slice(0, 32)}.stat`)
    try {
      return new StatCache(path, decode(await readFile(path), folder) ?? NOTHING)
    } catch {
      // Missing, or cut short: everything is read again.
      return new StatCache(path, NOTHING)
    }
  }

  /** The digest, when the file is surely as it was. */
  get(path: string, stat: Stat): string | null {
    const place = this.#placeOf(path)
    if (place === undefined) return null
    this.#next = place + 1
    const { numbers, digests } = this.#before
    const at = place * NUMBERS
    if (numbers[at] !== stat.size || numbers[at + 1] !== stat.mtimeMs) return null
    if (numbers[at + 2] !== stat.ctimeMs || numbers[at + 3] !== stat.ino) return null
    this.#now.push(place)
    return digests.toString('hex', place * DIGEST, (place + 1) * DIGEST)
  }

  #placeOf(path: string): number | undefined {
    const { names } = this.#before
    if (names[this.#next] === path) return this.#next
    this.#places ??= new Map(names.map((name, place) => [name, place]))
    return this.#places.get(path)
  }

  /** `readFrom`: when its reading began. */
  set(path: string, { size, mtimeMs, ctimeMs, ino }: Stat, digest: string, readFrom: number): void {
    if (Math.max(mtimeMs, ctimeMs) > readFrom - TICK_MS) return
    this.#now.push({ path, size, mtimeMs, ctimeMs, ino, digest })
    this.#changed = true
  }

  /** Keeps what this walk saw. Failing is no reason for a build to fail. */
  async save(folder: string): Promise<void> {
    if (!this.#changed && this.#now.length === this.#before.names.length) return
    const temporary = `${this.#path}.${process.pid}.tmp`
    try {
      await mkdir(join(this.#path, '..'), { recursive: true, mode: 0o700 })
      await writeFile(temporary, this.#encode(folder), { mode: 0o600 })
      await rename(temporary, this.#path)
    } catch {
      await rm(temporary, { force: true }).catch(() => undefined)
    }
  }

  #encode(folder: string): Buffer {
    const count = this.#now.length
    const [numbers, digests] = [new Float64Array(count * NUMBERS), Buffer.alloc(count * DIGEST)]
    const names = this.#now.map((known, i) => {
      if (typeof known === 'number') {
        numbers.set(this.#before.numbers.subarray(known * NUMBERS, (known + 1) * NUMBERS), i * NUMBERS)
        this.#before.digests.copy(digests, i * DIGEST, known * DIGEST, (known + 1) * DIGEST)
        return this.#before.names[known]
      }
      numbers.set([known.size, known.mtimeMs, known.ctimeMs, known.ino], i * NUMBERS)
      digests.write(known.digest, i * DIGEST, 'hex')
      return known.path
    })
    const head = Buffer.from(`${JSON.stringify({ version: VERSION, folder, count })}\n`)
    return Buffer.concat([head, Buffer.from(numbers.buffer), digests, Buffer.from(names.join('\0'))])
  }
}

/** Undefined for anything but a whole file of this folder. */
function decode(bytes: Buffer, folder: string): Before | undefined {
  if (bytes.length > MAX_BYTES) return undefined
  const head = bytes.indexOf(10)
  const value = JSON.parse(bytes.toString('utf8', 0, head)) as { version?: number; folder?: string; count?: number }
  const { version, count = -1 } = value
  if (version !== VERSION || value.folder !== folder || !Number.isSafeInteger(count) || count < 0) return undefined
  const [at, to] = [head + 1, head + 1 + count * NUMBERS * 8]
  const end = to + count * DIGEST
  if (end > bytes.length) return undefined
  const text = bytes.toString('utf8', end)
  const names = text === '' ? [] : text.split('\0')
  if (names.length !== count) return undefined
  // Numbers need a place that is theirs: the line before them has any length.
  const numbers = new Float64Array(bytes.buffer.slice(bytes.byteOffset + at, bytes.byteOffset + to))
  return { names, numbers, digests: bytes.subarray(to, end) }
}
