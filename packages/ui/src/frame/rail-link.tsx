'use client'
import type { ReactNode } from 'react'
import { cn } from '../cn'
import { Link } from '../link'

/** One place in the rail, with how many there are. */
export function RailLink({
  href,
  icon,
  active,
  count,
  busy,
  onClick,
  children,
}: {
  href: string
  icon: ReactNode
  active?: boolean
  count?: number | undefined
  /** The count is of things under way: drawn as such. */
  busy?: boolean
  onClick?: () => void
  children: ReactNode
}) {
  return (
    <Link
      href={href}
      onClick={onClick}
      aria-current={active ? 'page' : undefined}
      className={cn(
        'flex min-h-[33px] items-center gap-2.5 rounded-sm px-2 font-[450] transition-colors duration-120 [&_svg]:size-4 [&_svg]:shrink-0 [&_svg]:stroke-[1.75]',
        active
          ? 'bg-surface text-ink shadow-[0_0_0_1px_var(--line),var(--card-shadow)] dark:bg-hover dark:shadow-none'
          : 'text-ink-2 hover:bg-hover hover:text-ink',
      )}
    >
      {icon}
      <span className="truncate">{children}</span>
      {count !== undefined && count > 0 && (
        <span className={cn('num ml-auto flex items-center gap-1.5 text-xs', busy ? 'text-busy' : 'text-ink-3')}>
          {busy && <span className="size-1.5 animate-shimmer rounded-full bg-current" aria-hidden />}
          {count.toLocaleString('en')}
          {busy && <span className="sr-only"> running</span>}
        </span>
      )}
    </Link>
  )
}
