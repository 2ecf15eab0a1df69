import type { HTMLAttributes, ReactNode } from 'react'
import { cn } from './cn'

export function Card({ className, ...rest }: HTMLAttributes<HTMLElement>) {
  return <section className={cn('overflow-hidden rounded-lg border border-line bg-surface shadow-card', className)} {...rest} />
}

/** A card's title, what belongs to it, and on the right a quiet fact or an action. */
export function CardHeader({
  title,
  extra,
  aside,
  className,
}: {
  title: ReactNode
  extra?: ReactNode
  aside?: ReactNode
  className?: string
}) {
  return (
    <header className={cn('flex min-h-11 flex-wrap items-center gap-x-2 gap-y-1 border-line border-b px-4 py-2', className)}>
      <h2 className="font-semibold text-sm">{title}</h2>
      {extra}
      {aside !== undefined && aside !== null && <div className="num ml-auto flex items-center gap-2 text-[12.5px] text-ink-2">{aside}</div>}
    </header>
  )
}
