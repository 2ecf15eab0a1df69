import { formatBytes, formatDuration, type StepState } from '@slipway/core'
import { Ban, CircleX, type LucideIcon, RotateCw } from 'lucide-react'
import { cn } from '../cn'

export interface GraphVertex {
  id: string
  lane: string
  /** The instruction: `RUN npm ci`. */
  label: string
  state: StepState
  inputs: string[]
  /** Milliseconds since the build began. */
  start: number
  end: number
  /** Why it did not come from the cache. */
  reason?: string | null
  /** Bytes of the layer it made. */
  size?: number | null
  /** What else is known, each in a few words. */
  details?: string[]
}

export const WORDS: Partial<Record<StepState, string>> = {
  cached: 'from the cache',
  done: 'ran',
  running: 'running',
  failed: 'failed',
  canceled: 'canceled',
}
const ICONS: Partial<Record<StepState, { icon: LucideIcon; tone: string }>> = {
  running: { icon: RotateCw, tone: 'text-busy' },
  failed: { icon: CircleX, tone: 'text-fail' },
  canceled: { icon: Ban, tone: 'text-ink-3' },
}

const BARS: Partial<Record<StepState, string>> = { failed: 'bg-fail', canceled: 'bg-ink-3' }

export const tookOf = (v: GraphVertex) => formatDuration(v.end - v.start)

/** In one sentence, for those who hear the graph. */
export const spoken = (v: GraphVertex, critical: boolean) =>
  [v.label, WORDS[v.state], tookOf(v), v.size ? formatBytes(v.size) : null, critical ? 'on the critical path' : null]
    .filter(Boolean)
    .join(', ')

/** All that is known of a vertex, on hover and on focus. */
export function VertexTip({ vertex: v, critical }: { vertex: GraphVertex; critical: boolean }) {
  return (
    <span className="grid gap-1">
      <span className="line-clamp-4 break-all font-mono">{v.label}</span>
      <span className="num">
        {WORDS[v.state]} · {tookOf(v)}
        {critical && ' · on the critical path'}
      </span>
      {v.reason && <span className="line-clamp-6 break-words">Not from the cache: {v.reason}</span>}
      {v.details && v.details.length > 0 && <span className="num">{v.details.join(' · ')}</span>}
    </span>
  )
}

/** A vertex as a row, where there is no room for a time axis. */
export function VertexRow({
  vertex: v,
  critical,
  totalMs,
  onSelect,
}: {
  vertex: GraphVertex
  critical: boolean
  totalMs: number
  onSelect?: ((id: string) => void) | undefined
}) {
  const state = ICONS[v.state]
  const Icon = state?.icon
  const left = totalMs > 0 ? Math.min(99, (v.start / totalMs) * 100) : 0
  return (
    <button type="button" onClick={() => onSelect?.(v.id)} className="grid w-full grid-cols-[minmax(0,1fr)] gap-1 py-1.5 text-left">
      <span className="flex items-center gap-2">
        {Icon ? (
          <Icon className={cn('size-3.5 shrink-0', state.tone)} aria-hidden />
        ) : (
          <span
            className={cn('mx-px size-3 shrink-0 rounded-[3px] bg-run', critical && 'shadow-[inset_0_-3px_0_var(--crit-edge)]')}
            aria-hidden
          />
        )}
        <span className="min-w-0 flex-1 truncate font-mono text-[11.5px]">{v.label}</span>
        {v.size ? <span className="num shrink-0 text-ink-3">{formatBytes(v.size)}</span> : null}
        <span className="num min-w-14 shrink-0 whitespace-nowrap text-right">{tookOf(v)}</span>
        <span className="sr-only">
          {WORDS[v.state]}
          {critical && ', on the critical path'}
        </span>
      </span>
      <span className="relative h-1 overflow-hidden rounded-full bg-sunken" aria-hidden>
        <span
          className={cn('absolute inset-y-0 rounded-full', BARS[v.state] ?? (critical ? 'bg-crit-edge' : 'bg-run'))}
          style={{ left: `${left}%`, width: `${Math.max(1, totalMs > 0 ? ((v.end - v.start) / totalMs) * 100 : 0)}%` }}
        />
      </span>
    </button>
  )
}
