/** Takes: a folder and what .dockerignore leaves out. Gives: its context as a tree of digests; only what changed is read. */
import { createHash } from 'node:crypto'
import { closeSync, constants, fstatSync, lstatSync, openSync, readdirSync, readlinkSync, readSync, type Stats } from 'node:fs'
import { setImmediate as breathe } from 'node:timers/promises'
import { CONTEXT_LIMITS, encodeTree, type TreeEntry } from '@slipway/contracts/context-tree'
import { AppError } from '@slipway/core'
import type { IgnoreMatcher, ParentMatch } from '@slipway/dockerfile'
import type { StatCache } from './stat-cache'

export interface ContextFile {
  path: string
  size: number
}

export interface Context {
  /** Digests here have no `sha256:`. */
  root: string
  /** Digest → the directory's object, and the digests of the files right in it. */
  trees: Map<string, { object: Buffer; blobs: string[] }>
  /** Digest → one file that has this content. */
  blobs: Map<string, ContextFile>
  entries: number
  bytes: number
  /** Files that were read because nothing was known of them, or they changed. */
  read: number
}

/** What the contexts of one build have so far. */
export interface ContextBudget {
  entries: number
  bytes: number
}

const CHUNK = 1024 * 1024
/** Everything here blocks; others of this process, and Ctrl-C, are heard at least this often. */
const BREATHE_MS = 50

/** Without `cache` every file is read. Sockets, pipes and devices are left out, as docker does. */
export async function walkContext(
  folder: string,
  ignore: IgnoreMatcher,
  signal: AbortSignal,
  { cache, budget = { entries: 0, bytes: 0 } }: { cache?: StatCache; budget?: ContextBudget } = {},
): Promise<Context> {
  const context: Context = { root: '', trees: new Map(), blobs: new Map(), entries: 0, bytes: 0, read: 0 }
  const chunk = Buffer.allocUnsafe(CHUNK)
  let breathed = Date.now()

  async function pause(): Promise<void> {
    await breathe()
    signal.throwIfAborted()
    breathed = Date.now()
  }

  async function directory(relative: string, parent: ParentMatch | null, depth: number): Promise<string | null> {
    if (depth > CONTEXT_LIMITS.depth) throw tooLarge(`has folders more than ${CONTEXT_LIMITS.depth} deep in each other, at ${relative}`)
    if (Date.now() - breathed > BREATHE_MS) await pause()
    const entries: TreeEntry[] = []
    const blobs: string[] = []
    for (const found of readdirSync(relative === '' ? folder : `${folder}/${relative}`, { withFileTypes: true })) {
      const { name } = found
      const path = relative === '' ? name : `${relative}/${name}`
      if (name.includes('\uFFFD')) throw unreadable(`${path} has a name that is not UTF-8`)
      const { ignored, match } = ignore.match(path, parent)
      const absolute = `${folder}/${path}`
      if (found.isDirectory()) {
        if (ignored && !ignore.mayHoldExceptions(path)) continue
        const { mode } = lstatSync(absolute)
        const digest = await directory(path, match, depth + 1)
        const empty = digest !== null && context.trees.get(digest)?.object.length === EMPTY_LENGTH
        if (digest !== null && !(ignored && empty)) entries.push({ kind: 'directory', name, mode, digest })
      } else if (!ignored && found.isSymbolicLink()) {
        entries.push({ kind: 'symlink', name, target: readlinkSync(absolute) })
      } else if (!ignored && found.isFile()) {
        const stat = lstatSync(absolute)
        const known = cache?.get(path, stat)
        // Waiting costs more than looking: nothing is waited for but a file that must be read.
        const { digest, size } = known ? { digest: known, size: stat.size } : await hash(absolute, path)
        context.blobs.set(digest, { path: absolute, size })
        entries.push({ kind: 'file', name, mode: stat.mode, size, digest })
        blobs.push(digest)
        context.bytes += size
      } else continue
      context.entries += 1
      if (budget.entries + context.entries > CONTEXT_LIMITS.entries || budget.bytes + context.bytes > CONTEXT_LIMITS.bytes)
        throw tooLarge(`is over ${CONTEXT_LIMITS.entries.toLocaleString('en')} files or 2 GiB`)
    }
    const object = Buffer.from(encodeTree(entries))
    const digest = createHash('sha256').update(object).digest('hex')
    context.trees.set(digest, { object, blobs })
    return digest
  }

  async function hash(absolute: string, path: string): Promise<{ digest: string; size: number }> {
    const from = Date.now()
    // What became a link or a pipe since it was listed is neither followed nor waited for.
    const fd = openSync(absolute, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    try {
      const before = fstatSync(fd)
      if (!before.isFile()) throw changed(path)
      const sha = createHash('sha256')
      let size = 0
      for (let count = 0; ; size += count) {
        count = readSync(fd, chunk, 0, CHUNK, null)
        if (count === 0) break
        sha.update(chunk.subarray(0, count))
        // Before the next chunk of a large one; a small one is read by now.
        if (count === CHUNK && Date.now() - breathed > BREATHE_MS) await pause()
      }
      const digest = sha.digest('hex')
      context.read += 1
      if (cache && same(before, fstatSync(fd)) && before.size === size) cache.set(path, before, digest, from)
      return { digest, size }
    } finally {
      closeSync(fd)
    }
  }

  try {
    context.root = (await directory('', null, 0)) ?? ''
  } catch (error) {
    // Of the file system, with the file's whole path.
    if (!(error instanceof Error && 'code' in error && 'path' in error)) throw error
    throw unreadable(`${shown(folder, String(error.path))} cannot be read (${String(error.code)})`, error)
  }
  budget.entries += context.entries
  budget.bytes += context.bytes
  return context
}

const EMPTY_LENGTH = Buffer.byteLength(encodeTree([]))

const same = (a: Stats, b: Stats) => a.size === b.size && a.mtimeMs === b.mtimeMs && a.ctimeMs === b.ctimeMs
const shown = (folder: string, path: string) => (path.startsWith(`${folder}/`) ? path.slice(folder.length + 1) : path)

const unreadable = (what: string, cause?: unknown) =>
  new AppError({
    kind: 'bad-input',
    code: 'CONTEXT_UNREADABLE',
    message: `${what}. Build again when nothing writes there, or leave it out with a .dockerignore file.`,
    cause,
  })
export const changed = (path: string) =>
  new AppError({ kind: 'conflict', code: 'FILE_CHANGED', message: `${path} changed while it was read. Build again.` })
const tooLarge = (what: string) =>
  new AppError({
    kind: 'too-large',
    code: 'CONTEXT_TOO_LARGE',
    message: `The build context ${what}. Leave out what the build does not need with a .dockerignore file.`,
  })
