'use client'
import { Button, Card, CardHeader, cn, Field, Input } from '@slipway/ui'
import { ChevronRight } from 'lucide-react'
import type { ReactNode } from 'react'
import { InlineError } from '@/components/load'

export interface RuntimeValues {
  port: string
  healthPath: string
}

/** A group of inputs; closed ones show what they hold in a line. */
export function FormCard({ title, aside, children }: { title: string; aside?: ReactNode; children: ReactNode }) {
  return (
    <Card>
      <CardHeader title={title} aside={aside} />
      <div className="grid gap-4 p-4">{children}</div>
    </Card>
  )
}

export function Disclosure({ title, summary, open, children }: { title: string; summary: string; open?: boolean; children: ReactNode }) {
  return (
    <details open={open} className="group overflow-hidden rounded-lg border border-line bg-surface shadow-card">
      <summary className="flex min-h-11 list-none items-center gap-2 px-4 py-2 -outline-offset-2 hover:bg-sunken [&::-webkit-details-marker]:hidden">
        <ChevronRight className="size-3.5 text-ink-3 transition-transform duration-120 group-open:rotate-90" aria-hidden />
        <h2 className="font-semibold text-sm">{title}</h2>
        <span className="ml-auto truncate pl-4 text-[12.5px] text-ink-2 group-open:hidden">{summary}</span>
      </summary>
      <div className="grid gap-4 border-line border-t p-4">{children}</div>
    </details>
  )
}

export function RuntimeFields({
  values,
  errors,
  set,
}: {
  values: RuntimeValues
  errors: Record<string, string>
  set: (key: 'port' | 'healthPath', value: string) => void
}) {
  return (
    <div className="grid gap-4 sm:grid-cols-2">
      <Field
        label="Port"
        optional
        error={errors.port}
        hint="Where the app listens; also set as PORT. Empty: the first port that the image exposes, or 8080."
      >
        {(c) => (
          <Input {...c} mono inputMode="numeric" placeholder="8080" value={values.port} onChange={(e) => set('port', e.target.value)} />
        )}
      </Field>
      <Field
        label="Health path"
        error={errors.healthPath}
        hint="Must answer below 400 (for /, below 500) before a new version gets traffic."
      >
        {(c) => <Input {...c} mono value={values.healthPath} onChange={(e) => set('healthPath', e.target.value)} />}
      </Field>
    </div>
  )
}

export function FormFoot({
  error,
  pending,
  action,
  note,
  className,
}: {
  error: unknown
  pending: boolean
  action: string
  note?: ReactNode
  className?: string
}) {
  return (
    <div className={cn('grid gap-3', className)}>
      <InlineError error={error} />
      <div className="flex flex-wrap items-center gap-3">
        <Button type="submit" variant="primary" pending={pending}>
          {action}
        </Button>
        {note && <span className="text-ink-3 text-xs">{note}</span>}
      </div>
    </div>
  )
}

/** The text of a number input: null when empty, NaN when it is no number (the schema says so). */
export const numberOrNull = (text: string): number | null => (text.trim() === '' ? null : Number(text))
