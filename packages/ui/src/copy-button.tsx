'use client'
import { Check, Copy } from 'lucide-react'
import type { ReactNode } from 'react'
import { Button, type ButtonProps } from './button'
import { useCopy } from './use-copy'

/** Copies `text`; the icon turns into a tick for a moment. */
export function CopyButton({
  text,
  label,
  children,
  ...rest
}: { text: string; label: string; children?: ReactNode } & Omit<ButtonProps, 'onClick'>) {
  const { copied, run } = useCopy()
  return (
    <Button
      size={children ? 'm' : 'icon-s'}
      variant={children ? 'secondary' : 'ghost'}
      {...rest}
      aria-label={children ? undefined : label}
      title={label}
      onClick={() => run(text)}
      icon={copied ? <Check className="text-live" aria-hidden /> : <Copy aria-hidden />}
    >
      {children}
    </Button>
  )
}

/** A command to run elsewhere, with its copy button. */
export function Command({ children, label }: { children: string; label?: string }) {
  return (
    <div className="flex items-start gap-2 rounded-sm border border-line bg-sunken py-1.5 pr-1.5 pl-3">
      <pre className="min-w-0 flex-1 overflow-x-auto whitespace-pre-wrap py-0.75 [overflow-wrap:anywhere] font-mono text-xs leading-5">
        {children}
      </pre>
      <CopyButton text={children} label={label ?? 'Copy the command'} />
    </div>
  )
}
