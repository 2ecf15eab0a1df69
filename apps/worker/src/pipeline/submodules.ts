/**
 * Takes: a commit that was checked out. Gives: the files of its submodules in their folders, each at the commit that the repository
 * names. Their addresses are the repository's word, so they are checked as those that a Dockerfile names.
 */
import { realpath, rename, rmdir } from 'node:fs/promises'
import { join, posix } from 'node:path'
import { AppError, isAppError, sshAddress, toAppError } from '@slipway/core'
import { type GitOptions, git } from './git'
import type { KeptModule } from './kept-git'

/** Of one repository, and of each in it. */
const MOST = 64
const DEEPEST = 5

export interface Submodule {
  /** As .gitmodules calls it: any text. */
  name: string
  /** Of its folder, in the repository. */
  path: string
  url: string
  commit: string
}

export interface Superproject {
  sha: string
  /** Where git's data lies, as arguments of git. */
  at: string[]
  tree: string
  url: string
  /** How many repositories it is in itself. */
  depth: number
}

/** What a submodule's files are, and which it has in itself. */
export interface FetchedSubmodule {
  root: string
  modules: KeptModule[]
}

/** `fetch` gives the folder of a submodule's files, which is moved. `required`: whether one that cannot be had ends the build, or is told. */
export async function fetchSubmodules(
  project: Superproject,
  options: GitOptions,
  { required, fetch }: { required: boolean; fetch: (module: Submodule, index: number) => Promise<FetchedSubmodule> },
): Promise<KeptModule[]> {
  const { sha, at, tree, depth } = project
  // Of the commit, not of the tree, where it may be a link to anywhere.
  if ((await git([...at, 'ls-tree', '--full-tree', sha, '--', '.gitmodules'], options)) === '') return []
  const modules = await modulesOf(project, options)
  if (modules === null) {
    options.onProgress?.('warning: git cannot read .gitmodules of the repository; folders of submodules are empty.')
    return []
  }
  const placed: KeptModule[] = []
  for (const [index, module] of modules.entries()) {
    try {
      if (depth >= DEEPEST || index >= MOST) throw tooMany()
      const { root, modules: inner } = await fetch(module, index)
      const place = join(tree, module.path)
      // git made an empty folder there; whatever else it is, nothing is written through it.
      if ((await realpath(place)) !== join(await realpath(tree), module.path)) throw elsewhere()
      await rmdir(place)
      await rename(root, place)
      placed.push({ name: module.name, path: module.path, url: module.url, modules: inner })
    } catch (error) {
      if (options.signal.aborted) throw error
      const { kind, code, message } = toAppError(error)
      const text = `The submodule ${shown(module.path)} cannot be fetched: ${message}`
      if (required) throw isAppError(error) ? new AppError({ kind, code, message: text, cause: error }) : error
      options.onProgress?.(`warning: ${text} Its folder is empty.`)
    }
  }
  return placed
}

/** Null: git does not understand the file. What the commit has no submodule at is left out. */
async function modulesOf({ sha, at, url }: Superproject, { onProgress: _, ...options }: GitOptions): Promise<Submodule[] | null> {
  let entries: string[]
  try {
    entries = (await git([...at, 'config', '--blob', `${sha}:.gitmodules`, '--null', '--list'], options)).split('\0').filter(Boolean)
  } catch (error) {
    if (options.signal.aborted || !isAppError(error) || error.code !== 'GIT_FAILED') throw error
    return null
  }
  const named = new Map<string, { path?: string; url?: string }>()
  for (const entry of entries) {
    const end = entry.indexOf('\n')
    const [, name, field] = /^submodule\.(.+)\.(path|url)$/s.exec(entry.slice(0, end)) ?? []
    if (name === undefined || field === undefined) continue
    named.set(name, { ...named.get(name), [field]: entry.slice(end + 1) })
  }
  const known = new Map(
    [...named].flatMap(([name, { path, url }]) => (path && url ? [[path.replace(/\/+$/, ''), { name, address: url }]] : [])),
  )
  if (known.size === 0) return []
  const listed = await git([...at, 'ls-tree', '-z', '--full-tree', sha, '--', ...known.keys()], options)
  return listed.split('\0').flatMap((line) => {
    const [, commit, path] = /^160000 commit ([0-9a-f]{40,64})\t(.+)$/s.exec(line) ?? []
    const module = path === undefined ? undefined : known.get(path)
    return commit && path && module ? [{ name: module.name, path, commit, url: addressOf(module.address, url) }] : []
  })
}

/** One that begins with dots is beside the repository's own, as git has it. */
export function addressOf(address: string, repository: string): string {
  if (!/^\.\.?(?:\/|$)/.test(address)) return address
  const [, host, path] = sshAddress(repository) && !repository.includes('://') ? (/^([^:]+:)(.*)$/s.exec(repository) ?? []) : []
  if (host !== undefined) return host + posix.join(path ?? '', address)
  return URL.canParse(repository) ? new URL(address, repository.replace(/\/*$/, '/')).href.replace(/\/+$/, '') : address
}

const shown = (path: string) => path.replace(/\p{Cc}/gu, '?').slice(0, 200)

const elsewhere = () => new AppError({ kind: 'bad-input', code: 'GIT_SUBMODULES', message: 'Its folder is a link, or lies behind one.' })

const tooMany = () =>
  new AppError({
    kind: 'bad-input',
    code: 'GIT_SUBMODULES',
    message: `Builds fetch ${MOST} submodules of a repository, and those in them ${DEEPEST} deep.`,
  })
