/**
 * The inverted index of layers: 64-bit hashes of what a layer has and of what it hides. A question is a few hashes; Postgres
 * tells the layers that hold them without anybody opening a document.
 *
 *   path of a file   `/etc/passwd`        every entry but directories
 *   its name         `passwd`             the same
 *   what is removed  `-/var/lib/apt`      whiteouts
 *   what is covered  `=/var/lib/apt`      opaque directories: everything of lower layers below
 */
import { createHash } from 'node:crypto'
import type { LayerDocument } from './document'

export const pathName = (path: string) => hash(`/${path}`)
export const baseName = (name: string) => hash(name)

function hash(text: string): bigint {
  return createHash('sha256').update(text).digest().readBigInt64BE(0)
}

/** Entries between two turns of the event loop. */
const PIECE = 5000

/** Each once, sorted. */
export async function namesOf(document: LayerDocument): Promise<bigint[]> {
  const found = new Set<bigint>()
  for (let at = 0; at < document.length; at++) {
    if (at % PIECE === PIECE - 1) await new Promise((resolve) => setImmediate(resolve))
    const path = document.paths[at] as string
    const kind = document.kinds[at]
    if (kind === 'w') found.add(hash(`-/${path}`))
    else if (kind === 'o') found.add(hash(`=/${path}`))
    else if (kind !== 'd') {
      found.add(pathName(path))
      found.add(baseName(path.slice(path.lastIndexOf('/') + 1)))
    }
  }
  return Array.from(BigInt64Array.from(found).sort())
}

/** What a layer above must hold for the path to be out of sight: the path itself, or an end of one of its directories. */
export function hidersOf(path: string): bigint[] {
  const found = [pathName(path), hash(`-/${path}`), hash('=/')]
  for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) {
    const above = path.slice(0, end)
    found.push(hash(`-/${above}`), hash(`=/${above}`), pathName(above))
  }
  return found
}
