import type { views } from '@slipway/contracts'
import type { Deps } from '../deps'
import { compareMethod } from './compare'
import { downloadMethod, textMethod } from './content'
import type { LayerDocument } from './document'
import { createLoader } from './load'
import { packagesOf } from './packages'
import type { FilesService } from './service'
import { filesOf, find, type Hidden, kindOf, type Node, type Tree } from './tree'
import { noFile, view } from './view'
import { whereUsedMethod } from './where-used'

const FOUND = 200
const WASTED = 20
export const createFiles = (deps: Deps): FilesService => {
  const loader = createLoader(deps)
  const flat = new WeakMap<Tree, Flat>()

  /** Everything that is seen, and everything that is hidden, by path. */
  function everything(tree: Tree): Flat {
    let all = flat.get(tree)
    if (!all) {
      all = { seen: found([...filesOf(tree, true)]), hidden: found(hiddenOf(tree)) }
      flat.set(tree, all)
    }
    return all
  }

  return {
    async state(scope, input) {
      const loaded = await loader.load(scope, input)
      await loader.ask(loaded)
      const isReadable = loaded.state === 'ready' || loaded.state === 'failed'
      return { state: loaded.state, layers: loaded.layers, total: isReadable ? totals(await loader.tree(loaded)) : null }
    },

    async list(scope, { path, hidden, offset, limit, ...image }) {
      const tree = await loader.tree(await loader.load(scope, image))
      const node = find(tree, path)
      const gone = hidden ? (tree.hidden.get(path) ?? []) : []
      if (!node?.children && gone.length === 0) throw noFile(path)
      const rows = [...(node?.children?.values() ?? []), ...unseen(node, gone, tree)]
      const isFolder = new Map(rows.map((row) => [row, kindOf(tree, row) === 'd' || ('children' in row && row.children !== null)]))
      rows.sort(
        (a, b) => Number(isFolder.get(b)) - Number(isFolder.get(a)) || (a.name < b.name ? -1 : a.name > b.name ? 1 : a.layer - b.layer),
      )
      const items = rows.slice(offset, offset + limit).map((row) => view(tree, path === '' ? row.name : `${path}/${row.name}`, row))
      return { items, total: rows.length, next: offset + limit < rows.length ? offset + limit : null }
    },

    async search(scope, { query, hidden, ...image }) {
      const tree = await loader.tree(await loader.load(scope, image))
      const matches = matcher(query)
      let total = 0
      const items: views.FileView[] = []
      const { seen, hidden: gone } = everything(tree)
      for (const list of hidden ? [seen, gone] : [seen])
        for (const { path, lower, row } of list) {
          if (!matches(lower)) continue
          total += 1
          if (items.length < FOUND) items.push(view(tree, path, row))
        }
      return { items, total }
    },

    text: textMethod(deps, loader),
    download: downloadMethod(deps, loader),
    async packages(scope, input) {
      const loaded = await loader.load(scope, input)
      return packagesOf(await loader.tree(loaded))
    },
    compare: compareMethod(loader),
    whereUsed: whereUsedMethod(deps),
  }
}

interface Found {
  path: string
  lower: string
  row: Node | Hidden
}
interface Flat {
  seen: Found[]
  hidden: Found[]
}

const found = (rows: [string, Node | Hidden][]): Found[] =>
  rows.map(([path, row]) => ({ path, lower: path.toLowerCase(), row })).sort((a, b) => (a.path < b.path ? -1 : 1))

const hiddenOf = (tree: Tree): [string, Hidden][] =>
  [...tree.hidden].flatMap(([parent, rows]) =>
    rows.map((row): [string, Hidden] => [parent === '' ? row.name : `${parent}/${row.name}`, row]),
  )

/** Hidden directories that are seen anyhow are no news. */
function unseen(node: Node | undefined, gone: Hidden[], tree: Tree): Hidden[] {
  const folders = new Set<string>()
  return gone.filter((one) => {
    if (kindOf(tree, one) !== 'd') return true
    if (node?.children?.get(one.name)?.children || folders.has(one.name)) return false
    folders.add(one.name)
    return true
  })
}

function totals(tree: Tree): views.FileTotals {
  const top: views.WastedView[] = []
  for (const rows of tree.hidden.values())
    for (const { name, parent, layer, row, by, how } of rows) {
      const bytes = row < 0 ? 0 : ((tree.layers[layer] as LayerDocument).sizes[row] as number)
      if (bytes === 0 || bytes <= (top.at(WASTED - 1)?.bytes ?? 0)) continue
      top.push({ path: parent === '' ? name : `${parent}/${name}`, bytes, layer, by, how })
      top.sort((a, b) => b.bytes - a.bytes)
      top.length = Math.min(top.length, WASTED)
    }
  const { files, directories, bytes, wasted, wastedFiles } = tree
  return { files, directories, bytes, wasted, wastedFiles, top }
}

/** Of paths in lower case: a part of the path, or a pattern of `*` and `?`: of the name, or with a slash of the whole path. */
export function matcher(query: string): (path: string) => boolean {
  const wanted = query.toLowerCase().replace(/^\//, '')
  if (!/[*?]/.test(wanted)) return (path) => path.includes(wanted)
  const whole = wanted.includes('/')
  // Most names differ in what follows the last star.
  const end = wanted.slice(Math.max(wanted.lastIndexOf('*'), wanted.lastIndexOf('?')) + 1)
  return (path) => path.endsWith(end) && matchesPattern(wanted, whole ? path : path.slice(path.lastIndexOf('/') + 1))
}

/** Only the last star is ever tried anew: at worst the product of both lengths. */
function matchesPattern(pattern: string, text: string): boolean {
  let [p, t, star, mark] = [0, 0, -1, 0]
  while (t < text.length) {
    if (p < pattern.length && pattern[p] === '*') {
      star = p++
      mark = t
    } else if (p < pattern.length && (pattern[p] === '?' || pattern[p] === text[t])) {
      p++
      t++
    } else if (star >= 0) {
      p = star + 1
      t = ++mark
    } else return false
  }
  while (pattern[p] === '*') p++
  return p === pattern.length
}
