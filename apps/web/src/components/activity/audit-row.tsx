import type { views } from '@slipway/contracts'
import { TimeAgo } from '@slipway/ui'
import { deedOf } from './sentence'

export function AuditRow({ event }: { event: views.AuditView }) {
  return (
    <li className="flex items-baseline gap-3 px-4 py-1.5 text-sm">
      <p className="min-w-0 flex-1 break-words text-ink-2">
        <span className="font-medium text-ink">{event.actor}</span> {deedOf(event)} <span className="text-ink">{event.targetLabel}</span>
      </p>
      <TimeAgo at={event.createdAt} className="num shrink-0 text-ink-3 text-xs" />
    </li>
  )
}
