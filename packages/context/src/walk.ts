/** Takes: a folder and what .dockerignore leaves out. Gives: its context as a tree of digests; only what changed is read. */
import { createHash } from 'node:crypto'
import { closeSync, constants, fstatSync, lstatSync, openSync, readdirSync, readlinkSync, readSync, type Stats } from 'node:fs'
import { setImmediate as breathe } from 'node:timers/promises'
import { CONTEXT_LIMITS, encodeTree, type TreeEntry } from '@slipway/contracts/context-tree'
import { AppError } from '@slipway/core'
import type { IgnoreMatcher, ParentMatch } from '@slipway/dockerfile'
import { type Context, ContextBlobs, type ContextTree, LaterTree } from './context'
import type { FolderCache, Fresh, StatCache } from './stat-cache'

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
  const context: Context = { root: '', trees: new Map(), blobs: new ContextBlobs(), entries: 0, bytes: 0, read: 0 }
  const chunk = Buffer.allocUnsafe(CHUNK)
  let breathed = Date.now()

  async function pause(): Promise<void> {
    await breathe()
    signal.throwIfAborted()
    breathed = Date.now()
  }

  function counted(size: number): void {
    context.entries += 1
    context.bytes += size
    if (budget.entries + context.entries > CONTEXT_LIMITS.entries || budget.bytes + context.bytes > CONTEXT_LIMITS.bytes)
      throw tooLarge(`is over ${CONTEXT_LIMITS.entries.toLocaleString('en')} files or 2 GiB`)
  }

  /** Its files first: they lie together in the cache, and nothing is made of one that is as it was. */
  async function directory(relative: string, parent: ParentMatch | null, depth: number): Promise<{ digest: string; empty: boolean }> {
    if (depth > CONTEXT_LIMITS.depth) throw tooLarge(`has folders more than ${CONTEXT_LIMITS.depth} deep in each other, at ${relative}`)
    if (Date.now() - breathed > BREATHE_MS) await pause()
    const absolute = relative === '' ? folder : `${folder}/${relative}`
    const known = cache?.folder(relative)
    const files: Files = []
    const places: (number | Fresh | null)[] = []
    const others: TreeEntry[] = []
    const folders: { name: string; path: string; mode: number; ignored: boolean; match: ParentMatch }[] = []
    for (const name of readdirSync(absolute)) {
      const path = relative === '' ? name : `${relative}/${name}`
      if (name.includes('\uFFFD')) throw unreadable(`${path} has a name that is not UTF-8`)
      const { ignored, match } = ignore.match(path, parent)
      if (ignored && !ignore.hasExceptions) continue
      const stat = lstatSync(`${absolute}/${name}`)
      const kind = stat.mode & constants.S_IFMT
      if (kind === constants.S_IFDIR) {
        if (!ignored || ignore.mayHoldExceptions(path)) folders.push({ name, path, mode: stat.mode, ignored, match })
      } else if (ignored) continue
      else if (kind === constants.S_IFREG) {
        // Waiting costs more than looking: nothing is waited for but a file that must be read.
        const place = known?.place(name, stat) ?? null
        if (place !== null) {
          files.push(place)
          places.push(place)
          counted(stat.size)
        } else {
          const { digest, size, fresh } = await hash(`${absolute}/${name}`, path, name)
          files.push({ kind: 'file', name, mode: stat.mode, size, digest })
          places.push(fresh)
          counted(size)
        }
      } else if (kind === constants.S_IFLNK) {
        others.push({ kind: 'symlink', name, target: readlinkSync(`${absolute}/${name}`) })
        counted(0)
      }
    }
    for (const { name, path, mode, ignored, match } of folders) {
      const { digest, empty } = await directory(path, match, depth + 1)
      if (!(ignored && empty)) others.push({ kind: 'directory', name, mode, digest })
      counted(0)
    }
    const rest = others.length === 0 ? '' : encodeTree(others)
    const digest = treeOf(known?.digest(places, rest) ?? null, contentOf(absolute, files, others, known))
    const remembered = places.filter((place) => place !== null)
    cache?.keep({ path: relative, rest, digest: remembered.length === places.length ? digest : '', files: remembered })
    return { digest, empty: files.length + others.length === 0 }
  }

  /** Makes a directory's object. */
  function contentOf(absolute: string, files: Files, others: readonly TreeEntry[], known: FolderCache | undefined): () => ContextTree {
    const entryOf = (file: Files[number]): FileEntry => {
      const entry: FileEntry = typeof file === 'number' ? { kind: 'file', ...(known as FolderCache).file(file) } : file
      context.blobs.set(entry.digest, { path: `${absolute}/${entry.name}`, size: entry.size })
      return entry
    }
    return () => {
      const entries = files.map(entryOf)
      return { object: Buffer.from(encodeTree([...entries, ...others])), blobs: entries.map(({ digest }) => digest) }
    }
  }

  /** `before`: its digest, when it is as it was. */
  function treeOf(before: string | null, make: () => ContextTree): string {
    if (before) {
      const later = new LaterTree(make)
      context.trees.set(before, later)
      context.blobs.later(() => void later.blobs)
      return before
    }
    const tree = make()
    const digest = createHash('sha256').update(tree.object).digest('hex')
    context.trees.set(digest, tree)
    return digest
  }

  async function hash(absolute: string, path: string, name: string): Promise<{ digest: string; size: number; fresh: Fresh | null }> {
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
      const steady = cache !== undefined && before.size === size && same(before, fstatSync(fd))
      return { digest, size, fresh: steady ? cache.fresh(name, before, digest, from) : null }
    } finally {
      closeSync(fd)
    }
  }

  try {
    context.root = (await directory('', null, 0)).digest
  } catch (error) {
    // Of the file system, with the file's whole path.
    if (!(error instanceof Error && 'code' in error && 'path' in error)) throw error
    throw unreadable(`${shown(folder, String(error.path))} cannot be read (${String(error.code)})`, error)
  }
  budget.entries += context.entries
  budget.bytes += context.bytes
  return context
}

/** The place in the cache of a file that is as it was. */
type Files = (number | FileEntry)[]
type FileEntry = Extract<TreeEntry, { kind: 'file' }>

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
