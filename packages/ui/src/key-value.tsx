import type { ReactNode } from 'react'
import { cn } from './cn'

/** Names and values, one per line; long values end in an ellipsis instead of breaking the rhythm. */
export function KeyValue({ items, className }: { items: { key: string; value: ReactNode; wrap?: boolean }[]; className?: string }) {
  return (
    <dl className={cn('grid grid-cols-[96px_minmax(0,1fr)] gap-y-2.25 px-4 py-3.5 text-sm sm:grid-cols-[116px_minmax(0,1fr)]', className)}>
      {items.map((item) => (
        <div key={item.key} className="contents">
          <dt className="text-ink-3">{item.key}</dt>
          <dd className={cn('num min-w-0', item.wrap ? 'break-words' : 'truncate')}>{item.value}</dd>
        </div>
      ))}
    </dl>
  )
}
