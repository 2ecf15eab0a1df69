'use client'
import { Toaster as Sonner, toast } from 'sonner'

/** Short answers to actions. Errors stay until read; the rest leaves by itself. */
export function Toaster() {
  return (
    <Sonner
      position="bottom-right"
      gap={8}
      style={{ fontFamily: 'inherit' }}
      toastOptions={{
        unstyled: true,
        classNames: {
          toast: 'flex w-full items-start gap-2.5 rounded-md bg-raised px-3.5 py-3 text-ink text-sm shadow-pop sm:w-[356px]',
          title: 'font-medium',
          description: 'text-ink-2 text-xs leading-[18px]',
          icon: 'mt-0.5 shrink-0 text-ink-2 [&_svg]:size-4',
          content: 'grid min-w-0 flex-1 gap-0.5',
          error: '[&_[data-icon]]:text-fail',
          success: '[&_[data-icon]]:text-live',
          actionButton: 'shrink-0 rounded-sm border border-line-strong bg-surface px-2 py-0.5 font-medium text-xs hover:bg-hover',
        },
      }}
    />
  )
}
export { toast }
