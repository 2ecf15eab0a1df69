'use client'
import { inputs, type views } from '@slipway/contracts'
import { Button, Callout, Command, Dialog, Field, Input, Switch } from '@slipway/ui'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { KeyRound } from 'lucide-react'
import { type FormEvent, useEffect, useState } from 'react'
import { InlineError } from '@/components/load'
import { DialogFooter } from '@/components/settings/form-footer'
import { useTRPC } from '@/lib/trpc'
import { useForm } from '@/lib/use-form'
import { EVENTS } from './words'

const NEW = { name: '', url: '', events: ['push'] as string[], repositories: '', inside: false }
const valuesOf = (webhook: views.OutgoingView | null) =>
  webhook ? { ...webhook, events: webhook.events as string[], repositories: webhook.repositories.join(' ') } : NEW

/** Makes a webhook and shows its secret once, or changes one. */
export function WebhookForm({
  org,
  webhook,
  mayReachInside,
  open,
  onOpenChange,
}: {
  org: string
  /** null: a new one. */
  webhook: views.OutgoingView | null
  mayReachInside: boolean
  open: boolean
  onOpenChange: (open: boolean) => void
}) {
  const trpc = useTRPC()
  const client = useQueryClient()
  const form = useForm(valuesOf(webhook))
  const { values: v, errors, set, reset } = form
  const [secret, setSecret] = useState<string | null>(null)
  const settled = () => client.invalidateQueries(trpc.outgoing.list.queryFilter({ org }))
  const create = useMutation(
    trpc.outgoing.create.mutationOptions({
      meta: { quiet: true },
      onError: form.refuse,
      onSuccess: (made) => {
        setSecret(made.secret)
        void settled()
      },
    }),
  )
  const update = useMutation(
    trpc.outgoing.update.mutationOptions({
      meta: { quiet: true },
      onError: form.refuse,
      onSuccess: () => {
        void settled()
        onOpenChange(false)
      },
    }),
  )
  const saving = webhook ? update : create
  useEffect(() => {
    if (!open) return
    setSecret(null)
    reset(valuesOf(webhook))
  }, [open, reset, webhook])

  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (saving.isPending) return
    const repositories = v.repositories.split(/[\s,]+/).filter(Boolean)
    const named = (path: string) => path.split('.')[0] ?? path
    const values = { org, name: v.name, url: v.url, events: v.events, repositories, inside: v.inside }
    if (webhook) {
      const input = form.check(inputs.updateOutgoing, { ...values, id: webhook.id }, named)
      if (input) update.mutate(input)
    } else {
      const input = form.check(inputs.createOutgoing, values, named)
      if (input) create.mutate(input)
    }
  }

  if (secret) return <SecretDialog open={open} onOpenChange={onOpenChange} title="The webhook is made" secret={secret} />
  return (
    <Dialog open={open} onOpenChange={onOpenChange} title={webhook ? 'Change the webhook' : 'New webhook'} wide>
      <form className="grid gap-4" onSubmit={submit} noValidate>
        <div className="grid gap-4 sm:grid-cols-[minmax(0,1fr)_minmax(0,2fr)]">
          <Field label="Name" error={errors.name}>
            {(c) => <Input {...c} autoFocus value={v.name} onChange={(e) => set('name', e.target.value)} />}
          </Field>
          <Field label="Address" error={errors.url} hint="Called with POST; redirects are not followed.">
            {(c) => <Input {...c} mono inputMode="url" placeholder="https://" value={v.url} onChange={(e) => set('url', e.target.value)} />}
          </Field>
        </div>
        <fieldset className="grid gap-1.5">
          <legend className="mb-1.5 font-medium text-sm">Events</legend>
          <div className="grid gap-x-4 gap-y-1.5 sm:grid-cols-2">
            {EVENTS.map(({ kind, label, hint }) => (
              <label key={kind} className="flex items-start gap-2 text-sm">
                <input
                  type="checkbox"
                  className="mt-0.75 size-3.5 accent-accent"
                  checked={v.events.includes(kind)}
                  onChange={(e) => set('events', e.target.checked ? [...v.events, kind] : v.events.filter((other) => other !== kind))}
                />
                <span>
                  {label} <span className="text-ink-3">· {hint}</span>
                </span>
              </label>
            ))}
          </div>
          {errors.events && <p className="text-fail text-xs">{errors.events}</p>}
        </fieldset>
        <Field
          label="Repositories"
          optional
          error={errors.repositories}
          hint={
            <>
              Patterns separated by spaces, as in <span className="font-mono">team/* api</span>; of none, all. Events of apps come in any
              case.
            </>
          }
        >
          {(c) => <Input {...c} mono value={v.repositories} onChange={(e) => set('repositories', e.target.value)} />}
        </Field>
        {(mayReachInside || v.inside) && (
          <Switch
            checked={v.inside}
            disabled={!mayReachInside}
            onChange={(on) => set('inside', on)}
            label="May reach this network"
            hint="Private addresses are refused otherwise. For those who run the installation to allow."
          />
        )}
        <InlineError error={saving.error} />
        <DialogFooter action={webhook ? 'Save' : 'Create'} pending={saving.isPending} onCancel={() => onOpenChange(false)} />
      </form>
    </Dialog>
  )
}

export function SecretDialog({
  open,
  onOpenChange,
  title,
  secret,
}: {
  open: boolean
  onOpenChange: (open: boolean) => void
  title: string
  secret: string
}) {
  return (
    <Dialog open={open} onOpenChange={onOpenChange} title={title} wide>
      <Callout tone="accent" icon={<KeyRound aria-hidden />}>
        This secret is shown this once. Give it to the receiver, which checks the signature of each delivery with it, as Standard Webhooks
        say.
      </Callout>
      <Command label="Copy the secret">{secret}</Command>
      <div className="flex justify-end">
        <Button variant="primary" onClick={() => onOpenChange(false)}>
          Done
        </Button>
      </div>
    </Dialog>
  )
}
