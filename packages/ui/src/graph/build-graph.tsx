'use client'
import { formatDuration, type StepState } from '@slipway/core'
import { cn } from '../cn'
import { Tooltip } from '../tooltip'
import { criticalPath } from './critical-path'
import { placeLane, ticks } from './layout'

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
}

/** Narrower than this percentage a vertex could be neither seen nor pressed. */
const MINIMUM = 7
/** Narrower than this a label is a letter that says nothing; the tip has it. */
const READABLE = 3.6

const LOOKS: Partial<Record<StepState, string>> = {
  cached: 'hatched border border-cached text-ink-2 leading-5',
  done: 'bg-run text-accent-ink',
  running: 'bg-busy-soft text-busy shadow-[inset_0_0_0_1px_var(--busy)]',
  failed: 'bg-fail text-fail-ink',
  canceled: 'bg-hover text-ink-2',
}
const WORDS: Partial<Record<StepState, string>> = {
  cached: 'from the cache',
  done: 'ran',
  running: 'running',
  failed: 'failed',
  canceled: 'canceled',
}

/** Lanes per stage on a time axis: hatched = from the cache, solid = ran, orange edge = critical path. */
export function BuildGraph({ vertices, totalMs, onSelect }: { vertices: GraphVertex[]; totalMs: number; onSelect?: (id: string) => void }) {
  const drawn = vertices.filter((v) => v.state !== 'pending' && v.state !== 'skipped')
  const lanes = [...new Set(vertices.map((v) => v.lane))]
  const path = criticalPath(drawn.filter((v) => v.state !== 'canceled'))
  return (
    <div className="px-4 pt-2.5 pb-4 text-xs">
      {lanes.map((lane, index) => (
        <Lane
          key={lane}
          name={lane}
          first={index === 0}
          vertices={drawn.filter((v) => v.lane === lane).sort((a, b) => a.start - b.start || Number(a.id) - Number(b.id))}
          totalMs={totalMs}
          path={path}
          onSelect={onSelect}
        />
      ))}
      <Axis totalMs={totalMs} />
    </div>
  )
}

function Lane({
  name,
  first,
  vertices,
  totalMs,
  path,
  onSelect,
}: {
  name: string
  first: boolean
  vertices: GraphVertex[]
  totalMs: number
  path: Set<string>
  onSelect?: ((id: string) => void) | undefined
}) {
  const boxes = placeLane(vertices, totalMs, MINIMUM)
  return (
    <div
      className={cn(
        'grid grid-cols-1 items-center gap-1 py-1.5 md:h-[34px] md:grid-cols-[92px_minmax(0,1fr)] md:gap-0 md:py-0',
        !first && 'border-line border-t border-dashed',
      )}
    >
      <span className="truncate pr-2 font-mono text-ink-3 text-[11.5px]">{name}</span>
      <div className="relative h-[22px]">
        {vertices.map((v, i) => {
          const box = boxes[i]
          if (!box) return null
          const time = formatDuration(v.end - v.start)
          return (
            <Tooltip
              key={v.id}
              content={
                <span className="grid gap-0.5">
                  <span className="break-all font-mono">{v.label}</span>
                  <span className="num">
                    {WORDS[v.state]} · {time}
                    {path.has(v.id) && ' · on the critical path'}
                  </span>
                </span>
              }
            >
              <button
                type="button"
                onClick={() => onSelect?.(v.id)}
                aria-label={`${v.label}, ${WORDS[v.state]}, ${time}`}
                style={{ left: `${box.left}%`, width: `${box.width}%` }}
                className={cn(
                  'absolute top-0 h-[22px] overflow-hidden whitespace-nowrap rounded-[5px] px-1.75 text-left font-mono text-[11.5px] leading-[22px] transition-[left,width] duration-150',
                  LOOKS[v.state],
                  path.has(v.id) && v.state !== 'cached' && 'shadow-[inset_0_-3px_0_var(--crit-edge)]',
                )}
              >
                {box.width >= READABLE && v.label}
              </button>
            </Tooltip>
          )
        })}
      </div>
    </div>
  )
}

/** `1:40` */
const clock = (ms: number) => `${Math.floor(ms / 60_000)}:${String(Math.round((ms % 60_000) / 1000)).padStart(2, '0')}`

function Axis({ totalMs }: { totalMs: number }) {
  const marks = ticks(totalMs)
  const inSeconds = totalMs >= 1000
  const decimals = totalMs < 10_000 ? 1 : 0
  return (
    <div className="num relative h-6 border-line border-t font-mono text-[11px] text-ink-3 md:ml-[92px]" aria-hidden>
      {marks.map((at) => (
        <span key={at} className="absolute top-1.5" style={{ left: `${totalMs > 0 ? (at / totalMs) * 100 : 0}%` }}>
          {at === 0 ? '0' : totalMs >= 120_000 ? clock(at) : inSeconds ? (at / 1000).toFixed(decimals) : Math.round(at)}
        </span>
      ))}
      <span className="absolute top-1.5 right-0">{formatDuration(totalMs)}</span>
    </div>
  )
}

/** What the three looks mean; small, under the graph. */
export function BuildGraphKey() {
  return (
    <ul className="flex flex-wrap gap-x-4 gap-y-1 px-4 pb-3 text-ink-3 text-xs">
      <li className="flex items-center gap-1.5">
        <span className="hatched size-3 rounded-[3px] border border-cached" aria-hidden /> from the cache
      </li>
      <li className="flex items-center gap-1.5">
        <span className="size-3 rounded-[3px] bg-run" aria-hidden /> ran
      </li>
      <li className="flex items-center gap-1.5">
        <span className="size-3 rounded-[3px] bg-run shadow-[inset_0_-3px_0_var(--crit-edge)]" aria-hidden /> decided the time
      </li>
    </ul>
  )
}
