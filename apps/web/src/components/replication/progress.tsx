import type { views } from '@slipway/contracts'
import { ProgressBar } from '@slipway/ui'
import { tagsIn } from './words'

/** Tags that are done, of all; the part that is done of the one at hand counts too. */
export function Progress({ run, className }: { run: views.ReplicationRunView; className?: string }) {
  const all = tagsIn(run)
  const over = run.items.succeeded + run.items.failed + run.items.canceled
  const parts = run.bytes > 0 ? Math.min(1, (run.movedBytes + run.skippedBytes) / run.bytes) : 0
  return <ProgressBar label="Copied" percent={all === 0 ? 0 : all === 1 ? parts * 100 : (over / all) * 100} className={className} />
}
