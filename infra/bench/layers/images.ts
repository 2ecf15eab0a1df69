/** Rows of images whose layers are read, as the worker writes them: what the panel asks, without a blob. */
import type { LayerListing } from '@slipway/contracts'
import type { Db } from '@slipway/db'
import { imageOf, readLayer } from '@slipway/services/testing'
import { directoryOf } from './archive'

const BASES = 5
const MIDDLES = 50
const REPOSITORIES = 40
/** Together 100,000 in each image: most in a base that two hundred share, some in a layer that twenty share, few of its own. */
const ENTRIES = { base: 84_000, middle: 15_800, own: 200 }

/** Each in a repository of forty, with the tag `1.<number>`. */
export async function fillLayers(db: Db, organizationId: string, images: number): Promise<void> {
  const bases: string[] = []
  for (let n = 0; n < BASES; n++) bases.push(await readLayer(db, base(n)))
  const middles: string[] = []
  for (let n = 0; n < MIDDLES; n++) middles.push(await readLayer(db, middle(n)))
  for (let n = 0; n < images; n++) {
    const layers = [bases[n % BASES] as string, middles[n % MIDDLES] as string, await readLayer(db, own(n))]
    await imageOf(db, organizationId, `team/service-${n % REPOSITORIES}`, layers, { tag: `1.${n}` })
  }
  // As autovacuum does after a while.
  await db.$executeRaw`VACUUM ANALYZE`
}

function base(n: number): LayerListing {
  const status = 'var/lib/dpkg/status'
  const paths = Array.from({ length: ENTRIES.base - 1 }, (_, at) => `${directoryOf(at)}/file-${at}.js`)
  const packages = Array.from({ length: 400 }, (_, i) => packageOf('deb', `library-${i}`, `1.${i}-${n}`, status))
  return listing([...paths, status], n, packages)
}

/** Brings files of its own, and some of the base's anew. */
function middle(n: number): LayerListing {
  const anew = Array.from({ length: 800 }, (_, at) => `${directoryOf(at * 97)}/file-${at * 97}.js`)
  const modules = Array.from({ length: 300 }, (_, i) => `srv/part-${n % 10}/node_modules/module-${i}/package.json`)
  const paths = Array.from({ length: ENTRIES.middle - anew.length - modules.length }, (_, at) => `opt/part-${n}/${at % 100}/data-${at}.bin`)
  const packages = modules.map((path, i) => packageOf('npm', `module-${i}`, `${n % 7}.0.${i}`, path))
  return listing([...anew, ...modules, ...paths], 100 + n, packages)
}

const own = (n: number): LayerListing =>
  listing(
    Array.from({ length: ENTRIES.own }, (_, at) => (at === 0 ? 'app/server' : `app/${n}/asset-${at}.png`)),
    1000 + n,
  )

const packageOf = (type: string, name: string, version: string, path: string) => ({ type, name, version, licence: 'MIT', path })

/** Files alone; `mark` tells their content from that of the same paths elsewhere. */
function listing(paths: string[], mark: number, packages: LayerListing['packages'] = []): LayerListing {
  const sorted = paths.map((path) => [path, Buffer.from(path)] as const).sort(([, a], [, b]) => Buffer.compare(a, b))
  const column = (value: (at: number) => number) => sorted.map((_, at) => value(at))
  const digests = Buffer.alloc(sorted.length * 16)
  for (const at of sorted.keys()) {
    digests.writeUInt32BE(mark + 1, at * 16)
    digests.writeUInt32BE(at, at * 16 + 4)
  }
  return {
    v: 1,
    paths: sorted.map(([path]) => path),
    kinds: 'f'.repeat(sorted.length),
    modes: column(() => 0o644),
    uids: column(() => 0),
    gids: column(() => 0),
    sizes: column((at) => (at * 7919) % 4096),
    mtimes: column(() => 1_700_000_000),
    entries: column((at) => at),
    links: [],
    digests: digests.toString('base64'),
    packages,
    notes: [],
  }
}
