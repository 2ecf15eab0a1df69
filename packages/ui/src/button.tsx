import { cva, type VariantProps } from 'class-variance-authority'
import { LoaderCircle } from 'lucide-react'
import { Slot } from 'radix-ui'
import type { ButtonHTMLAttributes, ReactNode, Ref } from 'react'
import { cn } from './cn'

export const buttonStyle = cva(
  'inline-flex shrink-0 select-none items-center justify-center whitespace-nowrap border font-medium transition-colors duration-120 disabled:pointer-events-none disabled:opacity-55 aria-disabled:pointer-events-none aria-disabled:opacity-55 [&_svg]:shrink-0',
  {
    variants: {
      variant: {
        primary: 'border-transparent bg-accent text-accent-ink shadow-card hover:bg-accent-hover',
        secondary: 'border-line-strong bg-surface text-ink shadow-card hover:bg-hover',
        ghost: 'border-transparent bg-transparent text-ink-2 hover:bg-hover hover:text-ink',
        danger: 'border-transparent bg-fail text-fail-ink shadow-card hover:bg-fail-hover',
        'danger-quiet': 'border-line-strong bg-surface text-fail shadow-card hover:bg-fail-soft',
      },
      size: {
        m: 'h-8 gap-1.75 rounded-sm px-3 text-sm [&_svg]:size-4',
        s: 'h-6.5 gap-1.5 rounded-sm px-2.25 text-xs [&_svg]:size-3.5',
        icon: 'size-8 rounded-sm [&_svg]:size-4',
        'icon-s': 'size-6.5 rounded-sm [&_svg]:size-3.5',
      },
    },
    defaultVariants: { variant: 'secondary', size: 'm' },
  },
)

export interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement>, VariantProps<typeof buttonStyle> {
  /** Styles its only child (a link) instead of rendering a button. */
  asChild?: boolean
  /** The action is under way: a spinner takes the icon's place and a second press does nothing. */
  pending?: boolean
  icon?: ReactNode
  ref?: Ref<HTMLButtonElement>
}

export function Button({ asChild, pending, icon, variant, size, className, children, disabled, ...rest }: ButtonProps) {
  const style = cn(buttonStyle({ variant, size }), className)
  if (asChild) {
    return (
      <Slot.Root className={style} {...rest}>
        {children}
      </Slot.Root>
    )
  }
  return (
    <button type="button" className={style} disabled={disabled || pending} aria-busy={pending || undefined} {...rest}>
      {pending ? <LoaderCircle className="animate-spin" aria-hidden /> : icon}
      {children}
    </button>
  )
}
