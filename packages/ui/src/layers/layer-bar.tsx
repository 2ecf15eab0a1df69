'use client'
import { formatBytes } from '@slipway/core'
import { cn } from '../cn'
import { Tooltip } from '../tooltip'
import { layerWidths } from './widths'

export interface BarLayer {
  id: string
  size: number
  /** The Dockerfile step, or what is known instead. */
  label: string
  /** `base`: of the base image; `shared`: in other images too; `own`: only here. */
  kind: 'base' | 'shared' | 'own'
}

const FILLS = { base: 'bg-line-strong', shared: 'bg-cached', own: 'bg-run' }

/** The layers of an image as a bar to scale; pressing one selects it, pressing it again lets go. */
export function LayerBar({
  layers,
  selected,
  onSelect,
}: {
  layers: BarLayer[]
  selected: string | null
  onSelect: (id: string | null) => void
}) {
  const widths = layerWidths(layers.map((l) => l.size))
  return (
    <div role="group" aria-label="Layers to scale" className="flex h-[34px] gap-0.5">
      {layers.map((layer, index) => (
        <Tooltip
          key={layer.id}
          content={
            <span className="grid gap-0.5">
              <span className="line-clamp-3 break-all font-mono">{layer.label}</span>
              <span className="num">{formatBytes(layer.size)}</span>
            </span>
          }
        >
          <button
            type="button"
            aria-pressed={selected === layer.id}
            aria-label={`Layer ${index + 1}, ${formatBytes(layer.size)}, ${layer.label}`}
            onClick={() => onSelect(selected === layer.id ? null : layer.id)}
            style={{ flex: `${widths[index] ?? 1} 1 0` }}
            className={cn(
              'min-w-1 rounded-[4px] transition-opacity duration-120',
              FILLS[layer.kind],
              selected === layer.id && 'outline-2 outline-crit outline-offset-2',
              selected !== null && selected !== layer.id && 'opacity-60',
            )}
          />
        </Tooltip>
      ))}
    </div>
  )
}
