import type { ImageConfigFile } from './image-config'
import type { Descriptor } from './manifest'

export interface LayerWithStep {
  /** 0 is the lowest layer. */
  position: number
  digest: string
  mediaType: string
  /** Bytes as stored and sent. */
  size: number
  /** Digest of the uncompressed tar, when the config tells. */
  diffId?: string
  /** The history's `created_by`: the Dockerfile step that made this layer. */
  createdBy?: string
  madeAt?: Date
}

/**
 * Pairs the manifest's layers with the history entries that are not `empty_layer`, in order, from the base upwards.
 * History is optional and sometimes shorter or longer than the layers (squashed or rebased images). When the counts
 * differ nothing is guessed: layers keep their diff id but no step.
 */
export function pairLayers(layers: readonly Descriptor[], config: ImageConfigFile | undefined): LayerWithStep[] {
  const made = (config?.history ?? []).filter((entry) => !entry.empty_layer)
  const trusted = made.length === layers.length
  const diffIds = config?.rootfs?.diff_ids ?? []
  return layers.map((layer, position) => {
    const step = trusted ? made[position] : undefined
    const diffId = diffIds.length === layers.length ? diffIds[position] : undefined
    const madeAt = step?.created === undefined ? undefined : new Date(step.created)
    return {
      position,
      digest: layer.digest,
      mediaType: layer.mediaType,
      size: layer.size,
      ...(diffId === undefined ? {} : { diffId }),
      ...(step?.created_by ? { createdBy: step.created_by } : {}),
      ...(madeAt && !Number.isNaN(madeAt.getTime()) ? { madeAt } : {}),
    }
  })
}
