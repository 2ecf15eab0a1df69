/**
 * Takes: a Git repository that a Dockerfile or a named context names.
 * Gives: a folder with the files of that commit, to be sent as a context.
 */
import { mkdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { beneath } from '@slipway/context'
import { AppError } from '@slipway/core'
import type { ContextSource } from '@slipway/dockerfile'
import type { Lookup, Places } from '@slipway/outbound'
import { type GitOptions, git, isDumbServer } from './git'
import { ANYWHERE, type GitAddress, gitAddress, isSameServer } from './git-address'
import { limitBytes } from './git-size'
import { absorbGitDirs, type KeptModule } from './kept-git'
import { type SshIdentity, withSsh } from './ssh'
import { type FetchedSubmodule, fetchSubmodules, type Submodule } from './submodules'

export type GitContextSource = Extract<ContextSource, { kind: 'git' }>

/** The files, of which a build's contexts may have half together, and what git keeps beside them. */
const MAX_BYTES = 4 * 1024 ** 3

export interface GitReach {
  /** Places inside this network that a repository may name; all others of the Internet. */
  inside: Places
  lookup?: Lookup
  /** For addresses over SSH. */
  ssh?: SshIdentity | null
  /** The server of an app's own repository, which a member named: it may be anywhere, and takes that repository's token. */
  own?: { url: string; token: string | null }
}

/** Times and inodes of this host, hooks of git's templates, how it was fetched. */
const NOT_SENT = ['hooks', 'info', 'description', 'branches', 'FETCH_HEAD', 'ORIG_HEAD', 'logs', 'packed-refs', 'refs', 'index']

export interface FetchedContext {
  /** The folder that is sent. */
  root: string
  /** The commit, whole. */
  sha: string
  /** With a `.git` of their own in their folders, where the context is one itself that keeps it. */
  modules: KeptModule[]
}

/**
 * `directory` is made anew; the caller removes it. The same commit gives the same files, whatever was fetched before and when.
 * Throws AppError GIT_* with a sentence for the user.
 */
export async function gitContext(
  source: GitContextSource,
  directory: string,
  signal: AbortSignal,
  onProgress: (line: string) => void,
  reach: GitReach,
  /** How many repositories it is a submodule in. */
  depth = 0,
): Promise<FetchedContext> {
  const { inside, lookup, ssh = null, own } = reach
  const isOwn = own !== undefined && isSameServer(source.url, own.url)
  const address = await gitAddress(source.url, isOwn ? ANYWHERE : inside, lookup)
  const credentials = isOwn && own.token !== null && !address.ssh ? { url: source.url, token: own.token } : undefined
  const fetch = (over?: { config: string }) =>
    fetched(source, address, directory, signal, onProgress, {
      reach,
      depth,
      ...(over && { ssh: over }),
      ...(credentials && { credentials }),
    })
  return address.ssh ? withSsh(ssh, address.ssh.address, address.ssh.pinned, fetch) : fetch()
}

async function fetched(
  source: GitContextSource,
  address: GitAddress,
  directory: string,
  signal: AbortSignal,
  onProgress: (line: string) => void,
  { reach, depth, ...way }: Pick<GitOptions, 'ssh' | 'credentials'> & { reach: GitReach; depth: number },
): Promise<FetchedContext> {
  await rm(directory, { recursive: true, force: true })
  const tree = join(directory, 'tree')
  await mkdir(tree, { recursive: true, mode: 0o700 })
  // Inside the tree where it is to be a part of it.
  const own = source.keepGitDir ? join(tree, '.git') : join(directory, 'git')
  const limited = limitBytes(directory, MAX_BYTES, signal)
  const options: GitOptions = { cwd: tree, signal: limited.signal, onProgress, only: address, ...way }
  const at = [`--git-dir=${own}`, `--work-tree=${tree}`]
  // As with Docker, git's data goes along with a whole repository only.
  const keeps = source.keepGitDir && source.subdir === ''
  let sha = ''
  let modules: KeptModule[] = []
  try {
    await git(['init', '--quiet', '--bare', own], options)
    sha = await fetchCommit({ ...source, url: address.url }, at, options)
    if (source.checksum !== null && !sha.startsWith(source.checksum))
      throw new AppError({
        kind: 'bad-input',
        code: 'GIT_CHECKSUM_MISMATCH',
        message: `${source.url} is at commit ${sha}, and not at ${source.checksum} as the checksum says. Correct the checksum, or name the commit behind a #.`,
      })
    await git([...at, 'checkout', '--quiet', '--force', '--detach', sha], options)
    if (source.keepGitDir) await settle(own, at, sha, source, options)
    onProgress(`${source.url} is at ${sha.slice(0, 7)}`)
    if (source.submodules !== false)
      modules = await fetchSubmodules({ sha, at, tree, url: source.url, depth }, options, {
        required: true,
        fetch: submodulesInto(join(directory, 'modules'), limited.signal, onProgress, reach, depth + 1, keeps),
      })
    // Once all are in their places: data of those within lies in that of those without.
    if (keeps && depth === 0) await absorbGitDirs(tree, own, modules, options)
  } finally {
    limited.end()
  }
  return { root: source.subdir === '' ? tree : await folderOf(tree, source.subdir), sha, modules }
}

/** For `fetchSubmodules`: each in a folder of its own, with git's data or without. */
export const submodulesInto =
  (folder: string, signal: AbortSignal, onProgress: (line: string) => void, reach: GitReach, depth: number, keepGitDir = false) =>
  async ({ url, commit }: Submodule, index: number): Promise<FetchedSubmodule> => {
    const source = { kind: 'git' as const, url, ref: commit, subdir: '', checksum: null, keepGitDir }
    return gitContext(source, join(folder, String(index)), signal, onProgress, reach, depth)
  }

/** The whole name of the commit, whose objects are there afterwards. */
async function fetchCommit(source: GitContextSource, at: string[], options: GitOptions): Promise<string> {
  const { url } = source
  const exact = /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/.test(source.ref)
  // A pack is never the same twice; objects of their own are.
  const loose = source.keepGitDir ? ['-c', 'fetch.unpackLimit=1000000000'] : []
  const fetch = (depth: string[], refs: string[]) =>
    git([...loose, ...at, 'fetch', '--quiet', '--no-tags', ...depth, '--', url, ...refs], options)
  const head = async () => (await git([...at, 'rev-parse', '--verify', 'FETCH_HEAD^{commit}'], options)).trim()
  try {
    await fetch(['--depth=1'], [source.ref === '' ? 'HEAD' : source.ref])
    return await head()
  } catch (error) {
    if (options.signal.aborted || !(error instanceof AppError)) throw error
    if (isDumbServer(error) && !exact) {
      await fetch([], [source.ref === '' ? 'HEAD' : source.ref])
      return await head()
    }
    // Servers need not give a commit by its name; then it is looked for in all of their branches and tags.
    if (!exact) throw renamed(error, source)
    await fetch([], ['+refs/heads/*:refs/heads/*', '+refs/tags/*:refs/tags/*'])
    try {
      return (await git([...at, 'rev-parse', '--verify', `${source.ref}^{commit}`], options)).trim()
    } catch {
      throw renamed(error, source)
    }
  }
}

function renamed(error: AppError, { url, ref }: GitContextSource): AppError {
  if (error.code !== 'GIT_BRANCH_NOT_FOUND' && error.code !== 'GIT_FAILED')
    return new AppError({ kind: error.kind, code: error.code, message: `${url}: ${error.message}`, cause: error })
  return new AppError({
    kind: 'bad-input',
    code: 'GIT_REF_NOT_FOUND',
    message: `${url} has no branch, tag or commit ${ref === '' ? 'to begin with' : ref.slice(0, 120)}. Check what stands behind the #.`,
    cause: error,
  })
}

/** A `.git` that is the same for the same commit: loose objects, no times of this host, no name but HEAD. */
async function settle(own: string, at: string[], sha: string, { url }: GitContextSource, options: GitOptions): Promise<void> {
  for (const name of NOT_SENT) await rm(join(own, name), { recursive: true, force: true })
  for (const name of ['heads', 'tags']) await mkdir(join(own, 'refs', name), { recursive: true })
  await git([...at, 'config', 'core.bare', 'false'], options)
  await git([...at, 'config', 'remote.origin.url', url], options)
  await git([...at, 'update-ref', '--no-deref', 'HEAD', sha], options)
  await git([...at, 'read-tree', sha], options)
}

/** A link may lead to another folder of the repository, and never out of it (CVE-2024-23652's kin for `#ref:folder`). */
async function folderOf(tree: string, subdir: string): Promise<string> {
  const real = await beneath(tree, subdir, 'folder')
  if ((await stat(real)).isDirectory()) return real
  throw new AppError({ kind: 'bad-input', code: 'CONTEXT_NOT_FOUND', message: `${subdir} is not a folder of the Git repository.` })
}
