/**
 * The directories that a server was sent for the last builds, by their digests, so that a build of which nothing changed asks for nothing.
 * Only a guess: the server collects what is old, and says so when the build begins.
 */
import { createHash } from 'node:crypto'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

const HEAD = 'slipway-sent-1'
/** Of an organization, those of the largest context and of some small ones. */
const MAX_TREES = 250_000

export class SentTrees {
  readonly #path: string
  #known: Set<string>

  private constructor(path: string, known: Set<string>) {
    this.#path = path
    this.#known = known
  }

  static async open(cacheDir: string, server: { url: string; org: string }): Promise<SentTrees> {
    const name = createHash('sha256').update(`${server.url} ${server.org}`).digest('hex').slice(0, 32)
    const path = join(cacheDir, 'sent', name)
    const [head, ...digests] = (await readFile(path, 'latin1').catch(() => '')).split('\n')
    return new SentTrees(path, new Set(head === HEAD ? digests : []))
  }

  get size(): number {
    return this.#known.size
  }

  has(digest: string): boolean {
    return this.#known.has(digest)
  }

  forget(): void {
    this.#known = new Set()
  }

  /** These were just sent, or were there. Failing is no reason for a build to fail. */
  async save(trees: readonly string[]): Promise<void> {
    if (trees.every((digest) => this.#known.has(digest))) return
    // The newest stay.
    const all = new Set(trees)
    for (const digest of this.#known) if (all.size < MAX_TREES) all.add(digest)
    const temporary = `${this.#path}.${process.pid}.tmp`
    try {
      await mkdir(join(this.#path, '..'), { recursive: true, mode: 0o700 })
      await writeFile(temporary, [HEAD, ...all].join('\n'), { mode: 0o600 })
      await rename(temporary, this.#path)
    } catch {
      await rm(temporary, { force: true }).catch(() => undefined)
    }
  }
}
