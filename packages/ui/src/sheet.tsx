'use client'
import { Dialog as Radix } from 'radix-ui'
import type { ReactNode } from 'react'
import { overlayStyle } from './dialog'

/** What the rail becomes on a phone: it slides in from the left. */
export function Sheet({
  open,
  onOpenChange,
  label,
  children,
}: {
  open: boolean
  onOpenChange: (open: boolean) => void
  label: string
  children: ReactNode
}) {
  return (
    <Radix.Root open={open} onOpenChange={onOpenChange}>
      <Radix.Portal>
        <Radix.Overlay className={overlayStyle} />
        <Radix.Content
          aria-describedby={undefined}
          className="fixed inset-y-0 left-0 z-50 flex w-66 max-w-[85vw] animate-slide flex-col overflow-y-auto border-line border-r bg-sunken p-3 outline-none"
        >
          <Radix.Title className="sr-only">{label}</Radix.Title>
          {children}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  )
}
