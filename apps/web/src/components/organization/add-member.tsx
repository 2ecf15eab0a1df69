'use client'
import { inputs, type views } from '@slipway/contracts'
import { Button, Callout, Command, Dialog, Field, Input, Segmented, Select, toast } from '@slipway/ui'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link2 } from 'lucide-react'
import { type FormEvent, useEffect, useState } from 'react'
import { memberRoles, ROLE_TEXT } from '@/components/access/roles'
import { InlineError, Load } from '@/components/load'
import { useTRPC } from '@/lib/trpc'
import { useForm } from '@/lib/use-form'

const NONE = 'none'
const NEW = { way: 'link' as 'link' | 'account', email: '', role: 'developer' as views.Role, team: NONE }

/** By a link for whoever gets it, or at once for somebody who has an account here. */
export function AddMember({
  org,
  role: mine,
  open,
  onOpenChange,
}: {
  org: string
  role: views.Role
  open: boolean
  onOpenChange: (open: boolean) => void
}) {
  const trpc = useTRPC()
  const client = useQueryClient()
  const teams = useQuery(trpc.teams.list.queryOptions({ org }, { enabled: open }))
  const form = useForm(NEW)
  const { values, set, errors, reset } = form
  const [link, setLink] = useState<views.CreatedInvitationView | null>(null)
  const invite = useMutation(
    trpc.invitations.create.mutationOptions({
      meta: { quiet: true },
      onError: form.refuse,
      onSuccess: (made) => {
        setLink(made)
        void client.invalidateQueries(trpc.invitations.list.queryFilter({ org }))
      },
    }),
  )
  const add = useMutation(
    trpc.organizations.addMember.mutationOptions({
      meta: { quiet: true },
      onError: form.refuse,
      onSuccess: (member) => {
        toast(`${member.name} is a member now`)
        onOpenChange(false)
        void client.invalidateQueries(trpc.organizations.members.queryFilter({ org }))
      },
    }),
  )
  const { reset: resetInvite } = invite
  const { reset: resetAdd } = add
  useEffect(() => {
    if (open) return
    reset(NEW)
    setLink(null)
    resetInvite()
    resetAdd()
  }, [open, reset, resetInvite, resetAdd])

  const submit = (event: FormEvent) => {
    event.preventDefault()
    const email = values.email.trim()
    if (values.way === 'account') {
      const input = form.check(inputs.addMember, { org, email, role: values.role })
      if (input && !add.isPending) add.mutate(input)
      return
    }
    const team = values.team === NONE ? undefined : values.team
    const input = form.check(inputs.inviteMember, { org, role: values.role, ...(email && { email }), ...(team && { team }) })
    if (input && !invite.isPending) invite.mutate(input)
  }

  if (link) {
    return (
      <Dialog open={open} onOpenChange={onOpenChange} title="The invitation is made" wide>
        <Callout tone="accent" icon={<Link2 aria-hidden />}>
          Send this link to {link.view.email ?? 'whom you invite'}. It is shown this once, works once, and for seven days. Whoever opens it
          becomes {ROLE_TEXT[link.view.role].label.toLowerCase()}.
        </Callout>
        <Command label="Copy the link">{link.url}</Command>
        <div className="flex justify-end">
          <Button variant="primary" onClick={() => onOpenChange(false)}>
            Done
          </Button>
        </div>
      </Dialog>
    )
  }
  const byLink = values.way === 'link'
  return (
    <Dialog open={open} onOpenChange={onOpenChange} title="Add a member">
      <form className="grid gap-4" onSubmit={submit} noValidate>
        <Segmented
          label="How"
          value={values.way}
          onChange={(way) => set('way', way)}
          segments={[
            { value: 'link', label: 'Invite by link' },
            { value: 'account', label: 'Add an account' },
          ]}
          className="justify-self-start"
        />
        <Field
          label="E-mail"
          optional={byLink}
          error={errors.email}
          hint={
            byLink
              ? 'Filled in for them, and how you find the invitation again. Nothing is sent.'
              : 'Of their account on this installation.'
          }
        >
          {(c) => <Input {...c} type="email" autoFocus value={values.email} onChange={(e) => set('email', e.target.value)} />}
        </Field>
        <Field label="Role" error={errors.role} hint={`${ROLE_TEXT[values.role].hint}.`}>
          {(c) => <Select {...c} value={values.role} options={memberRoles(mine)} onChange={(role) => set('role', role)} />}
        </Field>
        {byLink && (
          <Load query={teams} what="the teams" skeleton={null}>
            {(found) =>
              found.length > 0 && (
                <Field label="Team" optional error={errors.team}>
                  {(c) => (
                    <Select
                      {...c}
                      value={values.team}
                      options={[{ value: NONE, label: 'None' }, ...found.map((team) => ({ value: team.slug, label: team.name }))]}
                      onChange={(team) => set('team', team)}
                    />
                  )}
                </Field>
              )
            }
          </Load>
        )}
        <InlineError error={byLink ? invite.error : add.error} />
        <div className="flex justify-end gap-2">
          <Button onClick={() => onOpenChange(false)}>Cancel</Button>
          <Button type="submit" variant="primary" pending={invite.isPending || add.isPending}>
            {byLink ? 'Make the link' : 'Add'}
          </Button>
        </div>
      </form>
    </Dialog>
  )
}
