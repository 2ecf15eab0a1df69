/** Which images, and which containers that run now, hold a layer, a package or a file. Everything by hashes and rows: no document is opened. */
import type { views } from '@slipway/contracts'
import {
  appsServing,
  countUnreadLayers,
  imagesWithLayers,
  indexesOf,
  layersWithNames,
  manifestsById,
  packageNames,
  packagesNamed,
} from '@slipway/db'
import type { Deps } from '../deps'
import { platformOf } from '../images/views'
import type { Scope } from '../scope'
import { Counted } from '../storage/counted'
import { baseName, hidersOf, pathName } from './names'
import type { FilesService } from './service'

/** What one layer holds of what was asked for. */
interface Holding {
  path: string | null
  version: string | null
  type: string | null
}
interface Use extends Holding {
  id: string
  digest: string
  position: number
  hidden: boolean
}

/** Rows of one name in the organization's layers; more would be no answer either. */
const MAX_ROWS = 5000
/** Hashes in one question: of 200 paths about ten directories deep. */
const MAX_NAMES = 4000

/** Milliseconds: of tens of thousands of images the count takes longer than the answer. */
const QUICK = 200

export const whereUsedMethod = (deps: Deps): FilesService['whereUsed'] => {
  const { db } = deps
  const unread = new Counted((organizationId) => countUnreadLayers(db, organizationId), QUICK)
  return async (scope, { kind, query, version, limit }) => {
    const { organizationId } = scope
    const holdings =
      kind === 'layer' ? layer(query) : kind === 'file' ? await file(deps, scope, query) : await packages(deps, scope, query, version)
    const [images, waiting] = await Promise.all([imagesWithLayers(db, organizationId, [...holdings.keys()]), unread.get(organizationId)])
    const paths = new Set([...holdings.values()].flat().flatMap(({ path }) => path ?? []))
    const hiders = await hidersOfPaths(deps, scope, paths)
    const uses = images.flatMap((image) => usesIn(image, holdings, hiders))
    const running = await runningImages(deps, scope, uses)
    const order = (use: Use) => (use.hidden ? 2 : running.has(use.digest) ? 0 : 1)
    uses.sort((a, b) => order(a) - order(b))
    return {
      total: uses.length,
      running: new Set(uses.filter((use) => !use.hidden && running.has(use.digest)).map((use) => use.digest)).size,
      items: await viewsOf(deps, scope, uses.slice(0, limit), running),
      suggestions: kind === 'package' ? await suggestions(deps, scope, query, holdings, uses) : [],
      waiting: waiting.value,
    }
  }
}

const layer = (query: string) =>
  new Map<string, Holding[]>([[query.includes(':') ? query : `sha256:${query}`, [{ path: null, version: null, type: null }]]])

/** With a slash: that path. Without: the name, wherever it is. */
async function file({ db }: Deps, { organizationId }: Scope, query: string): Promise<Map<string, Holding[]>> {
  const clean = query
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .join('/')
  const isPath = query.includes('/')
  const found = await layersWithNames(db, organizationId, [isPath ? pathName(clean) : baseName(clean)])
  return new Map(found.map(({ digest }) => [digest, [{ path: isPath ? clean : null, version: null, type: null }]]))
}

async function packages({ db }: Deps, { organizationId }: Scope, name: string, version: string | undefined) {
  const found = new Map<string, Holding[]>()
  for (const { digest, ...one } of await packagesNamed(db, organizationId, name, version, MAX_ROWS))
    found.set(digest, [...(found.get(digest) ?? []), one])
  return found
}

/** By path: the layers that hide it from those below. */
async function hidersOfPaths({ db }: Deps, { organizationId }: Scope, paths: Set<string>): Promise<Map<string, Set<string>>> {
  const names = new Map<bigint, string[]>()
  for (const path of paths) {
    if (names.size > MAX_NAMES) break
    for (const name of hidersOf(path)) names.set(name, [...(names.get(name) ?? []), path])
  }
  const hiders = new Map<string, Set<string>>()
  for (const { name, digest } of await layersWithNames(db, organizationId, [...names.keys()]))
    for (const path of names.get(name) ?? []) hiders.set(path, (hiders.get(path) ?? new Set()).add(digest))
  return hiders
}

/** One per package or file, from the topmost layer that holds it; hidden when only layers below an end of it do. */
function usesIn(
  image: { id: string; digest: string; layers: string[] },
  holdings: Map<string, Holding[]>,
  hiders: Map<string, Set<string>>,
): Use[] {
  const uses = new Map<string, Use>()
  for (const [position, digest] of image.layers.entries())
    for (const holding of holdings.get(digest) ?? []) {
      const ends = holding.path === null ? undefined : hiders.get(holding.path)
      const hidden = ends !== undefined && image.layers.slice(position + 1).some((above) => ends.has(above))
      const key = `${holding.path} ${holding.version}`
      const there = uses.get(key)
      if (!there || there.hidden || !hidden) uses.set(key, { ...holding, id: image.id, digest: image.digest, position, hidden })
    }
  // What is seen says more than what was replaced: an older version that the same file told of is not in the image.
  const all = [...uses.values()]
  return all.filter((use) => !use.hidden || !all.some((other) => !other.hidden && other.path === use.path))
}

async function runningImages({ db }: Deps, { organizationId }: Scope, uses: Use[]) {
  const digests = [...new Set(uses.map((use) => use.digest))]
  const indexes = await indexesOf(db, organizationId, digests)
  const serving = await appsServing(db, organizationId, [...digests, ...indexes.map((one) => one.index)])
  const running = new Map<string, views.UseView['runsIn']>()
  const add = (digest: string, of: string) => {
    const apps = serving.flatMap(({ slug, servingDeployment: one }) =>
      one?.imageDigest === of ? [{ app: slug, deployment: one.number, containers: one._count.containers }] : [],
    )
    if (apps.length > 0) running.set(digest, [...(running.get(digest) ?? []), ...apps])
  }
  for (const digest of digests) add(digest, digest)
  for (const { digest, index } of indexes) add(digest, index)
  return running
}

async function viewsOf(
  { db }: Deps,
  { organizationId }: Scope,
  uses: Use[],
  running: Map<string, views.UseView['runsIn']>,
): Promise<views.UseView[]> {
  const rows = new Map((await manifestsById(db, organizationId, [...new Set(uses.map((use) => use.id))])).map((row) => [row.id, row]))
  return uses.flatMap(({ id, position, path, version, type, hidden }) => {
    const row = rows.get(id)
    const layer = row?.layers[position]
    if (!row || !layer) return []
    return [
      {
        repository: row.repository.name,
        digest: row.digest,
        tags: row.tags.map((tag) => tag.name),
        platform: row.os ? platformOf(row) : null,
        pushedAt: row.createdAt,
        layer: { ...layer, size: Number(layer.size) },
        path: path === null ? null : `/${path}`,
        version,
        type,
        hidden,
        runsIn: hidden ? [] : (running.get(row.digest) ?? []),
      },
    ]
  })
}

/** Of a name that is found, its versions; of one that is not, the names that begin so. */
async function suggestions({ db }: Deps, { organizationId }: Scope, query: string, holdings: Map<string, Holding[]>, uses: Use[]) {
  if (holdings.size === 0) {
    const names = await packageNames(db, organizationId, query, 12)
    return names.map((name) => ({ name, version: null, images: null }))
  }
  const versions = new Map<string, Set<string>>()
  for (const use of uses)
    if (!use.hidden && use.version !== null) versions.set(use.version, (versions.get(use.version) ?? new Set()).add(use.digest))
  return [...versions]
    .map(([version, images]) => ({ name: query, version, images: images.size }))
    .sort((a, b) => b.images - a.images || (a.version < b.version ? -1 : 1))
    .slice(0, 20)
}
