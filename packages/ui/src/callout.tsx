import type { ReactNode } from 'react'
import { cn } from './cn'

const TONES = {
  accent: 'border-accent-line bg-accent-soft',
  fail: 'border-fail-line bg-fail-soft',
  busy: 'border-busy/30 bg-busy-soft',
  quiet: 'border-line bg-sunken',
}

/** One thing to know, where it is needed. */
export function Callout({
  tone = 'quiet',
  icon,
  children,
  className,
}: {
  tone?: keyof typeof TONES
  icon?: ReactNode
  children: ReactNode
  className?: string
}) {
  return (
    <div
      className={cn(
        'flex gap-2.5 rounded-md border px-3.5 py-2.5 text-sm [&>svg]:mt-0.5 [&>svg]:size-4 [&>svg]:shrink-0',
        TONES[tone],
        className,
      )}
    >
      {icon}
      <div className="min-w-0 flex-1">{children}</div>
    </div>
  )
}
