'use client'
import { cn } from './cn'
import { Link, type LinkProps } from './link'

/** The one link of an interactive row or card: its hit area is stretched over the nearest positioned parent. */
export function RowLink({ className, ...rest }: LinkProps) {
  return (
    <Link
      className={cn(
        'rounded-sm outline-none after:absolute after:inset-0 focus-visible:after:rounded-md focus-visible:after:outline-2 focus-visible:after:outline-accent focus-visible:after:-outline-offset-2',
        className,
      )}
      {...rest}
    />
  )
}
