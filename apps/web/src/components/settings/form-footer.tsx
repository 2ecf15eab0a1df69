import { Button, Callout } from '@slipway/ui'
import { PlugZap } from 'lucide-react'
import type { ReactNode } from 'react'

/** Under a form in a dialog. */
export function DialogFooter({
  action,
  pending,
  onCancel,
  onTest,
  testing,
}: {
  /** The verb of what the form does. */
  action: string
  pending: boolean
  onCancel: () => void
  /** Tries what is written, before it is kept. */
  onTest?: () => void
  testing?: boolean
}) {
  return (
    <div className="flex flex-wrap justify-end gap-2">
      {onTest && (
        <Button icon={<PlugZap aria-hidden />} className="mr-auto" pending={testing === true} onClick={onTest}>
          Test
        </Button>
      )}
      <Button onClick={onCancel}>Cancel</Button>
      <Button type="submit" variant="primary" pending={pending}>
        {action}
      </Button>
    </div>
  )
}

/** What came of `onTest`. */
export function TestOutcome({
  outcome,
  withCredentials = false,
}: {
  outcome: { problem: string | null; milliseconds: number } | undefined
  withCredentials?: boolean
}) {
  if (!outcome) return null
  return (
    <Callout tone={outcome.problem === null ? 'accent' : 'fail'}>
      {outcome.problem ?? `It answers, in ${outcome.milliseconds} ms${withCredentials ? ', and takes the credentials' : ''}.`}
    </Callout>
  )
}

/** Under a form in a card: nothing is kept until Save is pressed. */
export function SaveFooter({
  canSave,
  pending,
  onLeave,
  leave = 'Cancel',
  actions,
}: {
  canSave: boolean
  pending: boolean
  /** None: there is nothing to leave. */
  onLeave?: (() => void) | undefined
  leave?: 'Cancel' | 'Discard'
  /** Beside Save, on the right. */
  actions?: ReactNode
}) {
  return (
    <footer className="flex flex-wrap gap-2 border-line border-t bg-sunken px-4 py-2.5">
      <Button type="submit" variant="primary" disabled={!canSave} pending={pending}>
        Save
      </Button>
      {onLeave && (
        <Button variant="ghost" onClick={onLeave}>
          {leave}
        </Button>
      )}
      {actions && <div className="ml-auto flex flex-wrap gap-2">{actions}</div>}
    </footer>
  )
}
