/**
 * Takes: a checkout with its `.git`, and submodules that have theirs in their folders.
 * Gives: what `git submodule update --init --recursive` leaves, which is what Docker sends: git's data of a submodule lies in
 * `.git/modules/<name>`, and a file `.git` in its folder leads there. All of it is relative, and was written by us: nothing of a
 * repository's own (names, addresses) is more than a value.
 */
import { lstat, mkdir, rename, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { AppError } from '@slipway/core'
import { type GitOptions, git } from './git'

/** A submodule in its place. */
export interface KeptModule {
  /** As .gitmodules calls it: any text. */
  name: string
  /** Of its folder, beneath the folder of the repository that has it. */
  path: string
  url: string
  /** Of its own. */
  modules: KeptModule[]
}

/** `tree`: the repository's folder; `gitDir`: its data. Throws GIT_SUBMODULES for names that git would not take either. */
export async function absorbGitDirs(tree: string, gitDir: string, modules: KeptModule[], options: GitOptions): Promise<void> {
  for (const { name, path, url, modules: inner } of modules) {
    const [own, place] = [await placeOf(name, gitDir), join(tree, path)]
    await mkdir(dirname(own), { recursive: true })
    await rename(join(place, '.git'), own)
    await writeFile(join(place, '.git'), `gitdir: ${relative(place, own)}\n`, { flag: 'wx', mode: 0o644 })
    const set = (dir: string, key: string, value: string) => git(['config', '--file', join(dir, 'config'), key, value], options)
    await set(own, 'core.worktree', relative(own, place))
    await set(gitDir, `submodule.${name}.active`, 'true')
    await set(gitDir, `submodule.${name}.url`, url)
    await absorbGitDirs(place, own, inner, options)
  }
}

/** Outside of every other submodule's data: `a` and `a/hooks` cannot both be names. */
async function placeOf(name: string, gitDir: string): Promise<string> {
  const parts = name.split('/')
  if (/\p{Cc}/u.test(name) || parts.some((part) => ['', '.', '..'].includes(part) || part.length > 200)) throw badName(name)
  let at = join(gitDir, 'modules')
  for (const part of parts) {
    at = join(at, part)
    if (await exists(join(at, 'HEAD'))) throw badName(name)
  }
  if (await exists(at)) throw badName(name)
  return at
}

const exists = (path: string) =>
  lstat(path).then(
    () => true,
    () => false,
  )

const badName = (name: string) =>
  new AppError({
    kind: 'bad-input',
    code: 'GIT_SUBMODULES',
    message: `A submodule is called ${JSON.stringify(name.slice(0, 100))}, and git's data cannot be kept under that name. Rename it in .gitmodules, or leave submodules out with ?submodules=false.`,
  })
