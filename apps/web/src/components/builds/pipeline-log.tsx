'use client'
import { cn, LogView } from '@slipway/ui'
import { ChevronRight } from 'lucide-react'
import { useMemo, useState } from 'react'
import type { BuildLogLine } from '@/lib/build-log'

const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' })

/** What the pipeline itself said: checkout, planning, publishing. All there is while (or because) no step has begun. */
export function PipelineLog({
  lines,
  alone,
  over,
  queued,
  before,
}: {
  lines: BuildLogLine[]
  alone: boolean
  over: boolean
  queued: boolean
  /** Builds that are before it; null when that is not known. */
  before: number | null
}) {
  const [open, setOpen] = useState(false)
  const shown = useMemo(() => lines.map((l) => ({ key: l.key, time: clock.format(l.at), text: l.text })), [lines])
  if (alone) {
    return (
      <LogView
        lines={shown}
        label="Log of the build"
        className="max-h-105"
        empty={
          queued
            ? `${waiting(before)} The steps appear here as they run.`
            : over
              ? 'Nothing was written.'
              : 'The repository is being checked out.'
        }
      />
    )
  }
  if (lines.length === 0) return null
  return (
    <div id="pipeline-log" className="border-line border-t">
      <button
        type="button"
        onClick={() => setOpen(!open)}
        aria-expanded={open}
        className="flex w-full items-center gap-1.5 px-4 py-2.5 text-left text-ink-2 text-xs -outline-offset-2 hover:bg-sunken hover:text-ink"
      >
        <ChevronRight className={cn('-ml-1 size-3.5 text-ink-3 transition-transform duration-120', open && 'rotate-90')} aria-hidden />
        Checkout and publish
        <span className="num ml-auto text-ink-3">{lines.length === 1 ? '1 line' : `${lines.length} lines`}</span>
      </button>
      {open && <LogView lines={shown} label="Log of checkout and publish" className="max-h-105" />}
    </div>
  )
}

const waiting = (before: number | null): string =>
  !before
    ? 'Waiting for its turn.'
    : before === 1
      ? 'Waiting for its turn: one build is running or before it.'
      : `Waiting for its turn: ${before} builds are running or before it.`
