'use client'
import type { VariantProps } from 'class-variance-authority'
import type { ReactNode } from 'react'
import { buttonStyle } from './button'
import { cn } from './cn'
import { Link, type LinkProps } from './link'

/** A link that looks like a button: it goes somewhere, it does nothing. */
export function LinkButton({
  variant,
  size,
  icon,
  className,
  children,
  ...rest
}: LinkProps & VariantProps<typeof buttonStyle> & { icon?: ReactNode }) {
  return (
    <Link className={cn(buttonStyle({ variant, size }), className)} {...rest}>
      {icon}
      {children}
    </Link>
  )
}
