'use client'
import { ToggleGroup } from 'radix-ui'
import type { ReactNode } from 'react'
import { cn } from './cn'

export interface Segment<T extends string> {
  value: T
  label: ReactNode
  icon?: ReactNode
}

/** One of few, all in sight: a filter, a mode. Arrow keys move, one is always chosen. */
export function Segmented<T extends string>({
  label,
  value,
  segments,
  onChange,
  className,
}: {
  label: string
  value: T
  segments: Segment<T>[]
  onChange: (value: T) => void
  className?: string
}) {
  return (
    <ToggleGroup.Root
      type="single"
      aria-label={label}
      value={value}
      onValueChange={(next) => {
        const segment = segments.find((s) => s.value === next)
        if (segment) onChange(segment.value)
      }}
      className={cn('inline-flex gap-0.5 rounded-md border border-line bg-sunken p-0.5', className)}
    >
      {segments.map((s) => (
        <ToggleGroup.Item
          key={s.value}
          value={s.value}
          className="inline-flex h-6.5 items-center gap-1.5 rounded-[5px] px-2.5 font-medium text-ink-2 text-xs transition-colors duration-120 hover:text-ink data-[state=on]:bg-surface data-[state=on]:text-ink data-[state=on]:shadow-[0_0_0_1px_var(--line-strong)] [&_svg]:size-3.5"
        >
          {s.icon}
          {s.label}
        </ToggleGroup.Item>
      ))}
    </ToggleGroup.Root>
  )
}
