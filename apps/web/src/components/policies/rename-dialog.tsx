'use client'
import { inputs } from '@slipway/contracts'
import { Button, Callout, Dialog, Field, Input, toast } from '@slipway/ui'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useRouter } from 'next/navigation'
import type { FormEvent } from 'react'
import { InlineError } from '@/components/load'
import { routes } from '@/lib/routes'
import { useTRPC } from '@/lib/trpc'
import { useForm } from '@/lib/use-form'

interface Props {
  org: string
  repository: string
  open: boolean
  onClose: () => void
}

export function RenameDialog(props: Props) {
  return (
    <Dialog open={props.open} onOpenChange={(open) => !open && props.onClose()} title={`Rename ${props.repository}`}>
      {props.open && <Fields {...props} />}
    </Dialog>
  )
}

function Fields({ org, repository, onClose }: Props) {
  const trpc = useTRPC()
  const client = useQueryClient()
  const router = useRouter()
  const form = useForm({ name: repository })
  const rename = useMutation(
    trpc.repositories.rename.mutationOptions({
      meta: { quiet: true },
      onError: form.refuse,
      onSuccess: ({ name }) => {
        onClose()
        toast(`It is called ${name} now`, { description: `${repository} leads there.` })
        router.replace(routes.repositoryTab(org, name, 'settings'))
        void client.invalidateQueries(trpc.images.repositories.queryFilter({ org }))
      },
    }),
  )
  const name = form.values.name.trim()
  const submit = (event: FormEvent) => {
    event.preventDefault()
    const input = form.check(inputs.renameRepository, { org, repository, name })
    if (input && name !== repository && !rename.isPending) rename.mutate(input)
  }
  return (
    <form className="grid gap-4" onSubmit={submit} noValidate>
      <Field label="New name" error={form.errors.name} hint="Lower-case letters and digits, with . _ - / between them.">
        {(c) => (
          <Input {...c} mono autoFocus spellCheck={false} value={form.values.name} onChange={(e) => form.set('name', e.target.value)} />
        )}
      </Field>
      <Callout>
        {org}/{repository} leads to the new name: what pulls or pushes it goes on working, and apps are written over. It ends when a
        repository takes that name.
      </Callout>
      <InlineError error={rename.error} />
      <div className="flex justify-end gap-2">
        <Button onClick={onClose}>Cancel</Button>
        <Button type="submit" variant="primary" disabled={name === '' || name === repository} pending={rename.isPending}>
          Rename
        </Button>
      </div>
    </form>
  )
}
