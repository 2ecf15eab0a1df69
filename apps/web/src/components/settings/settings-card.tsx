'use client'
import { Card, CardHeader } from '@slipway/ui'
import type { FormEvent, ReactNode } from 'react'
import { InlineError } from '@/components/load'
import { SaveFooter } from './form-footer'

/** One group of settings with its own Save: nothing is kept until it is pressed. */
export function SettingsCard({
  title,
  children,
  dirty,
  pending,
  error,
  onSubmit,
  onDiscard,
  actions,
  fresh = false,
}: {
  title: string
  children: ReactNode
  dirty: boolean
  pending: boolean
  error: unknown
  onSubmit: () => void
  onDiscard: () => void
  /** Beside Save, on the right. */
  actions?: ReactNode
  /** Nothing is kept yet: what is proposed may be saved as it is. */
  fresh?: boolean
}) {
  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (!pending) onSubmit()
  }
  return (
    <Card>
      <form onSubmit={submit} noValidate>
        <CardHeader title={title} />
        <div className="grid gap-4 p-4">
          {children}
          <InlineError error={error} />
        </div>
        <SaveFooter canSave={dirty || fresh} pending={pending} leave="Discard" onLeave={dirty ? onDiscard : undefined} actions={actions} />
      </form>
    </Card>
  )
}
