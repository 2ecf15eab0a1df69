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
  className,
}: {
  title: string
  code?: string
  message: ReactNode
  actions?: ReactNode
  children?: ReactNode
  className?: string
}) {
  return (
    <div role="alert" className={cn('grid gap-3 rounded-lg border border-fail-line bg-surface p-4', className)}>
      <div className="flex flex-wrap items-center gap-2">
        <TriangleAlert className="size-4 text-fail" aria-hidden />
        <h2 className="font-semibold text-sm">{title}</h2>
        {code && <Hash>{code}</Hash>}
      </div>
      <div className="max-w-[80ch] break-words text-ink-2 text-sm">{message}</div>
      {children}
      {actions && <div className="flex flex-wrap gap-2">{actions}</div>}
    </div>
  )
}
