'use client'
import { Check, Copy } from 'lucide-react'
import type { ReactNode } from 'react'
import { cn } from './cn'
import { useCopy } from './use-copy'

const style =
  'inline-flex max-w-full items-center gap-1 rounded-[5px] border border-line bg-sunken px-1.5 font-mono text-ink text-xs leading-[18px] num'

/** A digest, a number, a short id. With `copy` it is a button that copies the whole value. */
export function Hash({ children, copy, label, className }: { children: ReactNode; copy?: string; label?: string; className?: string }) {
  const { copied, run } = useCopy()
  if (copy === undefined) return <span className={cn(style, className)}>{children}</span>
  return (
    <button
      type="button"
      className={cn(style, 'group relative z-10 transition-colors duration-120 hover:border-line-strong hover:bg-hover', className)}
      onClick={() => run(copy)}
      title={copy}
    >
      <span className="sr-only">Copy {label ?? 'this'}: </span>
      <span className="truncate">{children}</span>
      <span
        aria-hidden
        className={cn(
          'absolute inset-y-0 right-0 grid place-items-center rounded-r-[4px] bg-hover px-1 transition-opacity duration-120 group-hover:opacity-100 group-focus-visible:opacity-100 [&_svg]:size-3',
          copied ? 'opacity-100' : 'opacity-0',
        )}
      >
        {copied ? <Check className="text-live" /> : <Copy className="text-ink-2" />}
      </span>
    </button>
  )
}
