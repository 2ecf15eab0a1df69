'use client'
import { formatDuration, type StepState } from '@slipway/core'
import { type KeyboardEvent, useRef, useState } from 'react'
import { cn } from '../cn'
import { Tooltip } from '../tooltip'
import { criticalPath } from './critical-path'
import { foldCached } from './fold'
import { placeLane, ticks } from './layout'
import { type GraphVertex, spoken, VertexRow, VertexTip } from './vertex'

/** Narrower than this percentage a vertex could be neither seen nor pressed. */
const MINIMUM = 7
/** Pixels a vertex of the fullest lane needs; beyond the card's width the graph scrolls. */
const LEAST_PX = 14

const LOOKS: Partial<Record<StepState, string>> = {
  cached: 'hatched border border-cached text-ink-2 leading-5',
  done: 'bg-run text-accent-ink',
  running: 'bg-busy-soft text-busy shadow-[inset_0_0_0_1px_var(--busy)]',
  failed: 'bg-fail text-fail-ink',
  canceled: 'bg-hover text-ink-2',
}

interface GraphProps {
  vertices: GraphVertex[]
  totalMs: number
  onSelect?: (id: string) => void
}

/** Lanes per stage on a time axis: hatched = from the cache, solid = ran, orange edge = critical path. On a phone: a list. */
export function BuildGraph({ vertices, totalMs, onSelect }: GraphProps) {
  const drawn = vertices.filter((v) => v.state !== 'pending' && v.state !== 'skipped')
  const path = criticalPath(drawn.filter((v) => v.state !== 'canceled'))
  const lanes = [...new Set(vertices.map((v) => v.lane))].map((name) => ({
    name,
    vertices: drawn.filter((v) => v.lane === name).sort((a, b) => a.start - b.start || Number(a.id) - Number(b.id)),
  }))
  return (
    <>
      <Axes
        lanes={lanes.map((lane) => ({ ...lane, vertices: foldCached(lane.vertices) }))}
        totalMs={totalMs}
        path={path}
        onSelect={onSelect}
      />
      <div className="grid grid-cols-[minmax(0,1fr)] gap-3 px-4 py-3 text-xs md:hidden">
        {lanes.map((lane) => (
          <LaneList key={lane.name} lane={lane} totalMs={totalMs} path={path} onSelect={onSelect} />
        ))}
      </div>
    </>
  )
}

interface LaneOf {
  name: string
  vertices: GraphVertex[]
}
interface Drawing {
  totalMs: number
  path: Set<string>
  onSelect?: ((id: string) => void) | undefined
}

/** One stop for Tab; the arrows go from vertex to vertex and from lane to lane. */
function Axes({ lanes, ...drawing }: { lanes: LaneOf[] } & Drawing) {
  const box = useRef<HTMLDivElement>(null)
  const ids = lanes.map((lane) => lane.vertices.map((v) => v.id)).filter((lane) => lane.length > 0)
  const [at, setAt] = useState<string | null>(null)
  const current = ids.some((lane) => at !== null && lane.includes(at)) ? at : (ids[0]?.[0] ?? null)

  const onKeyDown = (event: KeyboardEvent) => {
    const next = neighbour(ids, current, event.key)
    if (next === null) return
    event.preventDefault()
    setAt(next)
    box.current?.querySelector<HTMLElement>(`[data-vertex="${CSS.escape(next)}"]`)?.focus()
  }
  const fullest = Math.max(0, ...ids.map((lane) => lane.length))
  return (
    <div
      ref={box}
      onKeyDown={onKeyDown}
      role="toolbar"
      aria-label="Steps by stage and time"
      className="overflow-x-auto px-4 pt-2.5 pb-4 text-xs max-md:hidden"
    >
      <div style={{ minWidth: fullest * LEAST_PX + 92 }}>
        {lanes.map((lane, index) => (
          <Lane key={lane.name} lane={lane} first={index === 0} current={current} onCurrent={setAt} {...drawing} />
        ))}
        <Axis totalMs={drawing.totalMs} />
      </div>
    </div>
  )
}

/** Where an arrow leads: along its lane, or to the same place in the next one. */
export function neighbour(lanes: string[][], current: string | null, key: string): string | null {
  const lane = lanes.findIndex((ids) => current !== null && ids.includes(current))
  const ids = lanes[lane]
  if (!ids || current === null) return null
  const index = ids.indexOf(current)
  if (key === 'ArrowRight') return ids[index + 1] ?? lanes[lane + 1]?.[0] ?? null
  if (key === 'ArrowLeft') return ids[index - 1] ?? lanes[lane - 1]?.at(-1) ?? null
  if (key === 'Home') return ids[0] ?? null
  if (key === 'End') return ids.at(-1) ?? null
  const other = key === 'ArrowDown' ? lanes[lane + 1] : key === 'ArrowUp' ? lanes[lane - 1] : undefined
  return other?.[Math.min(index, other.length - 1)] ?? null
}

function Lane({
  lane,
  first,
  totalMs,
  path,
  current,
  onCurrent,
  onSelect,
}: { lane: LaneOf; first: boolean; current: string | null; onCurrent: (id: string) => void } & Drawing) {
  const boxes = placeLane(lane.vertices, totalMs, MINIMUM)
  return (
    <div className={cn('grid h-[34px] grid-cols-[92px_minmax(0,1fr)] items-center', !first && 'border-line border-t border-dashed')}>
      <span className="sticky left-0 z-10 truncate bg-surface pr-2 font-mono text-ink-3 text-[11.5px]" title={lane.name}>
        {lane.name}
      </span>
      <div className="relative h-[22px]">
        {lane.vertices.map((v, i) => {
          const box = boxes[i]
          if (!box) return null
          return (
            <Tooltip key={v.id} content={<VertexTip vertex={v} critical={path.has(v.id)} />}>
              <button
                type="button"
                data-vertex={v.id}
                tabIndex={v.id === current ? 0 : -1}
                onFocus={() => onCurrent(v.id)}
                onClick={() => onSelect?.(v.id)}
                aria-label={spoken(v, path.has(v.id))}
                style={{ left: `${box.left}%`, width: `${box.width}%` }}
                className={cn(
                  '@container absolute top-0 h-[22px] overflow-hidden rounded-[5px] text-left font-mono text-[11.5px] leading-[22px] transition-[left,width] duration-150',
                  LOOKS[v.state],
                  path.has(v.id) && v.state !== 'cached' && 'shadow-[inset_0_-3px_0_var(--crit-edge)]',
                )}
              >
                {/* Ends with an ellipsis; a bar without room for four letters has none, its tip has them all. */}
                <span className="hidden truncate px-1.75 @min-[44px]:block">{v.label}</span>
              </button>
            </Tooltip>
          )
        })}
      </div>
    </div>
  )
}

/** What came from the cache is one line: on a phone only what took time is worth a row. */
function LaneList({ lane, totalMs, path, onSelect }: { lane: LaneOf } & Drawing) {
  const cached = lane.vertices.filter((v) => v.state === 'cached').length
  if (lane.vertices.length === 0) return null
  return (
    <section aria-label={lane.name}>
      <h3 className="truncate font-mono text-[11.5px] text-ink-3">{lane.name}</h3>
      {cached > 0 && (
        <p className="flex items-center gap-2 py-1 text-ink-2">
          <span className="hatched size-3 shrink-0 rounded-[3px] border border-cached" aria-hidden />
          {cached === 1 ? '1 step' : `${cached} steps`} from the cache
        </p>
      )}
      {lane.vertices
        .filter((v) => v.state !== 'cached')
        .map((v) => (
          <VertexRow key={v.id} vertex={v} critical={path.has(v.id)} totalMs={totalMs} onSelect={onSelect} />
        ))}
    </section>
  )
}

/** `1:40` */
const clock = (ms: number) => `${Math.floor(ms / 60_000)}:${String(Math.round((ms % 60_000) / 1000)).padStart(2, '0')}`

function Axis({ totalMs }: { totalMs: number }) {
  const marks = ticks(totalMs)
  const inSeconds = totalMs >= 1000
  const decimals = totalMs < 10_000 ? 1 : 0
  return (
    <div className="num relative ml-[92px] h-6 border-line border-t font-mono text-[11px] text-ink-3" aria-hidden>
      {marks.map((at) => (
        <span key={at} className="absolute top-1.5" style={{ left: `${totalMs > 0 ? (at / totalMs) * 100 : 0}%` }}>
          {at === 0 ? '0' : totalMs >= 120_000 ? clock(at) : inSeconds ? (at / 1000).toFixed(decimals) : Math.round(at)}
        </span>
      ))}
      <span className="absolute top-1.5 right-0">{inSeconds ? formatDuration(totalMs) : `${Math.round(totalMs)} ms`}</span>
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
