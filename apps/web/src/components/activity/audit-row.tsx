import type { views } from '@slipway/contracts'
import { Link, TimeAgo } from '@slipway/ui'
import { routes } from '@/lib/routes'
import { deedOf } from './sentence'

/** Digests are cut: the whole one is behind the link and in the export. */
const shown = (label: string) => label.replace(/@(sha256:[0-9a-f]{12})[0-9a-f]{52}$/, '@$1…')

export function AuditRow({ org, event }: { org: string; event: views.AuditView }) {
  const label = shown(event.targetLabel)
  return (
    <li className="flex items-baseline gap-3 px-4 py-1.5 text-sm">
      <p className="min-w-0 flex-1 break-words text-ink-2">
        <span className="font-medium text-ink">{event.actor}</span> {deedOf(event)}{' '}
        {event.link ? (
          <Link
            href={hrefOf(org, event.link)}
            className="rounded-sm text-ink underline decoration-line-strong underline-offset-3 hover:decoration-ink"
          >
            {label}
          </Link>
        ) : (
          <span className="text-ink">{label}</span>
        )}
        {event.detail && <span className="text-ink-3"> · {event.detail}</span>}
      </p>
      <TimeAgo at={event.createdAt} className="num shrink-0 text-ink-3 text-xs" />
    </li>
  )
}

function hrefOf(org: string, link: views.AuditLink): string {
  switch (link.kind) {
    case 'app':
      return routes.app(org, link.app)
    case 'build':
      return routes.build(org, link.app, link.number)
    case 'deployment':
      return routes.deployment(org, link.app, link.number)
    case 'image':
      return link.reference === null ? routes.repository(org, link.repository) : routes.image(org, link.repository, link.reference)
  }
}
