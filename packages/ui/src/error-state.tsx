import { TriangleAlert } from 'lucide-react'
import type { ReactNode } from 'react'
import { cn } from './cn'
import { Hash } from './hash'

/** What happened (with its code) and what to do next. */
export function ErrorState({
  title,
  code,
  message,
  actions,
  children,
  page,
  className,
}: {
  title: string
  code?: string
  message: ReactNode
  actions?: ReactNode
  children?: ReactNode
  /** All there is on its page: its title is the page's. */
  page?: boolean
  className?: string
}) {
  const Title = page ? 'h1' : 'h2'
  return (
    <div role="alert" className={cn('grid gap-3 rounded-lg border border-fail-line bg-surface p-4', className)}>
      <div className="flex flex-wrap items-center gap-2">
        <TriangleAlert className="size-4 text-fail" aria-hidden />
        <Title className="font-semibold text-sm">{title}</Title>
        {code && <Hash>{code}</Hash>}
      </div>
      <div className="max-w-[80ch] break-words text-ink-2 text-sm">{message}</div>
      {children}
      {actions && <div className="flex flex-wrap gap-2">{actions}</div>}
    </div>
  )
}
