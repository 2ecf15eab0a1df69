import type { views } from '@slipway/contracts'
import { AppError } from '@slipway/core'
import type { LayerDocument } from './document'
import { type Hidden, kindOf, type Node, type Tree } from './tree'

const NAMES: Record<string, views.FileKind> = { f: 'file', h: 'file', d: 'directory', l: 'symlink', c: 'device', b: 'device', p: 'pipe' }
export const fileKind = (letter: string): views.FileKind => NAMES[letter] ?? 'file'

export function view(tree: Tree, path: string, row: Node | Hidden): views.FileView {
  const document = tree.layers[row.layer] as LayerDocument
  const [implied, at, letter] = [row.row < 0, row.row, kindOf(tree, row)]
  const seconds = implied ? 0 : (document.mtimes[at] as number)
  const isFolder = 'children' in row && row.children !== null
  return {
    name: row.name,
    path,
    kind: letter === 'd' || (isFolder && letter !== 'l') ? 'directory' : fileKind(letter),
    size: 'size' in row ? row.size : implied ? 0 : (document.sizes[at] as number),
    mode: implied ? null : (document.modes[at] as number),
    uid: implied ? null : (document.uids[at] as number),
    gid: implied ? null : (document.gids[at] as number),
    // The oldest and newest times that a Date has are beyond what a layer's page needs.
    modifiedAt: implied || seconds <= 0 || seconds > 8e12 ? null : new Date(seconds * 1000),
    link: implied ? null : (document.links.get(at) ?? null),
    hardLink: letter === 'h',
    layer: row.layer,
    hiddenBy: 'by' in row ? row.by : null,
  }
}

export const noFile = (path: string) =>
  new AppError({
    kind: 'not-found',
    code: 'FILE_NOT_FOUND',
    message: `This image has no /${path.slice(0, 300)}. A layer may have removed it: show hidden files to look for it.`,
  })
