/**
 * What the files of a folder held when they were last read, so that a walk reads only those that changed: as git's index.
 *
 * A file whose times are as young as its reading may have changed once more within one tick of the file system's clock, which
 * nothing would show: such a file is not remembered (git calls it racily clean) and is read again the next time.
 */
import { createHash } from 'node:crypto'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** The coarsest clock of a file system in use: FAT's. */
const TICK_MS = 2000
const VERSION = 1
/** 200,000 files with long paths. */
const MAX_BYTES = 256 * 1024 * 1024

interface Stat {
  size: number
  mtimeMs: number
  ctimeMs: number
  ino: number
}
type Known = [size: number, mtimeMs: number, ctimeMs: number, ino: number, digest: string]

export class StatCache {
  readonly #path: string
  readonly #before: ReadonlyMap<string, Known>
  readonly #now = new Map<string, Known>()
  #changed = false

  private constructor(path: string, before: ReadonlyMap<string, Known>) {
    this.#path = path
    this.#before = before
  }

  /** Of one folder. A cache that cannot be read is an empty one. */
  static async open(cacheDir: string, folder: string): Promise<StatCache> {
    const path = join(cacheDir, 'contexts', `${createHash('sha256').update(folder).digest('hex').slice(0, 32)}.json`)
    try {
      const bytes = await readFile(path)
      if (bytes.length > MAX_BYTES) return new StatCache(path, new Map())
      const value = JSON.parse(bytes.toString('utf8')) as { version?: number; folder?: string; files?: Record<string, Known> }
      if (value.version === VERSION && value.folder === folder && value.files)
        return new StatCache(path, new Map(Object.entries(value.files)))
    } catch {
      // Missing, or cut short: everything is read again.
    }
    return new StatCache(path, new Map())
  }

  /** The digest, when the file is surely as it was. */
  get(path: string, stat: Stat): string | null {
    const known = this.#before.get(path)
    if (!known || known[0] !== stat.size || known[1] !== stat.mtimeMs || known[2] !== stat.ctimeMs || known[3] !== stat.ino) return null
    this.#now.set(path, known)
    return known[4]
  }

  /** `readFrom`: when its reading began. */
  set(path: string, stat: Stat, digest: string, readFrom: number): void {
    if (Math.max(stat.mtimeMs, stat.ctimeMs) > readFrom - TICK_MS) return
    this.#now.set(path, [stat.size, stat.mtimeMs, stat.ctimeMs, stat.ino, digest])
    this.#changed = true
  }

  /** Keeps what this walk saw. Failing is no reason for a build to fail. */
  async save(folder: string): Promise<void> {
    if (!this.#changed && this.#now.size === this.#before.size) return
    const temporary = `${this.#path}.${process.pid}.tmp`
    try {
      await mkdir(join(this.#path, '..'), { recursive: true, mode: 0o700 })
      await writeFile(temporary, JSON.stringify({ version: VERSION, folder, files: Object.fromEntries(this.#now) }), { mode: 0o600 })
      await rename(temporary, this.#path)
    } catch {
      await rm(temporary, { force: true }).catch(() => undefined)
    }
  }
}
