'use client'
import { type ReactNode, useId } from 'react'
import { cn } from './cn'

export interface ControlProps {
  id: string
  'aria-describedby': string | undefined
  'aria-invalid': true | undefined
}

/** A label, its control, a hint, and what is wrong with it; the control gets the ids that tie them together. */
export function Field({
  label,
  hint,
  error,
  optional,
  children,
  className,
}: {
  label: string
  hint?: ReactNode
  error?: string | undefined
  optional?: boolean
  children: (control: ControlProps) => ReactNode
  className?: string
}) {
  const id = useId()
  const note = `${id}-note`
  return (
    <div className={cn('grid content-start gap-1.5', className)}>
      <label htmlFor={id} className="font-medium text-sm">
        {label}
        {optional && <span className="font-normal text-ink-3"> · optional</span>}
      </label>
      {children({ id, 'aria-describedby': error || hint ? note : undefined, 'aria-invalid': error ? true : undefined })}
      {error ? (
        <p id={note} className="text-fail text-xs">
          {error}
        </p>
      ) : hint ? (
        <p id={note} className="text-ink-3 text-xs">
          {hint}
        </p>
      ) : null}
    </div>
  )
}
