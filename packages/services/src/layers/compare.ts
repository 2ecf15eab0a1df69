import { imageConfig, type views } from '@slipway/contracts'
import { platformOf } from '../images/views'
import { type LayerDocument, sameContent } from './document'
import type { Loaded, Loader } from './load'
import { allPackages } from './packages'
import type { FilesService } from './service'
import { filesBelow, kindOf, type Node, type Tree } from './tree'
import { fileKind } from './view'

const SHOWN = 200
type Change = views.FileChanges['items'][number]

export const compareMethod =
  (loader: Loader): FilesService['compare'] =>
  async (scope, { other, ...image }, theirs = scope) => {
    const [from, to] = [await loader.load(scope, image), await loader.load(theirs, other)]
    const [before, after] = [await loader.tree(from), await loader.tree(to)]
    const held = new Set(from.manifest.layers.map((layer) => layer.digest))
    const shared = to.manifest.layers.filter((layer) => held.has(layer.digest))
    return {
      from: compared(from, before),
      to: compared(to, after),
      ...contents(before, after),
      config: config(from.manifest.config, to.manifest.config),
      layers: {
        shared: shared.length,
        sharedBytes: shared.reduce((sum, layer) => sum + Number(layer.size), 0),
        from: from.manifest.layers.length,
        to: to.manifest.layers.length,
      },
    }
  }

type Contents = Pick<views.ComparisonView, 'files' | 'packages'>

/** Images do not change: what two trees differ in is kept as long as both are. A page that asks again does not walk them again. */
const known = new WeakMap<Tree, WeakMap<Tree, Contents>>()

function contents(before: Tree, after: Tree): Contents {
  const others = known.get(before) ?? new WeakMap<Tree, Contents>()
  known.set(before, others)
  const found = others.get(after) ?? { files: files(before, after), packages: packages(before, after) }
  others.set(after, found)
  return found
}

const compared = ({ repository, manifest }: Loaded, tree: Tree): views.ComparedImage => ({
  repository: repository.name,
  digest: manifest.digest,
  tags: manifest.tags.map((tag) => tag.name),
  platform: manifest.os ? platformOf(manifest) : null,
  size: Number(manifest.totalSize),
  bytes: tree.bytes,
  files: tree.files,
})

/** Both trees are walked at once: paths are put together only for what differs. */
function files(before: Tree, after: Tree): views.ComparisonView['files'] {
  const [added, removed, changed] = [tally(), tally(), tally()]
  const alone = (tree: Tree, to: ReturnType<typeof tally>, side: 'from' | 'to', path: string, node: Node) => {
    const sizes = { from: null, to: null, [side]: node.size }
    if (node.children) for (const [below, file] of filesBelow(node, path)) alone(tree, to, side, below, file)
    else to.add({ path, kind: fileKind(kindOf(tree, node)), ...sizes, what: null })
  }
  const open: [string, Node, Node][] = [['', before.root, after.root]]
  for (let next = open.pop(); next; next = open.pop()) {
    const [above, one, other] = next
    const pathOf = (name: string) => (above === '' ? name : `${above}/${name}`)
    for (const [name, node] of other.children ?? []) {
      const old = one.children?.get(name)
      if (old?.children && node.children) open.push([pathOf(name), old, node])
      else if (!old || old.children || node.children) {
        if (old) alone(before, removed, 'from', pathOf(name), old)
        alone(after, added, 'to', pathOf(name), node)
      } else {
        const what = difference(before, old, after, node)
        if (what) changed.add({ path: pathOf(name), kind: fileKind(kindOf(after, node)), from: old.size, to: node.size, what })
      }
    }
    for (const [name, old] of one.children ?? []) if (!other.children?.has(name)) alone(before, removed, 'from', pathOf(name), old)
  }
  return { added: added.end(), removed: removed.end(), changed: changed.end() }
}

/** Times are no difference: every build makes new ones. */
function difference(before: Tree, old: Node, after: Tree, node: Node): Change['what'] {
  const [a, b] = [before.layers[old.layer] as LayerDocument, after.layers[node.layer] as LayerDocument]
  if (a === b && old.row === node.row) return null
  const [one, other] = [fileKind(kindOf(before, old)), fileKind(kindOf(after, node))]
  if (one !== other) return 'kind'
  if (one === 'file' && !sameContent(a, old.row, b, node.row)) return 'content'
  if (one === 'symlink' && a.links.get(old.row) !== b.links.get(node.row)) return 'content'
  const rights = (d: LayerDocument, row: number) => `${d.modes[row]} ${d.uids[row]} ${d.gids[row]}`
  return rights(a, old.row) === rights(b, node.row) ? null : 'rights'
}

function tally() {
  const items: Change[] = []
  let bytes = 0
  const weight = ({ from, to }: Change) => Math.abs((to ?? 0) - (from ?? 0))
  return {
    add(change: Change) {
      bytes += (change.to ?? 0) - (change.from ?? 0)
      items.push(change)
    },
    end: (): views.FileChanges => ({
      total: items.length,
      bytes,
      items: items.sort((a, b) => weight(b) - weight(a) || (a.path < b.path ? -1 : 1)).slice(0, SHOWN),
    }),
  }
}

/** By type and name. A name with several versions (npm has those) is compared as a set of them. */
function packages(before: Tree, after: Tree): views.ComparisonView['packages'] {
  const result: views.ComparisonView['packages'] = { added: [], removed: [], changed: [] }
  const [old, now] = [versions(before), versions(after)]
  for (const key of [...new Set([...old.keys(), ...now.keys()])].sort()) {
    const [type = '', name = ''] = key.split('\0')
    const [was, is] = [old.get(key) ?? new Set<string>(), now.get(key) ?? new Set<string>()]
    const gone = [...was].filter((version) => !is.has(version)).sort()
    const come = [...is].filter((version) => !was.has(version)).sort()
    for (const [index, version] of gone.entries()) {
      const next = come[index]
      if (next === undefined) result.removed.push({ type, name, version })
      else result.changed.push({ type, name, from: version, to: next })
    }
    for (const version of come.slice(gone.length)) result.added.push({ type, name, version })
  }
  return result
}

function versions(tree: Tree): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>()
  for (const { type, name, version } of allPackages(tree)) {
    const key = `${type}\0${name}`
    const set = found.get(key)
    if (set) set.add(version ?? '')
    else found.set(key, new Set([version ?? '']))
  }
  return found
}

function config(before: unknown, after: unknown): views.ComparisonView['config'] {
  const [old, now] = [flat(before), flat(after)]
  const fields = [...new Set([...old.keys(), ...now.keys()])].sort()
  return fields.flatMap((field) => {
    const [from, to] = [old.get(field) ?? null, now.get(field) ?? null]
    return from === to ? [] : [{ field, from, to }]
  })
}

/** One line per setting, per variable and per label. */
function flat(config: unknown): Map<string, string> {
  const parsed = imageConfig.safeParse(config)
  const lines = new Map<string, string>()
  if (!parsed.success) return lines
  const { Env, Labels, ExposedPorts, Volumes, ...rest } = parsed.data
  for (const variable of Env ?? []) {
    const at = variable.indexOf('=')
    lines.set(`Env ${at < 0 ? variable : variable.slice(0, at)}`, at < 0 ? '' : variable.slice(at + 1))
  }
  for (const [name, label] of Object.entries(Labels ?? {})) lines.set(`Label ${name}`, `${label}`)
  for (const name of Object.keys(ExposedPorts ?? {})) lines.set(`Port ${name}`, 'declared')
  for (const name of Object.keys(Volumes ?? {})) lines.set(`Volume ${name}`, 'declared')
  for (const [field, value] of Object.entries(rest))
    if (value !== null && value !== undefined) lines.set(field, typeof value === 'string' ? value : JSON.stringify(value))
  return lines
}
