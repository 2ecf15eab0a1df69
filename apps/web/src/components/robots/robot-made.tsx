'use client'
import type { views } from '@slipway/contracts'
import { Button, Callout, Command, Dialog, Field, Input } from '@slipway/ui'
import { KeyRound } from 'lucide-react'

/** The secret, this once, and the command that uses it. */
export function RobotMade({ open, made, onDone }: { open: boolean; made: views.CreatedRobotView; onDone: () => void }) {
  return (
    <Dialog open={open} onOpenChange={(next) => !next && onDone()} title={`The secret of ${made.view.name}`} wide>
      <Callout tone="accent" icon={<KeyRound aria-hidden />}>
        It is shown this once. Copy it to where it is needed before you close this.
      </Callout>
      <Field label="User name">{(c) => <Input {...c} mono readOnly value={made.view.login} onFocus={(e) => e.target.select()} />}</Field>
      <div className="grid gap-1.5">
        <p className="font-medium text-sm">Secret</p>
        <Command label="Copy the secret">{made.secret}</Command>
      </div>
      <div className="grid gap-1.5">
        <p className="font-medium text-sm">Log in</p>
        <Command>{made.command}</Command>
      </div>
      <div className="flex justify-end">
        <Button variant="primary" onClick={onDone}>
          Done
        </Button>
      </div>
    </Dialog>
  )
}
