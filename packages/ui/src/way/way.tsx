'use client'
import type { Hop, StepState } from '@slipway/core'
import { formatDuration, HOPS } from '@slipway/core'
import type { ReactNode } from 'react'
import { cn } from '../cn'
import { Link } from '../link'
import { useNow } from '../use-now'
import { joinProof } from './proof'

export interface WayHop {
  hop: Hop
  state: StepState
  /** `7 of 9 cached`, or why it failed. */
  proof: string | null
  startedAt: Date | null
  durationMs: number | null
  /** Where its evidence is: the build's page, the log line. */
  href?: string
}

const NAMES: Record<Hop, string> = { push: 'Push', build: 'Build', publish: 'Publish', start: 'Start', switch: 'Switch' }
const WORDS: Record<StepState, string> = {
  pending: 'waiting',
  running: 'running',
  cached: 'from cache',
  done: 'done',
  failed: 'failed',
  canceled: 'canceled',
  skipped: 'not needed',
}

const DOTS: Record<StepState, string> = {
  pending: 'bg-surface shadow-[inset_0_0_0_1.5px_var(--line-strong)]',
  running: 'bg-busy animate-pulse-dot [--pulse-soft:var(--busy-soft)]',
  cached: 'bg-live shadow-[0_0_0_4px_var(--live-soft)]',
  done: 'bg-live shadow-[0_0_0_4px_var(--live-soft)]',
  failed: 'bg-fail shadow-[0_0_0_4px_var(--fail-soft)]',
  canceled: 'bg-ink-3 shadow-[0_0_0_4px_var(--hover)]',
  skipped: 'bg-line-strong',
}
const LINES: Record<StepState, string> = {
  pending: 'bg-line',
  running: 'bg-line',
  cached: 'bg-live/35',
  done: 'bg-live/35',
  failed: 'bg-line',
  canceled: 'bg-line',
  skipped: 'bg-line',
}

/** The way of one deployment: push → build → publish → start → switch, each hop with its time and its proof; live while it runs. */
export function Way({ hops, compact, className }: { hops: WayHop[]; compact?: boolean; className?: string }) {
  const running = hops.some((h) => h.state === 'running')
  const now = useNow(running ? 100 : null)
  const ordered = HOPS.map((hop) => hops.find((h) => h.hop === hop)).filter((h) => h !== undefined)
  return (
    <ol
      aria-label="The way of this deployment"
      className={cn('grid gap-3.5 md:auto-cols-fr md:grid-flow-col md:gap-0', compact ? 'px-4 pt-3.5 pb-3' : 'px-4 pt-4.5 pb-4', className)}
    >
      {ordered.map((hop, index) => (
        <li key={hop.hop} className="relative min-w-0 pl-7 text-[12.5px] text-ink-2 leading-[19px] md:pr-2.5 md:pl-0">
          <span
            className={cn('absolute top-1 left-1 block size-[11px] rounded-full md:static md:mb-2.25 md:ml-1', DOTS[hop.state])}
            aria-hidden
          />
          {index < ordered.length - 1 && (
            <span
              className={cn(
                'absolute top-5 left-[9px] h-full w-0.5 md:top-[5px] md:right-0.5 md:left-[22px] md:h-0.5 md:w-auto',
                LINES[hop.state],
              )}
              aria-hidden
            />
          )}
          <b className={cn('block font-[550] text-sm', hop.state === 'pending' || hop.state === 'skipped' ? 'text-ink-2' : 'text-ink')}>
            {hop.href ? (
              <Link href={hop.href} className="rounded-sm underline-offset-3 hover:underline">
                {NAMES[hop.hop]}
              </Link>
            ) : (
              NAMES[hop.hop]
            )}
            <span className="sr-only">: {WORDS[hop.state]}</span>
          </b>
          <HopNote hop={hop} now={now} />
        </li>
      ))}
    </ol>
  )
}

function HopNote({ hop, now }: { hop: WayHop; now: number }): ReactNode {
  if (hop.state === 'pending') return <span className="text-ink-3">{hop.proof ?? '–'}</span>
  if (hop.state === 'skipped') return <span className="text-ink-3">{hop.proof ?? 'not needed'}</span>
  const ms = hop.state === 'running' && hop.startedAt ? Math.max(0, now - hop.startedAt.getTime()) : hop.durationMs
  // A push takes no time of its own: between it and the build lies only the queue.
  const text = joinProof(ms === null || hop.hop === 'push' ? null : formatDuration(ms), hop.proof)
  return (
    <span
      className={cn('num block break-words', hop.state === 'failed' ? 'line-clamp-3 text-fail' : hop.state === 'running' && 'text-busy')}
    >
      {text || WORDS[hop.state]}
    </span>
  )
}
