'use client'
import { inputs } from '@slipway/contracts'
import { Button, Callout, Command, Dialog, Field, Input, Select } from '@slipway/ui'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { KeyRound } from 'lucide-react'
import { type FormEvent, useEffect, useState } from 'react'
import { InlineError } from '@/components/load'
import { useTRPC } from '@/lib/trpc'
import { useForm } from '@/lib/use-form'

const LIFETIMES = [
  { value: '30', label: '30 days' },
  { value: '90', label: '90 days' },
  { value: '365', label: '1 year' },
  { value: 'never', label: 'Never' },
]

const SCOPES = [
  { value: 'everything', label: 'Everything I may do' },
  { value: 'registry_write', label: 'The registry: pull, push, delete' },
  { value: 'registry_read', label: 'The registry: pull only' },
] as const
type KeyScope = (typeof SCOPES)[number]['value']
const EMPTY = { name: '', lifetime: '90', scope: 'everything' as KeyScope, organization: '' }
/** Radix knows no empty value. */
const ALL = '*'

/** Makes a key and shows it this once. */
export function NewKey({ open, onOpenChange }: { open: boolean; onOpenChange: (open: boolean) => void }) {
  const trpc = useTRPC()
  const client = useQueryClient()
  const form = useForm(EMPTY)
  const me = useQuery(trpc.me.get.queryOptions())
  const [made, setMade] = useState<string | null>(null)
  const create = useMutation(
    trpc.me.apiKeys.create.mutationOptions({
      meta: { quiet: true },
      onError: form.refuse,
      onSuccess: ({ key }) => {
        setMade(key)
        void client.invalidateQueries(trpc.me.apiKeys.list.queryFilter())
      },
    }),
  )
  const { reset } = form
  useEffect(() => {
    if (open) return
    setMade(null)
    reset(EMPTY)
  }, [open, reset])

  const submit = (event: FormEvent) => {
    event.preventDefault()
    const { name, lifetime, scope, organization } = form.values
    const input = form.check(inputs.createApiKey, {
      name,
      expiresInDays: lifetime === 'never' ? null : Number(lifetime),
      scope,
      organization: organization || null,
    })
    if (input && !create.isPending) create.mutate(input)
  }
  const organizations = me.data?.organizations ?? []
  if (made) {
    return (
      <Dialog open={open} onOpenChange={onOpenChange} title="The key is made" wide>
        <Callout tone="accent" icon={<KeyRound aria-hidden />}>
          It is shown this once. Copy it to where it is needed before you close this.
        </Callout>
        <Command label="Copy the key">{made}</Command>
        <div className="flex justify-end">
          <Button variant="primary" onClick={() => onOpenChange(false)}>
            Done
          </Button>
        </div>
      </Dialog>
    )
  }
  return (
    <Dialog open={open} onOpenChange={onOpenChange} title="New API key">
      <form className="grid gap-4" onSubmit={submit} noValidate>
        <Field label="Name" error={form.errors.name} hint="What uses it: laptop, ci.">
          {(c) => <Input {...c} autoFocus value={form.values.name} onChange={(e) => form.set('name', e.target.value)} />}
        </Field>
        <Field label="Opens" error={form.errors.scope}>
          {(c) => <Select {...c} value={form.values.scope} options={[...SCOPES]} onChange={(v) => form.set('scope', v)} />}
        </Field>
        {organizations.length > 1 && (
          <Field label="Organization" error={form.errors.organization}>
            {(c) => (
              <Select
                {...c}
                value={form.values.organization || ALL}
                options={[{ value: ALL, label: 'All of mine' }, ...organizations.map((o) => ({ value: o.slug, label: o.name }))]}
                onChange={(v) => form.set('organization', v === ALL ? '' : v)}
              />
            )}
          </Field>
        )}
        <Field label="Expires" error={form.errors.expiresInDays}>
          {(c) => <Select {...c} value={form.values.lifetime} options={LIFETIMES} onChange={(v) => form.set('lifetime', v)} />}
        </Field>
        <InlineError error={create.error} />
        <div className="flex justify-end gap-2">
          <Button onClick={() => onOpenChange(false)}>Cancel</Button>
          <Button type="submit" variant="primary" pending={create.isPending}>
            Create
          </Button>
        </div>
      </form>
    </Dialog>
  )
}
