import type { views } from '@slipway/contracts'
import { layerHolders, manifestsByDigest, type Tx } from '@slipway/db'

/** Size, layers and how many of them other images of the organization hold too, for each digest that is in our registry. */
export async function imageFacts(db: Tx, organizationId: string, digests: string[]) {
  if (digests.length === 0) return new Map<string, Omit<views.ImageRefView, 'repository'>>()
  const manifests = await manifestsByDigest(db, organizationId, digests)
  const holders = await layerHolders(
    db,
    organizationId,
    manifests.flatMap((manifest) => manifest.layers.map((layer) => layer.digest)),
  )
  return new Map(
    manifests.map(({ digest, totalSize, layers }) => [
      digest,
      {
        digest,
        size: Number(totalSize),
        // An index has none of its own.
        layers: layers.length || null,
        sharedLayers: layers.filter((layer) => (holders.get(layer.digest) ?? 0) > 1).length,
      },
    ]),
  )
}
