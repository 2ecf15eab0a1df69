'use client'
import { formatDuration } from '@slipway/core'
import { useNow } from './use-now'

/** A duration: fixed when it is over, counting up while it runs, a dash before it started. */
export function Elapsed({ startedAt, ms, running }: { startedAt: Date | null; ms: number | null; running: boolean }) {
  const now = useNow(running && startedAt ? 100 : null)
  if (running && startedAt) return <span className="num">{formatDuration(Math.max(0, now - startedAt.getTime()))}</span>
  if (ms === null) return <span className="text-ink-3">–</span>
  return <span className="num">{formatDuration(ms)}</span>
}
