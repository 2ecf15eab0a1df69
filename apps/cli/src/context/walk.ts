/** Takes: a folder and what .dockerignore leaves out. Gives: its context as a tree of digests; only what changed is read. */
import { createHash } from 'node:crypto'
import { closeSync, fstatSync, lstatSync, openSync, readdirSync, readlinkSync, readSync, type Stats } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as breathe } from 'node:timers/promises'
import { CONTEXT_LIMITS, encodeTree, type TreeEntry } from '@slipway/contracts'
import type { IgnoreMatcher, ParentMatch } from '@slipway/dockerfile'
import { CliError, EXIT } from '../errors'
import { plain } from '../output'
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

const CHUNK = 1024 * 1024
/** Ctrl-C is heard at least this often. */
const BREATHE_MS = 50

export async function walkContext(folder: string, ignore: IgnoreMatcher, cache: StatCache, signal: AbortSignal): Promise<Context> {
  const context: Context = { root: '', trees: new Map(), blobs: new Map(), entries: 0, bytes: 0, read: 0 }
  const chunk = Buffer.allocUnsafe(CHUNK)
  let breathed = Date.now()

  async function directory(relative: string, parent: ParentMatch | null, depth: number): Promise<string | null> {
    if (depth > CONTEXT_LIMITS.depth) throw tooLarge(`has folders more than ${CONTEXT_LIMITS.depth} deep in each other, at ${relative}`)
    if (Date.now() - breathed > BREATHE_MS) {
      await breathe()
      signal.throwIfAborted()
      breathed = Date.now()
    }
    const entries: TreeEntry[] = []
    const blobs: string[] = []
    for (const found of readdirSync(relative === '' ? folder : join(folder, relative), { withFileTypes: true })) {
      const { name } = found
      const path = relative === '' ? name : `${relative}/${name}`
      if (name.includes('\uFFFD')) throw unreadable(`${path} has a name that is not UTF-8. Rename it, or leave it out with .dockerignore.`)
      const { ignored, match } = ignore.match(path, parent)
      const absolute = join(folder, path)
      if (found.isDirectory()) {
        if (ignored && !ignore.mayHoldExceptions(path)) continue
        const { mode } = lstatSync(absolute)
        const digest = await directory(path, match, depth + 1)
        const empty = digest !== null && context.trees.get(digest)?.object.length === EMPTY_LENGTH
        if (digest !== null && !(ignored && empty)) entries.push({ kind: 'directory', name, mode, digest })
      } else if (!ignored && found.isSymbolicLink()) {
        entries.push({ kind: 'symlink', name, target: readlinkSync(absolute) })
      } else if (!ignored && found.isFile()) {
        const { mode, size, digest } = file(absolute, path)
        entries.push({ kind: 'file', name, mode, size, digest })
        blobs.push(digest)
        context.bytes += size
      } else continue
      context.entries += 1
      if (context.entries > CONTEXT_LIMITS.entries || context.bytes > CONTEXT_LIMITS.bytes)
        throw tooLarge(`is over ${CONTEXT_LIMITS.entries.toLocaleString('en')} files or 2 GiB`)
    }
    const object = Buffer.from(encodeTree(entries))
    const digest = createHash('sha256').update(object).digest('hex')
    context.trees.set(digest, { object, blobs })
    return digest
  }

  function file(absolute: string, path: string): { mode: number; size: number; digest: string } {
    const stat = lstatSync(absolute)
    const known = cache.get(path, stat)
    const { digest, size } = known === null ? hash(absolute, path) : { digest: known, size: stat.size }
    context.blobs.set(digest, { path: absolute, size })
    return { mode: stat.mode, size, digest }
  }

  function hash(absolute: string, path: string): { digest: string; size: number } {
    const from = Date.now()
    const fd = openSync(absolute, 'r')
    try {
      const before = fstatSync(fd)
      const sha = createHash('sha256')
      let size = 0
      for (let count = 0; ; size += count) {
        count = readSync(fd, chunk, 0, CHUNK, null)
        if (count === 0) break
        sha.update(chunk.subarray(0, count))
      }
      const digest = sha.digest('hex')
      context.read += 1
      if (same(before, fstatSync(fd)) && before.size === size) cache.set(path, before, digest, from)
      return { digest, size }
    } finally {
      closeSync(fd)
    }
  }

  context.root = (await directory('', null, 0)) ?? ''
  return context
}

const EMPTY_LENGTH = Buffer.byteLength(encodeTree([]))

const same = (a: Stats, b: Stats) => a.size === b.size && a.mtimeMs === b.mtimeMs && a.ctimeMs === b.ctimeMs

const unreadable = (message: string) => new CliError(EXIT.usage, 'CONTEXT_UNREADABLE', plain(message))
const tooLarge = (what: string) =>
  new CliError(
    EXIT.usage,
    'CONTEXT_TOO_LARGE',
    plain(`The build context ${what}.`),
    'Leave out what the build does not need with a .dockerignore file.',
  )
