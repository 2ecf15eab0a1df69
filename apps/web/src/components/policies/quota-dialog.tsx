'use client'
import { inputs, type views } from '@slipway/contracts'
import { formatBytes } from '@slipway/core'
import { Button, Callout, Dialog, Field, Input, toast } from '@slipway/ui'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import type { FormEvent } from 'react'
import { InlineError } from '@/components/load'
import { scaled, shown } from '@/components/settings/numbers'
import { useTRPC } from '@/lib/trpc'
import { useForm } from '@/lib/use-form'
import { plural } from './words'

const GIGABYTE = 1_000_000_000
const FIELDS: Record<string, string> = { maxBytes: 'bytes', maxRepositories: 'repositories' }

interface Props {
  org: string
  of: views.QuotaView & { slug: string }
  open: boolean
  onOpenChange: (open: boolean) => void
}

export function QuotaDialog(props: Props) {
  const { of, open, onOpenChange } = props
  return (
    <Dialog open={open} onOpenChange={onOpenChange} title={`Limits of ${of.slug}`}>
      {open && <Fields {...props} />}
    </Dialog>
  )
}

/** Bytes as they are kept, when the number in the input is the one that it was opened with: gigabytes shown are rounded. */
const bytesOf = (text: string, { maxBytes }: views.QuotaView) => (text === shown(maxBytes, GIGABYTE) ? maxBytes : scaled(text, GIGABYTE))

function Fields({ org, of, onOpenChange }: Props) {
  const trpc = useTRPC()
  const client = useQueryClient()
  const form = useForm({ bytes: shown(of.maxBytes, GIGABYTE), repositories: shown(of.maxRepositories, 1) })
  const { values: v, errors, set } = form
  const save = useMutation(
    trpc.policies.setQuota.mutationOptions({
      meta: { quiet: true },
      onError: form.refuse,
      onSuccess: (all) => {
        client.setQueryData(trpc.policies.quotas.queryKey({ org }), all)
        void client.invalidateQueries(trpc.policies.quota.queryFilter({ org }))
        onOpenChange(false)
        toast(`The limits of ${of.slug} are set`, { description: 'They hold from the next push on.' })
      },
    }),
  )
  const limits = { maxBytes: bytesOf(v.bytes, of), maxRepositories: scaled(v.repositories, 1) }
  const under =
    (limits.maxBytes !== null && limits.maxBytes < of.bytes) ||
    (limits.maxRepositories !== null && limits.maxRepositories < of.repositories)
  const submit = (event: FormEvent) => {
    event.preventDefault()
    const input = form.check(inputs.setQuota, { org, organization: of.slug, ...limits }, (path) => FIELDS[path] ?? path)
    if (input && !save.isPending) save.mutate(input)
  }
  return (
    <form className="grid gap-4" onSubmit={submit} noValidate>
      <div className="grid gap-4 sm:grid-cols-2">
        <Field label="Storage, GB" optional error={errors.bytes} hint={`Now ${formatBytes(of.bytes)}. Empty: no limit.`}>
          {(c) => <Input {...c} mono autoFocus inputMode="decimal" value={v.bytes} onChange={(e) => set('bytes', e.target.value)} />}
        </Field>
        <Field
          label="Repositories"
          optional
          error={errors.repositories}
          hint={`Now ${plural(of.repositories, 'repository', 'repositories')}. Empty: no limit.`}
        >
          {(c) => <Input {...c} mono inputMode="numeric" value={v.repositories} onChange={(e) => set('repositories', e.target.value)} />}
        </Field>
      </div>
      {under && (
        <Callout tone="busy">
          {of.slug} has more than that now. Nothing is deleted; pushes that need more are refused until there is less.
        </Callout>
      )}
      <InlineError error={save.error} />
      <div className="flex justify-end gap-2">
        <Button onClick={() => onOpenChange(false)}>Cancel</Button>
        <Button type="submit" variant="primary" pending={save.isPending}>
          Save
        </Button>
      </div>
    </form>
  )
}
