/** The objects of uploaded contexts, as `context-api.ts` tells them; by itself, because the command line has no use for schemas. */

export const CONTEXT_LIMITS = { entries: 200_000, bytes: 2 * 1024 ** 3, depth: 200 } as const

export const OBJECTS_HEAD = 'slipway-objects-1\n'

/** Digests without `sha256:`; `mode` has permission bits only. */
export type TreeEntry = { name: string } & (
  | { kind: 'file'; mode: number; size: number; digest: string }
  | { kind: 'directory'; mode: number; digest: string }
  | { kind: 'symlink'; target: string }
)

const modeOf = (mode: number) => (mode & 0o7777).toString(8).padStart(3, '0')

function lineOf(entry: TreeEntry): string {
  if (entry.kind === 'file') return `f ${modeOf(entry.mode)} ${entry.size} ${entry.digest} ${entry.name}\0`
  if (entry.kind === 'directory') return `d ${modeOf(entry.mode)} ${entry.digest} ${entry.name}\0`
  return `l ${entry.name}\0${entry.target}\0`
}

/** The object of a directory, as `apps/agent/crates/build/src/contexts/object.rs` reads it. */
export function encodeTree(entries: readonly TreeEntry[]): string {
  const sorted = [...entries].sort((a, b) => compareUtf8(a.name, b.name))
  return `slipway-tree-1\n${sorted.map(lineOf).join('')}`
}

const SURROGATE = /[\ud800-\udfff]/

/** By the bytes of UTF-8, which sort as code points do; JavaScript compares UTF-16 units, where surrogates lie below some others. */
function compareUtf8(a: string, b: string): number {
  if (SURROGATE.test(a) || SURROGATE.test(b)) return compareCodePoints([...a], [...b])
  return a < b ? -1 : a > b ? 1 : 0
}

function compareCodePoints(a: string[], b: string[]): number {
  const at = a.findIndex((char, i) => char !== b[i])
  if (at < 0 || at >= b.length) return a.length - b.length
  return (a[at]?.codePointAt(0) ?? 0) - (b[at]?.codePointAt(0) ?? 0)
}
