/**
 * Takes: a commit that was checked out. Gives: a line for the build log when it has submodules, whose files are not fetched: their
 * addresses are the repository's word, and they would need credentials of their own.
 */
import { isAppError } from '@slipway/core'
import { type GitOptions, git } from './git'

const MOST = 10

/** `at`: where git's data lies, as arguments of git. */
export async function tellSubmodules(
  sha: string,
  at: string[],
  { onProgress, ...options }: GitOptions,
  what = 'The repository',
): Promise<void> {
  // Of the commit, not of the tree, where it may be a link to anywhere.
  if ((await git([...at, 'ls-tree', '--full-tree', sha, '--', '.gitmodules'], options)) === '') return
  const paths = await pathsOf(sha, at, options)
  if (paths?.length === 0) return
  const named = paths === null ? 'git cannot read its .gitmodules' : listOf(paths)
  onProgress?.(`warning: ${what} has submodules, which are not fetched: their folders are empty (${named}). ADD their addresses instead.`)
}

/** Null: git does not understand the file. */
async function pathsOf(sha: string, at: string[], options: GitOptions): Promise<string[] | null> {
  const config = (...args: string[]) => git([...at, 'config', '--blob', `${sha}:.gitmodules`, '--null', ...args], options)
  try {
    const entries = (await config('--list')).split('\0').filter(Boolean)
    return entries.flatMap((entry) => {
      const end = entry.indexOf('\n')
      const key = entry.slice(0, end)
      return key.startsWith('submodule.') && key.endsWith('.path') ? [entry.slice(end + 1)] : []
    })
  } catch (error) {
    if (options.signal.aborted || !isAppError(error) || error.code !== 'GIT_FAILED') throw error
    return null
  }
}

const listOf = (paths: string[]) =>
  [...paths.slice(0, MOST).map((path) => path.replace(/\p{Cc}/gu, '?').slice(0, 200)), ...(paths.length > MOST ? ['…'] : [])].join(', ')
