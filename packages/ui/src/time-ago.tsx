'use client'
import { formatAgo } from '@slipway/core'
import { useNow } from './use-now'

const exact = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'medium' })

/** `2 h ago`, exact on hover; keeps counting while it is in sight. */
export function TimeAgo({ at, className }: { at: Date; className?: string }) {
  const now = useNow(Date.now() - at.getTime() < 90_000 ? 5_000 : 30_000)
  return (
    <time dateTime={at.toISOString()} title={exact.format(at)} className={className} suppressHydrationWarning>
      {formatAgo(at, now)}
    </time>
  )
}
