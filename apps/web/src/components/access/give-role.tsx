'use client'
import { inputs, type views } from '@slipway/contracts'
import { Button, Dialog, Field, Input, Segmented, Select } from '@slipway/ui'
import { useQuery } from '@tanstack/react-query'
import { type FormEvent, useEffect } from 'react'
import { InlineError } from '@/components/load'
import { useTRPC } from '@/lib/trpc'
import { useForm } from '@/lib/use-form'
import { GRANT_HINT, GRANT_ROLES } from './roles'

export interface GrantChange {
  role: views.GrantableRole
  to: { kind: 'user'; email: string } | { kind: 'team'; team: string }
}
const NEW = { kind: 'user' as 'user' | 'team', email: '', team: '', role: 'developer' as views.GrantableRole }
const schema = inputs.grantOnProject.pick({ role: true, to: true })

/** To one person, a member or not, or to a team. */
export function GiveRole({
  org,
  what,
  teams: mayTeams,
  open,
  onOpenChange,
  actions,
}: {
  org: string
  what: string
  teams: boolean
  open: boolean
  onOpenChange: (open: boolean) => void
  actions: { give: (change: GrantChange) => Promise<unknown>; pending: boolean; error: unknown; reset: () => void }
}) {
  const trpc = useTRPC()
  const teams = useQuery(trpc.teams.list.queryOptions({ org }, { enabled: open && mayTeams }))
  const form = useForm(NEW)
  const { values, set, errors, reset } = form
  useEffect(() => {
    if (!open) reset(NEW)
  }, [open, reset])

  const close = () => {
    onOpenChange(false)
    actions.reset()
  }
  const submit = (event: FormEvent) => {
    event.preventDefault()
    const to = values.kind === 'user' ? { kind: 'user', email: values.email.trim() } : { kind: 'team', team: values.team }
    const change = form.check(schema, { role: values.role, to }, (path) => path.replace(/^to\./, ''))
    if (change && !actions.pending)
      void actions
        .give(change)
        .then(close)
        .catch(() => undefined)
  }
  const found = teams.data ?? []
  return (
    <Dialog
      open={open}
      onOpenChange={(next) => (next ? onOpenChange(true) : close())}
      title="Give a role"
      description={`On ${what} only. It adds to what they have in the organization, and takes nothing away.`}
    >
      <form className="grid gap-4" onSubmit={submit} noValidate>
        {mayTeams && (
          <Segmented
            label="To whom"
            value={values.kind}
            onChange={(kind) => set('kind', kind)}
            segments={[
              { value: 'user', label: 'A person' },
              { value: 'team', label: 'A team' },
            ]}
            className="justify-self-start"
          />
        )}
        {values.kind === 'user' ? (
          <Field label="E-mail" error={errors.email} hint="Of their account on this installation. They need not be a member.">
            {(c) => <Input {...c} type="email" autoFocus value={values.email} onChange={(e) => set('email', e.target.value)} />}
          </Field>
        ) : (
          <Field
            label="Team"
            error={errors.team}
            hint={teams.isSuccess && found.length === 0 ? 'There is no team yet: make one in the settings.' : undefined}
          >
            {(c) => (
              <Select
                {...c}
                value={values.team}
                placeholder="Choose a team"
                options={found.map((team) => ({ value: team.slug, label: team.name }))}
                onChange={(team) => set('team', team)}
              />
            )}
          </Field>
        )}
        <Field label="Role" error={errors.role} hint={GRANT_HINT[values.role]}>
          {(c) => <Select {...c} value={values.role} options={GRANT_ROLES} onChange={(role) => set('role', role)} />}
        </Field>
        <InlineError error={actions.error} />
        <div className="flex justify-end gap-2">
          <Button onClick={close}>Cancel</Button>
          <Button type="submit" variant="primary" pending={actions.pending}>
            Give the role
          </Button>
        </div>
      </form>
    </Dialog>
  )
}
