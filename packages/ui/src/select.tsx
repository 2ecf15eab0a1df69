'use client'
import { Check, ChevronDown } from 'lucide-react'
import { Select as Radix } from 'radix-ui'
import type { ReactNode } from 'react'
import { cn } from './cn'
import type { ControlProps } from './field'
import { controlStyle } from './input'

export interface Option<T extends string> {
  value: T
  label: ReactNode
  /** Said when the label is not text. */
  text?: string
}

/** One of many. Takes the ids of a `Field`, or `aria-label` alone. */
export function Select<T extends string>({
  value,
  options,
  onChange,
  placeholder,
  className,
  disabled,
  ...control
}: {
  value: T | ''
  options: Option<T>[]
  onChange: (value: T) => void
  placeholder?: string
  className?: string
  disabled?: boolean
  'aria-label'?: string
} & Partial<ControlProps>) {
  return (
    <Radix.Root
      value={value}
      disabled={disabled}
      onValueChange={(next) => {
        const option = options.find((o) => o.value === next)
        if (option) onChange(option.value)
      }}
    >
      <Radix.Trigger
        className={cn(controlStyle, 'flex h-8 items-center gap-2 text-left data-placeholder:text-ink-3', className)}
        {...control}
      >
        <span className="min-w-0 flex-1 truncate">
          <Radix.Value placeholder={placeholder} />
        </span>
        <Radix.Icon asChild>
          <ChevronDown className="size-3.5 shrink-0 text-ink-3" aria-hidden />
        </Radix.Icon>
      </Radix.Trigger>
      <Radix.Portal>
        <Radix.Content
          position="popper"
          sideOffset={4}
          className="z-50 max-h-80 min-w-(--radix-select-trigger-width) animate-appear overflow-hidden rounded-md bg-raised shadow-pop"
        >
          <Radix.Viewport className="p-1">
            {options.map((option) => (
              <Radix.Item
                key={option.value}
                value={option.value}
                textValue={option.text ?? (typeof option.label === 'string' ? option.label : option.value)}
                className="flex h-8 cursor-default select-none items-center gap-2 rounded-sm pr-8 pl-2.5 text-sm outline-none data-highlighted:bg-hover"
              >
                <Radix.ItemText>{option.label}</Radix.ItemText>
                <Radix.ItemIndicator className="absolute right-3">
                  <Check className="size-3.5 text-accent" aria-hidden />
                </Radix.ItemIndicator>
              </Radix.Item>
            ))}
          </Radix.Viewport>
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  )
}
