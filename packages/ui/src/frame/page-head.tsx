import type { ReactNode } from 'react'
import { cn } from '../cn'

/** The page's title with its state and facts; its actions on the right, below on a phone. */
export function PageHead({ title, children, actions }: { title: ReactNode; children?: ReactNode; actions?: ReactNode }) {
  return (
    <div className="flex min-h-8 flex-wrap items-center gap-x-3 gap-y-2">
      <h1 className="min-w-0 max-w-full truncate font-semibold text-xl tracking-[-0.015em]">{title}</h1>
      {children}
      {actions && (
        <div className={cn('flex flex-wrap gap-2 md:ml-auto md:w-auto', children ? 'w-full max-md:[&>*]:grow' : 'ml-auto')}>{actions}</div>
      )}
    </div>
  )
}

/** A wide column for the main thing and a narrow one beside it; one column on a phone. */
export function Columns({ children, aside }: { children: ReactNode; aside: ReactNode }) {
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] items-start gap-5 lg:grid-cols-[minmax(0,1.75fr)_minmax(0,1fr)]">
      <div className="grid grid-cols-[minmax(0,1fr)] gap-5">{children}</div>
      <div className="grid grid-cols-[minmax(0,1fr)] gap-5">{aside}</div>
    </div>
  )
}
