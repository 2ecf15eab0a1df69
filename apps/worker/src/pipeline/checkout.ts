/**
 * Takes: a repository's address, branch (or pull request) and token.
 * Gives: a folder with the newest commit of the branch, or the announced one of the pull request, and that commit.
 */
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError, isAppError, sshAddress } from '@slipway/core'
import { Places } from '@slipway/outbound'
import { type GitOptions, git, isDumbServer } from './git'
import { ANYWHERE, gitAddress } from './git-address'
import { type GitReach, submodulesInto } from './git-context'
import { movedTo } from './git-redirect'
import { limitBytes } from './git-size'
import { type SshIdentity, withSsh } from './ssh'
import { fetchSubmodules } from './submodules'

/** Of one commit and what git keeps beside it: much more than a build's context may have, as .dockerignore leaves out some. */
const MAX_BYTES = 16 * 1024 ** 3

const NOWHERE = new Places([])

export interface CheckoutSource {
  url: string
  branch: string
  token: string | null
  /** The commit that was pushed; null: the newest of the branch. */
  sha: string | null
  /** Instead of the branch: where this very repository keeps the newest commit of one. With it, no other commit than `sha` is built. */
  pullRequest?: { ref: string; fromFork: boolean }
}

export interface Commit {
  sha: string
  message: string
  author: string
  at: Date
}

export interface Checkout {
  directory: string
  commit: Commit
}

/** `directory` is made anew; the caller removes it. Throws AppError GIT_* with a sentence for the user. */
export async function checkout(
  source: CheckoutSource,
  directory: string,
  signal: AbortSignal,
  onProgress: (line: string) => void,
  ssh: SshIdentity | null = null,
  /** Of submodules, but for those on the repository's own server. */
  inside: Places = NOWHERE,
): Promise<Checkout> {
  // What a fork names as its submodules is read as anybody may read it: else its author could have other private repositories built in.
  const trusted = !source.pullRequest?.fromFork
  const reach = { inside, ssh: trusted ? ssh : null, own: { url: source.url, token: trusted ? source.token : null } }
  const address = sshAddress(source.url)
  if (address) return withSsh(ssh, address, null, (over) => fetched(source, directory, signal, onProgress, { ssh: over }, reach))
  const over = async (at: string) => {
    const { url, resolve } = await gitAddress(at, ANYWHERE)
    // A token is for the server that it was given for, wherever that leads.
    const credentials = source.token === null ? undefined : { url: source.url, token: source.token }
    return fetched({ ...source, url }, directory, signal, onProgress, { only: { resolve }, ...(credentials && { credentials }) }, reach)
  }
  try {
    return await over(source.url)
  } catch (error) {
    if (!isAppError(error) || error.code !== 'GIT_REDIRECTED') throw error
    const moved = await movedTo(source, ANYWHERE, signal)
    onProgress(`The server leads to ${moved}`)
    return over(moved)
  }
}

async function fetched(
  source: CheckoutSource,
  directory: string,
  signal: AbortSignal,
  onProgress: (line: string) => void,
  way: Pick<GitOptions, 'ssh' | 'only' | 'credentials'>,
  reach: GitReach,
): Promise<Checkout> {
  await rm(directory, { recursive: true, force: true })
  const worktree = join(directory, 'tree')
  await mkdir(worktree, { recursive: true, mode: 0o700 })
  const limited = limitBytes(directory, MAX_BYTES, signal)
  const options: GitOptions = {
    cwd: worktree,
    signal: limited.signal,
    onProgress,
    ...way,
  }
  // The repository's own data lies beside the tree, so that it can never become part of a build context.
  const at = [`--git-dir=${join(directory, 'git')}`, `--work-tree=${worktree}`]
  try {
    await git(['init', '--quiet', '--bare', join(directory, 'git')], options)
    const ref = source.pullRequest?.ref ?? `refs/heads/${source.branch}`
    const fetch = (depth: string[]) => git([...at, 'fetch', '--quiet', '--no-tags', ...depth, '--', source.url, ref], options)
    try {
      await fetch(['--depth=1'])
    } catch (error) {
      if (source.pullRequest && isAppError(error) && error.code === 'GIT_BRANCH_NOT_FOUND') throw notKept(ref, error)
      if (!isDumbServer(error)) throw error
      await fetch([])
    }
    await git([...at, 'checkout', '--quiet', '--force', '--detach', await revision(source, at, options, onProgress)], options)
    const [sha = '', message = '', author = '', date = ''] = (
      await git([...at, 'log', '-1', '--no-show-signature', '--format=%H%x00%s%x00%an%x00%cI'], options)
    )
      .trimEnd()
      .split('\0')
    // One that is private or gone may be one that the image does not need.
    await fetchSubmodules({ sha, at, tree: worktree, url: source.url, depth: 0 }, options, {
      required: false,
      fetch: submodulesInto(join(directory, 'modules'), limited.signal, onProgress, reach, 1),
    })
    return { directory: worktree, commit: { sha, message: message.slice(0, 500), author: author.slice(0, 200), at: new Date(date) } }
  } finally {
    limited.end()
  }
}

/** The pushed commit if the server still gives it (a later push may already be the newest), else what the branch points at. */
async function revision(source: CheckoutSource, at: string[], options: GitOptions, onProgress: (line: string) => void): Promise<string> {
  const head = (await git([...at, 'rev-parse', 'FETCH_HEAD'], options)).trim()
  if (!source.sha || source.sha === head || !/^[0-9a-f]{40,64}$/.test(source.sha)) return head
  try {
    await git([...at, 'fetch', '--quiet', '--no-tags', '--depth=1', '--', source.url, source.sha], options)
    if (source.pullRequest)
      onProgress(`The pull request is at ${head.slice(0, 7)} by now; building ${source.sha.slice(0, 7)}, as announced`)
    return source.sha
  } catch (error) {
    if (options.signal.aborted) throw error
    // What is shown with a pull request's build, and whether it is from a fork, was said of that commit and of no other.
    if (source.pullRequest) throw movedOn(source.sha, head, error)
    onProgress(`Commit ${source.sha.slice(0, 7)} is no longer on the server; building ${head.slice(0, 7)} instead`)
    return head
  }
}

const movedOn = (sha: string, head: string, cause: unknown) =>
  new AppError({
    kind: 'bad-input',
    code: 'PULL_REQUEST_MOVED_ON',
    message: `The pull request is at ${head.slice(0, 7)} by now, and the repository does not give ${sha.slice(0, 7)} any more. Its newest commit has a build of its own; if there is none, look for the delivery on the app’s webhook page.`,
    cause,
  })

const notKept = (ref: string, cause: unknown) =>
  new AppError({
    kind: 'bad-input',
    code: 'PULL_REQUEST_NOT_FOUND',
    message: `The app’s repository has no ${ref}. Check that the webhook belongs to the repository that the app is built from.`,
    cause,
  })
