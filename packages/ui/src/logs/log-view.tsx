'use client'
import { ArrowDown } from 'lucide-react'
import { type ReactNode, useCallback, useLayoutEffect, useRef, useState } from 'react'
import { cn } from '../cn'
import { LINE_HEIGHT, type LogLine, LogLineRow } from './log-line'

/** Rows drawn above and below what is in sight. */
const OVERSCAN = 20
const PADDING = 10

/**
 * Lines of a log, only those in sight drawn: a burst of thousands costs one render. Follows the end until the reader scrolls up;
 * then it holds still and offers the way back.
 */
export function LogView({
  lines,
  label,
  follow = true,
  empty,
  className,
}: {
  lines: LogLine[]
  label: string
  follow?: boolean
  empty?: ReactNode
  className?: string
}) {
  const box = useRef<HTMLDivElement>(null)
  const [atEnd, setAtEnd] = useState(true)
  const lastTop = useRef(0)
  const [range, setRange] = useState({ from: 0, to: 60 })

  const measure = useCallback(() => {
    const el = box.current
    if (!el) return
    const from = Math.max(0, Math.floor(el.scrollTop / LINE_HEIGHT) - OVERSCAN)
    const to = Math.ceil((el.scrollTop + el.clientHeight) / LINE_HEIGHT) + OVERSCAN
    setRange((old) => (old.from === from && old.to === to ? old : { from, to }))
  }, [])

  const onScroll = () => {
    const el = box.current
    if (!el) return
    // Told of a scroll of our own, the end may have moved on already: only a reader goes up.
    if (el.scrollHeight - el.scrollTop - el.clientHeight < LINE_HEIGHT * 1.5) setAtEnd(true)
    else if (el.scrollTop < lastTop.current) setAtEnd(false)
    lastTop.current = el.scrollTop
    measure()
  }
  const toEnd = useCallback(() => {
    const el = box.current
    if (!el) return
    el.scrollTop = el.scrollHeight
    setAtEnd(true)
  }, [])

  // biome-ignore lint/correctness/useExhaustiveDependencies: new lines are what moves the end
  useLayoutEffect(() => {
    if (follow && atEnd) toEnd()
    measure()
  }, [lines, follow, atEnd, toEnd, measure])

  if (lines.length === 0 && empty) return <div className={cn('bg-sunken px-4 py-6 text-ink-3 text-sm', className)}>{empty}</div>
  return (
    <div className="relative min-h-0">
      <div
        ref={box}
        onScroll={onScroll}
        tabIndex={0}
        role="region"
        aria-label={label}
        // Which row is where changes with every draw: nothing for a browser to hold on to.
        className={cn('overflow-auto bg-sunken -outline-offset-2 [overflow-anchor:none]', className)}
      >
        <div style={{ height: lines.length * LINE_HEIGHT + PADDING * 2 }} className="relative w-max min-w-full">
          <div style={{ transform: `translateY(${range.from * LINE_HEIGHT + PADDING}px)` }} className="w-max min-w-full">
            {lines.slice(range.from, range.to).map((line) => (
              <LogLineRow key={line.key} line={line} />
            ))}
          </div>
        </div>
      </div>
      {!atEnd && (
        <button
          type="button"
          onClick={toEnd}
          className="absolute right-4 bottom-3 inline-flex animate-appear items-center gap-1.5 rounded-full bg-raised px-3 py-1 font-medium text-xs shadow-pop hover:bg-hover"
        >
          <ArrowDown className="size-3.5" aria-hidden /> Latest
        </button>
      )}
    </div>
  )
}
