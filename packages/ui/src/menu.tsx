'use client'
import { Check } from 'lucide-react'
import { DropdownMenu as Radix } from 'radix-ui'
import type { ReactNode } from 'react'
import { cn } from './cn'
import { Link } from './link'

/** A menu on a button; arrow keys rove, letters jump. `trigger` is the button. */
export function Menu({ trigger, children, align = 'end' }: { trigger: ReactNode; children: ReactNode; align?: 'start' | 'end' }) {
  return (
    <Radix.Root modal={false}>
      <Radix.Trigger asChild>{trigger}</Radix.Trigger>
      <Radix.Portal>
        <Radix.Content
          align={align}
          sideOffset={6}
          className="z-50 min-w-52 max-w-80 animate-appear rounded-md bg-raised p-1 shadow-pop outline-none"
        >
          {children}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  )
}

const itemStyle =
  'flex min-h-8 cursor-default select-none items-center gap-2.5 rounded-sm px-2.5 py-1 text-sm text-ink outline-none data-highlighted:bg-hover data-disabled:opacity-50 [&_svg]:size-4 [&_svg]:shrink-0 [&_svg]:text-ink-2'

export function MenuItem({
  icon,
  href,
  onSelect,
  danger,
  checked,
  disabled,
  children,
}: {
  icon?: ReactNode
  href?: string
  onSelect?: () => void
  danger?: boolean
  checked?: boolean
  disabled?: boolean
  children: ReactNode
}) {
  const body = (
    <>
      {icon}
      <span className="min-w-0 flex-1 truncate">{children}</span>
      {checked && <Check aria-hidden />}
    </>
  )
  const style = cn(itemStyle, danger && 'text-fail [&_svg]:text-fail')
  if (href !== undefined) {
    return (
      <Radix.Item asChild className={style}>
        <Link href={href}>{body}</Link>
      </Radix.Item>
    )
  }
  return (
    <Radix.Item className={style} onSelect={onSelect} disabled={disabled}>
      {body}
    </Radix.Item>
  )
}
export const MenuLabel = ({ children }: { children: ReactNode }) => (
  <Radix.Label className="truncate px-2.5 pt-1.5 pb-1 text-ink-3 text-xs">{children}</Radix.Label>
)
export const MenuSeparator = () => <Radix.Separator className="my-1 h-px bg-line" />
