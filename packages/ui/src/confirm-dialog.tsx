'use client'
import { type ReactNode, useEffect, useState } from 'react'
import { Button } from './button'
import { Dialog } from './dialog'
import { Field } from './field'
import { Input } from './input'

/** Asks before something is removed, names what goes, and for the gravest wants the name typed. */
export function ConfirmDialog({
  open,
  onOpenChange,
  title,
  children,
  action,
  typed,
  disabled = false,
  pending,
  error,
  danger = true,
  onConfirm,
}: {
  open: boolean
  onOpenChange: (open: boolean) => void
  title: string
  children: ReactNode
  /** The verb on the button. */
  action: string
  /** Must be typed before the button works. */
  typed?: string
  /** There is nothing to confirm. */
  disabled?: boolean
  pending?: boolean
  error?: ReactNode
  danger?: boolean
  onConfirm: () => void
}) {
  const [text, setText] = useState('')
  useEffect(() => {
    if (!open) setText('')
  }, [open])
  const ready = !disabled && (typed === undefined || text === typed)
  return (
    <Dialog open={open} onOpenChange={onOpenChange} title={title}>
      <form
        className="grid gap-4"
        onSubmit={(event) => {
          event.preventDefault()
          if (ready && !pending) onConfirm()
        }}
      >
        <div className="text-ink-2 text-sm">{children}</div>
        {typed !== undefined && (
          <Field label={`Type ${typed} to confirm`}>
            {(control) => <Input {...control} mono autoFocus value={text} onChange={(e) => setText(e.target.value)} spellCheck={false} />}
          </Field>
        )}
        {error}
        <div className="flex justify-end gap-2">
          <Button onClick={() => onOpenChange(false)}>Cancel</Button>
          <Button type="submit" variant={danger ? 'danger' : 'primary'} disabled={!ready} pending={pending}>
            {action}
          </Button>
        </div>
      </form>
    </Dialog>
  )
}
