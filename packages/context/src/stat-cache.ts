/**
 * What the files of a folder held when they were last read, so that a walk reads only those that changed: as git's index.
 *
 * A file whose times are as young as its reading may have changed once more within one tick of the file system's clock, which
 * nothing would show: such a file is not remembered (git calls it racily clean) and is read again the next time.
 *
 * Files lie by directory, in the order of the walk: the next walk, which goes the same way, finds each where the last one was, and a
 * directory of which everything is as it was has the digest that it had. The file on disk is a line of JSON with the directories, then
 * numbers, digests and names of all files, each together: reading 50,000 of them takes a few milliseconds.
 */
import { createHash } from 'node:crypto'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** The coarsest clock of a file system in use: FAT's. */
const TICK_MS = 2000
const VERSION = 3
/** 200,000 files with long paths. */
const MAX_BYTES = 256 * 1024 * 1024
const NUMBERS = 5
const DIGEST = 32

interface Stat {
  size: number
  mtimeMs: number
  ctimeMs: number
  ino: number
  mode: number
}

/** A file that was read by this walk. */
export interface Fresh extends Stat {
  name: string
  digest: string
}

/** A directory as it was: its files are those from `from` on. */
interface KnownFolder {
  from: number
  count: number
  /** What else it holds, as one text. */
  rest: string
  /** Of the directory; empty when not all of its files were remembered. */
  digest: string
}

interface Before {
  folders: ReadonlyMap<string, KnownFolder>
  names: readonly string[]
  numbers: Float64Array
  digests: Buffer
}
const NOTHING: Before = { folders: new Map(), names: [], numbers: new Float64Array(), digests: Buffer.alloc(0) }
const EMPTY: KnownFolder = { from: 0, count: 0, rest: '', digest: '' }

interface Walked {
  path: string
  rest: string
  digest: string
  /** The place of what is as it was. */
  files: readonly (number | Fresh)[]
}

export class StatCache {
  readonly #path: string
  readonly #before: Before
  readonly #now: Walked[] = []
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

  /** What is known of a directory, for its files to be asked for one after the other. */
  folder(path: string): FolderCache {
    return new FolderCache(this.#before, this.#before.folders.get(path) ?? EMPTY)
  }

  /** Of a file that was just read, `readFrom` when that began; null when it may change unseen. */
  fresh(name: string, { size, mtimeMs, ctimeMs, ino, mode }: Stat, digest: string, readFrom: number): Fresh | null {
    return Math.max(mtimeMs, ctimeMs) > readFrom - TICK_MS ? null : { name, size, mtimeMs, ctimeMs, ino, mode, digest }
  }

  /** What a directory turned out to hold; `digest` is empty when files are missing here that it has. */
  keep(walked: Walked): void {
    this.#now.push(walked)
    const before = this.#before.folders.get(walked.path)
    const same =
      before?.digest === walked.digest && before.rest === walked.rest && before.count === walked.files.length && walked.files.every(isPlace)
    if (!same) this.#changed = true
  }

  /** Keeps what this walk saw. Failing is no reason for a build to fail. */
  async save(folder: string): Promise<void> {
    if (!this.#changed && this.#now.length === this.#before.folders.size) return
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
    const count = this.#now.reduce((sum, { files }) => sum + files.length, 0)
    const [numbers, digests] = [new Float64Array(count * NUMBERS), Buffer.alloc(count * DIGEST)]
    const names: string[] = []
    for (const { files } of this.#now) {
      for (const known of files) {
        const i = names.length
        if (typeof known === 'number') {
          numbers.set(this.#before.numbers.subarray(known * NUMBERS, (known + 1) * NUMBERS), i * NUMBERS)
          this.#before.digests.copy(digests, i * DIGEST, known * DIGEST, (known + 1) * DIGEST)
          names.push(this.#before.names[known] ?? '')
        } else {
          numbers.set([known.size, known.mtimeMs, known.ctimeMs, known.ino, known.mode], i * NUMBERS)
          digests.write(known.digest, i * DIGEST, 'hex')
          names.push(known.name)
        }
      }
    }
    const folders = this.#now.map(({ path, files, digest, rest }) => [path, files.length, digest, rest])
    const head = Buffer.from(`${JSON.stringify({ version: VERSION, folder, count, folders })}\n`)
    return Buffer.concat([head, Buffer.from(numbers.buffer), digests, Buffer.from(names.join('\0'))])
  }
}

const isPlace = (file: number | Fresh) => typeof file === 'number'

/** One directory of the last walk. */
export class FolderCache {
  readonly #before: Before
  readonly #known: KnownFolder
  /** Made when the directory is read in another order than the last time. */
  #places: Map<string, number> | undefined
  #next: number

  constructor(before: Before, known: KnownFolder) {
    this.#before = before
    this.#known = known
    this.#next = known.from
  }

  /** The place of a file that is surely as it was. */
  place(name: string, stat: Stat): number | null {
    const { names, numbers } = this.#before
    const place = this.#next < this.#known.from + this.#known.count && names[this.#next] === name ? this.#next : this.#find(name)
    if (place === undefined) return null
    this.#next = place + 1
    const at = place * NUMBERS
    if (numbers[at] !== stat.size || numbers[at + 1] !== stat.mtimeMs || numbers[at + 2] !== stat.ctimeMs) return null
    return numbers[at + 3] === stat.ino && numbers[at + 4] === stat.mode ? place : null
  }

  #find(name: string): number | undefined {
    const { from, count } = this.#known
    this.#places ??= new Map(this.#before.names.slice(from, from + count).map((known, i) => [known, from + i]))
    return this.#places.get(name)
  }

  /** The directory's digest, when these are all its files, as they were, and so is what else it holds. */
  digest(files: readonly (number | Fresh | null)[], rest: string): string | null {
    const { from, count, digest } = this.#known
    if (digest === '' || files.length !== count || rest !== this.#known.rest) return null
    return files.every((place, i) => place === from + i) ? digest : null
  }

  file(place: number): { name: string; size: number; mode: number; digest: string } {
    const { names, numbers, digests } = this.#before
    const [size = 0, mode = 0] = [numbers[place * NUMBERS], numbers[place * NUMBERS + 4]]
    return { name: names[place] ?? '', size, mode, digest: digests.toString('hex', place * DIGEST, (place + 1) * DIGEST) }
  }
}

/** Undefined for anything but a whole file of this folder. */
function decode(bytes: Buffer, folder: string): Before | undefined {
  if (bytes.length > MAX_BYTES) return undefined
  const head = bytes.indexOf(10)
  const value = JSON.parse(bytes.toString('utf8', 0, head)) as {
    version?: number
    folder?: string
    count?: number
    folders?: [string, number, string, string][]
  }
  const { version, count = -1, folders = [] } = value
  if (version !== VERSION || value.folder !== folder || !Number.isSafeInteger(count) || count < 0) return undefined
  const [at, to] = [head + 1, head + 1 + count * NUMBERS * 8]
  const end = to + count * DIGEST
  if (end > bytes.length) return undefined
  const text = bytes.toString('utf8', end)
  const names = count === 0 ? [] : text.split('\0')
  const known = new Map<string, KnownFolder>()
  let from = 0
  for (const [path, files, digest, rest] of folders) {
    known.set(path, { from, count: files, digest, rest })
    from += files
  }
  if (names.length !== count || from !== count) return undefined
  // Numbers need a place that is theirs: the line before them has any length.
  const numbers = new Float64Array(bytes.buffer.slice(bytes.byteOffset + at, bytes.byteOffset + to))
  return { folders: known, names, numbers, digests: bytes.subarray(to, end) }
}
