import type { views } from '@slipway/contracts'
import { find, type Tree } from './tree'

const SHOWN = 5000

type Package = views.PackageView & { type: string; layer: number }

/** What the files that are seen tell: a database that a layer above brings anew counts there alone. */
export function allPackages(tree: Tree): Package[] {
  const found: Package[] = []
  const seen = new Map<string, number | undefined>()
  for (const [layer, document] of tree.layers.entries()) {
    seen.clear()
    for (const { type, name, version, licence, path } of document?.packages ?? []) {
      if (!seen.has(path)) seen.set(path, find(tree, path)?.layer)
      if (seen.get(path) === layer)
        found.push({ type, name, version: version || null, license: licence, purl: null, path: `/${path}`, layer })
    }
  }
  return found.sort((a, b) => compare(a.name, b.name) || compare(a.type, b.type) || compare(a.version ?? '', b.version ?? ''))
}

export function packagesOf(tree: Tree): views.LayerPackagesView {
  const all = allPackages(tree)
  const counts = new Map<string, number>()
  for (const { type } of all) counts.set(type, (counts.get(type) ?? 0) + 1)
  return {
    packages: all.slice(0, SHOWN),
    total: all.length,
    types: [...counts].map(([type, count]) => ({ type, count })).sort((a, b) => b.count - a.count || compare(a.type, b.type)),
    notes: tree.layers.flatMap((document) => document?.notes ?? []).slice(0, 20),
  }
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)
