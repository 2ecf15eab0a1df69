/** Which images, and which containers that run now, hold a layer, a package or a file. Everything by hashes and rows: no document is opened. */
import type { views } from '@slipway/contracts'
import {
  appsServing,
  childrenOfIndexes,
  countUnreadLayers,
  type LayerHider,
  type LayerHolding,
  layersWithNames,
  manifestsById,
  packageNames,
  packagesNamed,
  type UseRow,
  usesOfLayers,
} from '@slipway/db'
import type { Deps } from '../deps'
import { platformOf } from '../images/views'
import type { Scope } from '../scope'
import { Counted } from '../storage/counted'
import { baseName, hidersOf, pathName } from './names'
import type { FilesService } from './service'

/** Rows of one name in the organization's layers; more would be no answer either. */
const MAX_ROWS = 5000
/** Hashes in one question: of 200 paths about ten directories deep. */
const MAX_NAMES = 4000

/** Milliseconds: whoever waits for layers to be read is told how many are left. */
const QUICK = 200
/** That so many are not read yet says as much as their number would. */
const MANY_UNREAD = 1000

export const whereUsedMethod = (deps: Deps): FilesService['whereUsed'] => {
  const { db } = deps
  const unread = new Counted((organizationId) => countUnreadLayers(db, organizationId, MANY_UNREAD), QUICK)
  return async (scope, { kind, query, version, cursor, limit }) => {
    const { organizationId } = scope
    const holding = async () =>
      kind === 'layer'
        ? layer(query)
        : kind === 'file'
          ? file(deps, scope, query)
          : packagesNamed(db, organizationId, query, version, MAX_ROWS)
    const [held, running, waiting] = await Promise.all([holding(), runningImages(deps, scope), unread.get(organizationId)])
    const hiders = await hidersOfPaths(deps, scope, new Set(held.flatMap(({ path }) => path ?? [])))
    const uses = await usesOfLayers(db, organizationId, held, hiders, { running: [...running.keys()], cursor, limit })
    return {
      total: uses.total,
      running: uses.running,
      items: await viewsOf(deps, scope, uses.rows, running),
      next: uses.next,
      suggestions: kind === 'package' ? await suggestions(deps, scope, query, held.length > 0, uses.versions) : [],
      waiting: waiting.value,
    }
  }
}

const layer = (query: string): LayerHolding[] => [
  { digest: query.includes(':') ? query : `sha256:${query}`, path: null, version: null, type: null },
]

/** With a slash: that path. Without: the name, wherever it is. */
async function file({ db }: Deps, { organizationId }: Scope, query: string): Promise<LayerHolding[]> {
  const clean = query
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .join('/')
  const isPath = query.includes('/')
  const found = await layersWithNames(db, organizationId, [isPath ? pathName(clean) : baseName(clean)])
  return found.map(({ digest }) => ({ digest, path: isPath ? clean : null, version: null, type: null }))
}

/** The layers that hide a path from those below. */
async function hidersOfPaths({ db }: Deps, { organizationId }: Scope, paths: Set<string>): Promise<LayerHider[]> {
  const names = new Map<bigint, string[]>()
  for (const path of paths) {
    if (names.size > MAX_NAMES) break
    for (const name of hidersOf(path)) names.set(name, [...(names.get(name) ?? []), path])
  }
  const found = await layersWithNames(db, organizationId, [...names.keys()])
  return found.flatMap(({ name, digest }) => (names.get(name) ?? []).map((path) => ({ path, digest })))
}

/** By digest, what serves it: apps run an image, or an index that names it. */
async function runningImages({ db }: Deps, { organizationId }: Scope): Promise<Map<string, views.UseView['runsIn']>> {
  const serving = await appsServing(db, organizationId)
  const running = new Map<string, views.UseView['runsIn']>()
  const add = (digest: string, run: views.UseView['runsIn']) => running.set(digest, [...(running.get(digest) ?? []), ...run])
  for (const { slug, servingDeployment: one } of serving)
    if (one?.imageDigest) add(one.imageDigest, [{ app: slug, deployment: one.number, containers: one._count.containers }])
  for (const { digest, index } of await childrenOfIndexes(db, organizationId, [...running.keys()])) add(digest, running.get(index) ?? [])
  return running
}

async function viewsOf(
  { db }: Deps,
  { organizationId }: Scope,
  uses: UseRow[],
  running: Map<string, views.UseView['runsIn']>,
): Promise<views.UseView[]> {
  const rows = new Map((await manifestsById(db, organizationId, [...new Set(uses.map((use) => use.id))])).map((row) => [row.id, row]))
  return uses.flatMap(({ id, position, path, version, type, hidden }) => {
    const row = rows.get(id)
    const layer = row?.layers.find((one) => one.position === position)
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
async function suggestions(
  { db }: Deps,
  { organizationId }: Scope,
  query: string,
  isFound: boolean,
  versions: { version: string; images: number }[],
): Promise<views.WhereUsedView['suggestions']> {
  if (isFound) return versions.map(({ version, images }) => ({ name: query, version, images }))
  const names = await packageNames(db, organizationId, query, 12)
  return names.map((name) => ({ name, version: null, images: null }))
}
