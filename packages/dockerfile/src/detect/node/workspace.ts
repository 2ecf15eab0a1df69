/** npm, Yarn, pnpm and Bun workspaces: which packages of a tree are installed together. */
import { isSafePath } from '../detection'
import { parseJson, strings, type Values } from '../manifest'
import { Folder, type Tree } from '../tree'

/** Manifests that a Dockerfile names one by one; with more, it is no longer readable. */
const MEMBERS = 60

export interface Workspace {
  root: Folder
  /** Where the list of members stands. */
  file: string
  /** Folders, sorted. */
  members: string[]
}

/** The workspace that the folder at `path` is the root of. */
export function workspaceAt(tree: Tree, path: string): Workspace | null {
  const root = new Folder(tree, path)
  const manifest = parseJson(root.text('package.json') ?? '')
  const pnpm = root.text('pnpm-workspace.yaml')
  const patterns = pnpm !== undefined ? pnpmPackages(pnpm) : manifest ? packagesOf(manifest) : []
  if (patterns.length === 0) return null
  const include = patterns.filter((pattern) => !pattern.startsWith('!'))
  const exclude = patterns.filter((pattern) => pattern.startsWith('!')).map((pattern) => pattern.slice(1))
  const members = root
    .below()
    .filter((file) => file.endsWith('/package.json'))
    .map((file) => file.slice(0, -'/package.json'.length))
    .filter((folder) => include.some((pattern) => fits(pattern, folder)) && !exclude.some((pattern) => fits(pattern, folder)))
    .filter(isSafePath)
  return { root, file: pnpm !== undefined ? 'pnpm-workspace.yaml' : 'package.json', members: members.slice(0, MEMBERS) }
}

const packagesOf = (manifest: Values) => {
  const list = strings(manifest, 'workspaces')
  return list.length > 0 ? list : strings(manifest, 'workspaces', 'packages')
}

/** The list beneath `packages:`; the rest of the file is settings. */
function pnpmPackages(text: string): string[] {
  const lines = text.slice(0, 20_000).split(/\r?\n/)
  const from = lines.findIndex((line) => /^packages:\s*(?:#.*)?$/.test(line))
  const found: string[] = []
  if (from < 0) return found
  for (const line of lines.slice(from + 1)) {
    const item = /^\s*-\s+(?:'([^']*)'|"([^"]*)"|([^#\s]+))/.exec(line)
    if (item) found.push(item[1] ?? item[2] ?? item[3] ?? '')
    else if (line.trim() !== '' && !/^\s*#/.test(line)) break
  }
  return found.slice(0, 200)
}

/** `apps/*`, `packages/**`, `tools/cli`: a part at a time, so that no pattern costs more than its length. */
function fits(pattern: string, folder: string): boolean {
  const parts = pattern.replace(/^\.\//, '').replace(/\/+$/, '').split('/')
  const names = folder.split('/')
  for (let i = 0; i < parts.length; i++) {
    const part = parts[i] ?? ''
    if (part === '**') return names.length > i
    const name = names[i]
    if (name === undefined || !(part === '*' || part === name || starred(part, name))) return false
  }
  return names.length === parts.length
}

/** One star in a name: `app-*`. */
function starred(part: string, name: string): boolean {
  const [start, end, ...more] = part.split('*')
  if (start === undefined || end === undefined || more.length > 0) return false
  return name.length >= start.length + end.length && name.startsWith(start) && name.endsWith(end)
}
