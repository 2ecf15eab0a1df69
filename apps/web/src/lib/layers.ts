import type { views } from '@slipway/contracts'
import type { BarLayer } from '@slipway/ui'

/** Where a layer comes from, as far as the image itself tells: others hold it too, or only this one does. */
export function barLayers(layers: views.LayerView[]): BarLayer[] {
  // Layers are stacked: what lies beneath a layer that others hold was there before this image's own began.
  const lastShared = layers.findLastIndex((l) => l.sharedBy > 0)
  return layers.map((layer, index) => ({
    id: String(layer.position),
    size: layer.size,
    label: instructionOf(layer),
    kind: layer.sharedBy === 0 ? 'own' : index === 0 && lastShared >= 0 ? 'base' : 'shared',
  }))
}

/** `created_by` without what the builder put around the instruction. */
export function instructionOf(layer: Pick<views.LayerView, 'createdBy'>): string {
  if (!layer.createdBy) return 'not recorded'
  return layer.createdBy
    .replace(/^\/bin\/sh -c #\(nop\)\s+/, '')
    .replace(/^(?:RUN )?\/bin\/sh -c /, 'RUN ')
    .replace(/\s+# buildkit$/, '')
    .trim()
}
