'use client'
import { formatBytes } from '@slipway/core'
import { cn, Tooltip } from '@slipway/ui'
import { barWidths } from '@/lib/bar-widths'

export interface Part {
  id: string
  label: string
  bytes: number
  /** Beside the bytes: `12 layers`. */
  detail?: string
  fill: keyof typeof FILLS
}

/** `loose` is what goes by itself: an outline with stripes, as nothing else has. */
const FILLS = {
  own: 'bg-run',
  shared: 'bg-cached',
  quiet: 'bg-line-strong',
  loose: 'border border-line-strong bg-[repeating-linear-gradient(135deg,var(--line-strong)_0_1.5px,transparent_1.5px_6px)] bg-surface',
}

/** Bytes as a bar to scale with what each part is below it; a part of nothing is only named. */
export function UseBar({ label, parts, className }: { label: string; parts: Part[]; className?: string }) {
  const shown = parts.filter((part) => part.bytes > 0)
  const widths = barWidths(shown.map((part) => part.bytes))
  return (
    <div className={cn('grid gap-4', className)}>
      <div role="group" aria-label={label} className="flex h-[34px] gap-0.5">
        {shown.length === 0 && <div className="flex-1 rounded-[4px] bg-sunken" />}
        {shown.map((part, index) => (
          <Tooltip key={part.id} content={`${part.label}: ${formatBytes(part.bytes)}`}>
            <div className={cn('min-w-1 rounded-[4px]', FILLS[part.fill])} style={{ flex: `${widths[index] ?? 1} 1 0` }} />
          </Tooltip>
        ))}
      </div>
      <dl className="grid grid-cols-2 gap-x-5 gap-y-3 sm:grid-cols-3 lg:grid-cols-5">
        {parts.map((part) => (
          <div key={part.id} className="min-w-0">
            <dt className="flex items-center gap-2 text-ink-2 text-xs">
              <span className={cn('size-2.5 shrink-0 rounded-[3px]', FILLS[part.fill])} aria-hidden />
              <span className="min-w-0">{part.label}</span>
            </dt>
            <dd className="num mt-0.5 font-medium text-base">
              {formatBytes(part.bytes)}
              {part.detail && <span className="ml-1.5 font-normal text-ink-3 text-xs">{part.detail}</span>}
            </dd>
          </div>
        ))}
      </dl>
    </div>
  )
}

/** A thin bar in a row, to the scale of the largest one. */
export function RowBar({ parts, of }: { parts: { bytes: number; fill: Part['fill'] }[]; of: number }) {
  return (
    <div className="flex h-2 gap-px" aria-hidden>
      {parts
        .filter((part) => part.bytes > 0)
        .map((part) => (
          <div
            key={part.fill}
            className={cn('min-w-0.5 rounded-[2px]', FILLS[part.fill])}
            style={{ width: `${(part.bytes / Math.max(1, of)) * 100}%` }}
          />
        ))}
    </div>
  )
}
