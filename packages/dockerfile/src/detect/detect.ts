/**
 * A repository without a Dockerfile → a Dockerfile for it, or several to choose from. Manifests are hostile: what is taken from them
 * into the text is one of our own words, matches a strict grammar (`detection.ts`), or is quoted as JSON; and a `Sheet` refuses
 * anything that would begin an instruction of its own.
 */
import { type Detection, isSafePath, type Kind, type Refusal } from './detection'
import { go } from './go'
import { java } from './java'
import { parseJson } from './manifest'
import { isApp, node, nodeIn } from './node/node'
import { type Workspace, workspaceAt } from './node/workspace'
import { php } from './php'
import { python } from './python'
import { ruby } from './ruby'
import { rust } from './rust'
import { staticSite } from './static'
import { Folder, type Tree } from './tree'

export const LOOKED_FOR =
  'package.json, pyproject.toml, requirements.txt, Pipfile, go.mod, Cargo.toml, composer.json, Gemfile, pom.xml, build.gradle or index.html'

/** Folders that are offered to choose from. */
export const CHOICES = 20

/** A package.json is in many projects that are none of Node; what serves files comes last. */
const KINDS: readonly Kind[] = [php, ruby, go, rust, java, python, node, staticSite]

export interface Found {
  /** The likeliest first; at most `CHOICES`. */
  apps: Detection[]
  /** Folders where something was recognized that no Dockerfile can be made for, and why. */
  refused: { folder: string; refused: string }[]
}

/** The one app of the tree's root. With a workspace there, the only member that is an app. */
export function detect(tree: Tree): Detection | Refusal {
  const root = detectIn(tree, '')
  if (root && !('refused' in root)) return root
  const { apps } = detectAll(tree)
  const here = apps.filter((app) => app.contextPath === '.')
  const [only] = here
  if (only && here.length === 1) return only
  if (here.length > 1)
    return {
      refused: `There are several apps: ${here.map((app) => app.folder).join(', ')}. Choose one where the app’s Dockerfile is set, or commit a Dockerfile.`,
    }
  if (root) return root
  if (apps.length > 0)
    return {
      refused: `Nothing at the root, but apps in ${apps.map((app) => app.folder).join(', ')}. Set the context folder to one of them, or commit a Dockerfile.`,
    }
  return { refused: `Looked for ${LOOKED_FOR} and found none.` }
}

/** Every app of the tree: at the root, in workspaces, and in folders of their own. */
export function detectAll(tree: Tree): Found {
  const found: Found = { apps: [], refused: [] }
  const taken = new Set<string>()
  const add = (folder: string, verdict: Detection | Refusal | null) => {
    if (verdict === null || taken.has(folder)) return
    taken.add(folder)
    if ('refused' in verdict) found.refused.push({ folder, refused: verdict.refused })
    else found.apps.push(verdict)
  }
  for (const path of folders(tree)) {
    const workspace = workspaceAt(tree, path)
    // A folder inside one that is an app already is a part of it; a member of a workspace is not.
    if (!taken.has(path) && !found.apps.some((app) => app.folder !== path && isInside(path, app.folder))) add(path, detectIn(tree, path))
    if (workspace) {
      const members = appsOf(workspace)
      // What a workspace's root lacks is no news where its members are the apps; and a library of theirs is none.
      if (members.length > 0) found.refused = found.refused.filter(({ folder }) => folder !== path)
      for (const member of members) add(...member)
      for (const member of workspace.members) taken.add(path === '' ? member : `${path}/${member}`)
    }
    if (found.apps.length >= CHOICES) break
  }
  return {
    apps: found.apps.slice(0, CHOICES),
    refused: found.refused.filter(({ folder }) => !found.apps.some((app) => app.folder === folder)).slice(0, CHOICES),
  }
}

const isInside = (path: string, folder: string) => folder === '' || path.startsWith(`${folder}/`)

/** Folders that hold a manifest, the shallow ones first, at most three deep. */
function folders(tree: Tree): string[] {
  const found = new Set<string>([''])
  for (const file of tree.files) {
    const parts = file.split('/')
    const name = parts.pop() ?? ''
    if (parts.length === 0 || parts.length > 3) continue
    if (MANIFEST_NAMES.has(name)) found.add(parts.join('/'))
  }
  return [...found]
    .filter((path) => path === '' || isSafePath(path))
    .sort((a, b) => a.split('/').length - b.split('/').length || (a === '' ? -1 : b === '' ? 1 : a < b ? -1 : 1))
    .slice(0, 200)
}
const MANIFEST_NAMES = new Set(
  'package.json pyproject.toml requirements.txt Pipfile go.mod Cargo.toml composer.json Gemfile pom.xml build.gradle build.gradle.kts index.html'.split(
    ' ',
  ),
)

/** What stands at one folder, with that folder as the context. */
function detectIn(tree: Tree, path: string): Detection | Refusal | null {
  const folder = new Folder(tree, path)
  let refused: string | null = null
  for (const kind of KINDS) {
    const verdict = kind(folder)
    if (verdict === null) continue
    if (typeof verdict === 'string') refused ??= verdict
    else return { ...verdict, folder: path, contextPath: path === '' ? '.' : path }
  }
  return refused === null ? null : { refused }
}

/** Members that can be started; the Dockerfile of each is written for the workspace's root. */
function appsOf(workspace: Workspace): [string, Detection | Refusal | null][] {
  const { root } = workspace
  return workspace.members.flatMap((member): [string, Detection | Refusal | null][] => {
    const path = root.path === '' ? member : `${root.path}/${member}`
    const folder = new Folder(root.tree, path)
    const manifest = parseJson(folder.text('package.json') ?? '')
    if (!manifest || !isApp(manifest)) return []
    const verdict = nodeIn(folder, workspace)
    if (verdict === null) return []
    if (typeof verdict === 'string') return [[path, { refused: verdict }]]
    return [[path, { ...verdict, folder: path, contextPath: root.path === '' ? '.' : root.path }]]
  })
}
