/**
 * The layers of an image put on each other, as overlayfs shows them: OCI image-spec, layer.md "Applying Changesets". What a layer
 * removes or replaces is remembered with the layer that did it.
 */
import { type LayerDocument, sameContent } from './document'

export interface Node {
  name: string
  /** Layer and row of the entry; -1: a directory that only its children tell of. */
  layer: number
  row: number
  children: Map<string, Node> | null
  /** Of all files that are seen in it. */
  size: number
}

/** An entry that a layer above hides. */
export interface Hidden {
  name: string
  parent: string
  layer: number
  row: number
  by: number
  how: 'removed' | 'replaced' | 'same'
}

export interface Tree {
  layers: (LayerDocument | null)[]
  root: Node
  /** By the path of the directory they were in. */
  hidden: Map<string, Hidden[]>
  files: number
  directories: number
  bytes: number
  wasted: number
  wastedFiles: number
  /** What it takes in memory, about; its layers included. */
  weight: number
}

const newNode = (name: string, layer: number, row: number, directory: boolean): Node => ({
  name,
  layer,
  row,
  children: directory ? new Map() : null,
  size: 0,
})
const turn = () => new Promise((resolve) => setImmediate(resolve))
const PIECE = 20_000

export const kindOf = ({ layers }: Tree, { layer, row }: { layer: number; row: number }): string =>
  row < 0 ? 'd' : ((layers[layer] as LayerDocument).kinds[row] as string)

/** `null` stands for a layer that could not be read: what it holds is missing. */
export async function mergeLayers(layers: (LayerDocument | null)[]): Promise<Tree> {
  const tree: Tree = {
    layers,
    root: newNode('', 0, -1, true),
    hidden: new Map(),
    files: 0,
    directories: 0,
    bytes: 0,
    wasted: 0,
    wastedFiles: 0,
    weight: 0,
  }
  for (const [position, document] of layers.entries()) {
    if (!document) continue
    // What it hides first: never what the layer itself brings.
    for (let row = 0; row < document.length; row++) {
      const kind = document.kinds[row]
      if (kind === 'w') remove(tree, document.paths[row] as string, position)
      else if (kind === 'o') {
        const path = document.paths[row] as string
        const directory = path === '' ? tree.root : find(tree, path)
        if (directory) clear(tree, directory, path, position)
      }
    }
    // Rows come in the order of their paths: most are in the directory of the one before.
    let parent: Parent = { path: '', node: tree.root }
    for (let row = 0; row < document.length; row++) {
      if (row % PIECE === PIECE - 1) await turn()
      if (document.kinds[row] !== 'w' && document.kinds[row] !== 'o') parent = place(tree, document, position, row, parent)
    }
    tree.weight += document.length * 260 + document.digests.length
    await turn()
  }
  measure(tree, tree.root)
  return tree
}

export function find(tree: Tree, path: string): Node | undefined {
  let node: Node | undefined = tree.root
  if (path === '') return node
  for (const part of path.split('/')) node = node?.children?.get(part)
  return node
}

interface Parent {
  path: string
  node: Node
}

/** Gives the directory that it is in. `last`: the one before, which nothing has replaced since. */
function place(tree: Tree, document: LayerDocument, layer: number, row: number, last: Parent): Parent {
  const whole = document.paths[row] as string
  const slash = whole.lastIndexOf('/')
  const path = slash < 0 ? '' : whole.slice(0, slash)
  const name = whole.slice(slash + 1)
  const parent = path === last.path ? last.node : directoryFor(tree, path === '' ? [] : path.split('/'), layer)
  const isDirectory = document.kinds[row] === 'd'
  const there = parent.children?.get(name)
  if (there?.children && isDirectory) {
    there.layer = layer
    there.row = row
    return { path, node: parent }
  }
  if (there && there.layer !== layer) {
    const same =
      kindOf(tree, there) === document.kinds[row] && sameContent(tree.layers[there.layer] as LayerDocument, there.row, document, row)
    hide(tree, there, path, layer, same ? 'same' : 'replaced')
  }
  parent.children?.set(name, newNode(name, layer, row, isDirectory))
  return { path, node: parent }
}

/** Makes the directories that the layer implies; of a lower layer's file in their way nothing is seen. */
function directoryFor(tree: Tree, parts: string[], layer: number): Node {
  let node = tree.root
  for (const [depth, part] of parts.entries()) {
    let next = node.children?.get(part)
    if (!next?.children) {
      // In one layer, a link that stands for a directory keeps what is written through it.
      if (next && next.layer === layer) next.children = new Map()
      else {
        if (next) hide(tree, next, parts.slice(0, depth).join('/'), layer, 'replaced')
        next = newNode(part, layer, -1, true)
        node.children?.set(part, next)
      }
    }
    node = next
  }
  return node
}

function remove(tree: Tree, path: string, by: number): void {
  const slash = path.lastIndexOf('/')
  const above = slash < 0 ? '' : path.slice(0, slash)
  const parent = find(tree, above)
  const node = parent?.children?.get(path.slice(slash + 1))
  if (!parent || !node) return
  hide(tree, node, above, by, 'removed')
  parent.children?.delete(node.name)
}

function clear(tree: Tree, directory: Node, path: string, by: number): void {
  for (const child of directory.children?.values() ?? []) hide(tree, child, path, by, 'removed')
  directory.children?.clear()
}

function hide(tree: Tree, top: Node, parent: string, by: number, how: Hidden['how']): void {
  const open: [Node, string][] = [[top, parent]]
  for (let next = open.pop(); next; next = open.pop()) {
    const [node, above] = next
    const { name, layer, row } = node
    const list = tree.hidden.get(above)
    const hidden: Hidden = { name, parent: above, layer, row, by, how: node === top ? how : 'removed' }
    if (list) list.push(hidden)
    else tree.hidden.set(above, [hidden])
    if (kindOf(tree, node) === 'f') {
      tree.wasted += (tree.layers[layer] as LayerDocument).sizes[row] as number
      tree.wastedFiles += 1
    }
    if (node.children) for (const child of node.children.values()) open.push([child, above === '' ? name : `${above}/${name}`])
  }
}

/** Sizes of directories from below; the depth is that of a path of at most 4,095 bytes. */
function measure(tree: Tree, node: Node): number {
  if (node.row >= 0 && kindOf(tree, node) === 'f') node.size = (tree.layers[node.layer] as LayerDocument).sizes[node.row] as number
  if (!node.children) {
    tree.files += 1
    tree.bytes += node.size
    return node.size
  }
  if (node !== tree.root) tree.directories += 1
  for (const child of node.children.values()) node.size += measure(tree, child)
  return node.size
}

/** All that is seen, without or with directories, with their paths; in no order. */
export const filesOf = (tree: Tree, directories = false): Generator<[string, Node]> => filesBelow(tree.root, '', directories)

export function* filesBelow(top: Node, at: string, directories = false): Generator<[string, Node]> {
  const open: [Node, string][] = [[top, at]]
  for (let next = open.pop(); next; next = open.pop()) {
    const [node, path] = next
    for (const child of node.children?.values() ?? []) {
      const below = path === '' ? child.name : `${path}/${child.name}`
      if (child.children) open.push([child, below])
      if (directories || !child.children) yield [below, child]
    }
  }
}
