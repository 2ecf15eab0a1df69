import type { views } from '@slipway/contracts'
import { cn } from '@slipway/ui'
import { tagsIn } from './words'

/** Tags that are done, of all; the part that is done of the one at hand counts too. */
export function Progress({ run, className }: { run: views.ReplicationRunView; className?: string }) {
  const all = tagsIn(run)
  const over = run.items.succeeded + run.items.failed + run.items.canceled
  const parts = run.bytes > 0 ? Math.min(1, (run.movedBytes + run.skippedBytes) / run.bytes) : 0
  const percent = all === 0 ? 0 : all === 1 ? parts * 100 : (over / all) * 100
  return (
    <div
      className={cn('h-1 overflow-hidden rounded-full bg-sunken', className)}
      role="progressbar"
      aria-label="Copied"
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.round(percent)}
    >
      <div className="h-full rounded-full bg-busy transition-[width] duration-300" style={{ width: `${percent}%` }} />
    </div>
  )
}
