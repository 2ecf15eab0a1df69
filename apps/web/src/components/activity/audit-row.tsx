import type { views } from '@slipway/contracts'
import { TimeAgo } from '@slipway/ui'

/** `app.created` → `created the app`; what is not known is shown as it is. */
export function sentence(event: Pick<views.AuditView, 'action' | 'targetType'>): string {
  const [, verb = event.action] = event.action.split(/[.:]/, 2)
  const thing = event.targetType.replace(/[_-]|(?<=[a-z])(?=[A-Z])/g, ' ').toLowerCase()
  return `${verb.replace(/[_-]|(?<=[a-z])(?=[A-Z])/g, ' ').toLowerCase()} ${thing}`
}

export function AuditRow({ event }: { event: views.AuditView }) {
  return (
    <li className="flex items-baseline gap-3 px-4 py-1.5 text-sm">
      <p className="min-w-0 flex-1 break-words text-ink-2">
        <span className="font-medium text-ink">{event.actor}</span> {sentence(event)} <span className="text-ink">{event.targetLabel}</span>
      </p>
      <TimeAgo at={event.createdAt} className="num shrink-0 text-ink-3 text-xs" />
    </li>
  )
}
