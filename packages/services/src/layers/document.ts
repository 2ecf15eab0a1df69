import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { type LayerListing, layerListing, MAX_LAYER_LISTING_TEXT } from '@slipway/contracts'

/** A listing as it is kept in memory: about 150 bytes per entry. */
export interface LayerDocument {
  length: number
  paths: string[]
  kinds: string
  modes: Uint32Array
  uids: Uint32Array
  gids: Uint32Array
  sizes: Float64Array
  mtimes: Float64Array
  entries: Uint32Array
  links: Map<number, string>
  /** 16 bytes per entry; zeros where there is no content. */
  digests: Buffer
  packages: LayerListing['packages']
  notes: string[]
  /** Of files. */
  bytes: number
}

const unpack = promisify(gunzip)
const DIGEST = 16

/** As the agent gives it. */
export const readDocument = async (packed: Uint8Array): Promise<LayerDocument> => documentOf(layerListing.parse(await parse(packed)))

/** As `readDocument` found it good before it was kept: a third of the time is the looking. */
export const keptDocument = async (packed: Uint8Array): Promise<LayerDocument> => documentOf((await parse(packed)) as LayerListing)

async function parse(packed: Uint8Array): Promise<unknown> {
  const text = await unpack(packed, { maxOutputLength: MAX_LAYER_LISTING_TEXT })
  return JSON.parse(text.toString('utf8'))
}

function documentOf(listing: LayerListing): LayerDocument {
  const { length } = listing.paths
  const { digests, bytes } = contentOf(listing)
  // Of arrays these constructors are five times as fast as `from`, which takes anything that can be iterated.
  return {
    length,
    paths: listing.paths,
    kinds: listing.kinds,
    modes: new Uint32Array(listing.modes),
    uids: new Uint32Array(listing.uids),
    gids: new Uint32Array(listing.gids),
    sizes: new Float64Array(listing.sizes),
    mtimes: new Float64Array(listing.mtimes),
    entries: new Uint32Array(listing.entries),
    links: new Map(listing.links),
    digests,
    packages: listing.packages,
    notes: listing.notes,
    bytes,
  }
}

/** Digests at the place of their entry: copied in runs of entries that have one. */
function contentOf({ paths: { length }, kinds, sizes, digests: base64 }: LayerListing): { digests: Buffer; bytes: number } {
  const dense = Buffer.from(base64, 'base64')
  const digests = Buffer.alloc(length * DIGEST)
  let bytes = 0
  for (let at = 0, from = 0; at < length; ) {
    const begin = at
    for (; at < length && (kinds[at] === 'f' || kinds[at] === 'h'); at++) bytes += sizes[at] as number
    dense.copy(digests, begin * DIGEST, from, from + (at - begin) * DIGEST)
    from += (at - begin) * DIGEST
    for (; at < length && kinds[at] !== 'f' && kinds[at] !== 'h'; at++) bytes += sizes[at] as number
  }
  return { digests, bytes }
}

/** Whether two entries have the same content; false where either is not known. */
export function sameContent(a: LayerDocument, at: number, b: LayerDocument, bt: number): boolean {
  const [one, other] = [a.digests.subarray(at * DIGEST, (at + 1) * DIGEST), b.digests.subarray(bt * DIGEST, (bt + 1) * DIGEST)]
  return one.equals(other) && one.some((byte) => byte !== 0)
}

/** Row of a path that is a file, by halving: paths are sorted by their UTF-8 bytes, which for equal strings is enough to find one. */
export function rowOf(document: LayerDocument, path: string): number | undefined {
  const wanted = Buffer.from(path)
  let [low, high] = [0, document.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (Buffer.compare(Buffer.from(document.paths[middle] as string), wanted) < 0) low = middle + 1
    else high = middle
  }
  for (let at = low; document.paths[at] === path; at++) if (!'wo'.includes(document.kinds[at] as string)) return at
  return undefined
}
