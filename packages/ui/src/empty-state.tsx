import type { ReactNode } from 'react'
import { cn } from './cn'

/** Nothing here yet: what would be here, and the command or button that brings it. */
export function EmptyState({
  icon,
  title,
  children,
  actions,
  page,
  className,
}: {
  icon?: ReactNode
  title: string
  children?: ReactNode
  actions?: ReactNode
  /** All there is on its page: its title is the page's. */
  page?: boolean
  className?: string
}) {
  const Title = page ? 'h1' : 'h3'
  return (
    <div className={cn('grid justify-items-center gap-3 px-6 py-12 text-center', className)}>
      {icon && (
        <div className="grid size-10 place-items-center rounded-md border border-line bg-sunken text-ink-2 [&_svg]:size-5">{icon}</div>
      )}
      <div className="grid max-w-[46ch] gap-1">
        <Title className="font-semibold text-base">{title}</Title>
        {children && <div className="text-balance text-ink-2 text-sm">{children}</div>}
      </div>
      {actions && <div className="mt-1 flex flex-wrap justify-center gap-2">{actions}</div>}
    </div>
  )
}
