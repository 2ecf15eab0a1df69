'use client'
import { X } from 'lucide-react'
import { Dialog as Radix } from 'radix-ui'
import type { ReactNode } from 'react'
import { Button } from './button'
import { cn } from './cn'

export const overlayStyle = 'fixed inset-0 z-40 animate-fade bg-scrim'

/** A question that has to be answered before going on. Controlled; Escape and the scrim close it. */
export function Dialog({
  open,
  onOpenChange,
  title,
  description,
  children,
  footer,
  wide,
}: {
  open: boolean
  onOpenChange: (open: boolean) => void
  title: string
  description?: ReactNode
  children?: ReactNode
  footer?: ReactNode
  wide?: boolean
}) {
  return (
    <Radix.Root open={open} onOpenChange={onOpenChange}>
      <Radix.Portal>
        <Radix.Overlay className={overlayStyle} />
        <Radix.Content
          aria-describedby={undefined}
          className={cn(
            'fixed top-4 left-1/2 z-50 flex max-h-[calc(100dvh-32px)] w-[calc(100vw-32px)] -translate-x-1/2 animate-appear flex-col overflow-hidden rounded-lg bg-raised shadow-pop outline-none sm:top-[8vh] sm:max-h-[84vh]',
            wide ? 'max-w-2xl' : 'max-w-md',
          )}
        >
          <header className="flex items-start gap-3 px-5 pt-4 pb-1">
            <Radix.Title className="flex-1 font-semibold text-lg">{title}</Radix.Title>
            <Radix.Close asChild>
              <Button variant="ghost" size="icon-s" aria-label="Close" className="-mr-1.5">
                <X aria-hidden />
              </Button>
            </Radix.Close>
          </header>
          <div className="grid grid-cols-[minmax(0,1fr)] gap-4 overflow-y-auto px-5 pb-5">
            {description && <div className="text-ink-2 text-sm">{description}</div>}
            {children}
          </div>
          {footer && <footer className="flex justify-end gap-2 border-line border-t bg-sunken px-5 py-3">{footer}</footer>}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  )
}
