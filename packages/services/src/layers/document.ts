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

export async function readDocument(packed: Uint8Array): Promise<LayerDocument> {
  const text = await unpack(packed, { maxOutputLength: MAX_LAYER_LISTING_TEXT })
  const listing = layerListing.parse(JSON.parse(text.toString('utf8')))
  const { length } = listing.paths
  const dense = Buffer.from(listing.digests, 'base64')
  const digests = Buffer.alloc(length * DIGEST)
  let bytes = 0
  for (let at = 0, from = 0; at < length; at++) {
    bytes += listing.sizes[at] as number
    if (listing.kinds[at] !== 'f' && listing.kinds[at] !== 'h') continue
    dense.copy(digests, at * DIGEST, from, from + DIGEST)
    from += DIGEST
  }
  return {
    length,
    paths: listing.paths,
    kinds: listing.kinds,
    modes: Uint32Array.from(listing.modes),
    uids: Uint32Array.from(listing.uids),
    gids: Uint32Array.from(listing.gids),
    sizes: Float64Array.from(listing.sizes),
    mtimes: Float64Array.from(listing.mtimes),
    entries: Uint32Array.from(listing.entries),
    links: new Map(listing.links),
    digests,
    packages: listing.packages,
    notes: listing.notes,
    bytes,
  }
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
