/**
 * Takes: a checked-out folder, the context path and what .dockerignore leaves out.
 * Gives: the entries of the build context, in a stable order, and files beneath the folder read safely.
 */
import { lstat, open, readdir, readlink, realpath } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'
import type { ContextEntry } from '@slipway/agent-client'
import { AppError } from '@slipway/core'
import type { IgnoreMatcher, ParentMatch } from '@slipway/dockerfile'

const MAX_ENTRIES = 200_000
const MAX_BYTES = 2 * 1024 ** 3

/** The real path of `path` in `root`. A repository may hold symlinks that point anywhere: what leaves the root is refused. */
export async function beneath(root: string, path: string, what: string): Promise<string> {
  let real: string
  try {
    real = await realpath(join(root, path))
  } catch (cause) {
    throw new AppError({
      kind: 'bad-input',
      code: what === 'Dockerfile' ? 'DOCKERFILE_NOT_FOUND' : 'CONTEXT_NOT_FOUND',
      message: `The repository has no ${what === 'Dockerfile' ? `file ${path}` : `folder ${path}`} on this branch. Check the ${what} path in the settings.`,
      cause,
    })
  }
  const rest = relative(await realpath(root), real)
  if (rest === '..' || rest.startsWith(`..${sep}`) || rest.startsWith(sep))
    throw new AppError({
      kind: 'bad-input',
      code: 'PATH_OUTSIDE_REPOSITORY',
      message: `The ${what} path ${path} leads out of the repository through a symbolic link. Point it at something inside.`,
    })
  return real
}

/** A text file beneath `root`, at most `limit` bytes; null when there is none. */
export async function readTextBeneath(root: string, path: string, limit: number, what: string): Promise<string> {
  const real = await beneath(root, path, what)
  const file = await open(real, 'r')
  try {
    const { size } = await file.stat().then((s) => {
      if (!s.isFile())
        throw new AppError({
          kind: 'bad-input',
          code: 'NOT_A_FILE',
          message: `${path} is not a file. Check the ${what} path in the settings.`,
        })
      return s
    })
    if (size > limit)
      throw new AppError({ kind: 'too-large', code: 'FILE_TOO_LARGE', message: `${path} has ${size} bytes; at most ${limit} are read.` })
    return await file.readFile('utf8')
  } finally {
    await file.close()
  }
}

/** One file system to send; `name`: beneath `contexts/<name>/`, absent: the build context. */
export interface SentContext {
  name?: string
  root: string
  ignore: IgnoreMatcher
}

/** Walks without following symlinks; sockets and devices are left out, as docker does. The limits hold for all of them together. */
export async function* contextEntries(...sent: SentContext[]): AsyncGenerator<ContextEntry> {
  const budget = { count: 0, bytes: 0 }
  for (const { name, root, ignore } of sent) {
    for await (const entry of entriesOf(root, ignore, budget)) yield name === undefined ? entry : { ...entry, context: name }
  }
}

async function* entriesOf(root: string, ignore: IgnoreMatcher, budget: { count: number; bytes: number }): AsyncGenerator<ContextEntry> {
  async function* walk(directory: string, parent: ParentMatch | null): AsyncGenerator<ContextEntry> {
    const names = await readdir(directory === '' ? root : join(root, directory))
    names.sort()
    for (const name of names) {
      const path = directory === '' ? name : `${directory}/${name}`
      const absolutePath = join(root, path)
      const stat = await lstat(absolutePath)
      const { ignored, match } = ignore.match(path, parent)
      if (stat.isDirectory()) {
        if (ignored && !ignore.mayHoldExceptions(path)) continue
        if (!ignored) yield { kind: 'directory', path, mode: stat.mode }
        yield* walk(path, match)
        continue
      }
      if (ignored || !(stat.isFile() || stat.isSymbolicLink())) continue
      budget.count += 1
      budget.bytes += stat.size
      if (budget.count > MAX_ENTRIES || budget.bytes > MAX_BYTES)
        throw new AppError({
          kind: 'too-large',
          code: 'CONTEXT_TOO_LARGE',
          message: `The build context is over ${MAX_ENTRIES.toLocaleString('en')} files or 2 GiB. Leave out what the build does not need with a .dockerignore file.`,
        })
      if (stat.isSymbolicLink()) yield { kind: 'symlink', path, mode: 0o777, target: await readlink(absolutePath) }
      else yield { kind: 'file', path, mode: stat.mode, size: stat.size, absolutePath }
    }
  }
  yield* walk('', null)
}
