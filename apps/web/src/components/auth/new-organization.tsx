'use client'
import { inputs } from '@slipway/contracts'
import { slugify } from '@slipway/core'
import { Button, Field, Input, Link } from '@slipway/ui'
import { useMutation, useQuery } from '@tanstack/react-query'
import type { FormEvent } from 'react'
import { InlineError } from '@/components/load'
import { useTRPC } from '@/lib/trpc'
import { useForm } from '@/lib/use-form'
import { AuthCard } from './auth-card'

export function NewOrganization() {
  const trpc = useTRPC()
  const me = useQuery(trpc.me.get.queryOptions())
  const form = useForm({ name: '' })
  const create = useMutation(
    trpc.organizations.create.mutationOptions({
      meta: { quiet: true },
      onError: form.refuse,
      onSuccess: ({ slug }) => window.location.assign(`/${slug}`),
    }),
  )
  function submit(event: FormEvent) {
    event.preventDefault()
    const input = form.check(inputs.createOrganization, form.values)
    if (input && !create.isPending) create.mutate(input)
  }
  const slug = slugify(form.values.name)
  const first = me.data?.organizations[0]
  return (
    <AuthCard
      title="New organization"
      lead="Its members share apps, images and hosts; others see nothing of them."
      foot={
        first && (
          <Link href={`/${first.slug}`} className="underline underline-offset-3 hover:text-ink">
            Back to {first.name}
          </Link>
        )
      }
    >
      <form className="grid gap-4" onSubmit={submit} noValidate>
        <Field
          label="Name"
          error={form.errors.name ?? form.errors.slug}
          hint={slug ? <span className="font-mono">slipway.local/{slug}</span> : undefined}
        >
          {(c) => <Input {...c} autoFocus value={form.values.name} onChange={(e) => form.set('name', e.target.value)} />}
        </Field>
        <InlineError error={create.error} />
        <Button type="submit" variant="primary" pending={create.isPending}>
          Create organization
        </Button>
      </form>
    </AuthCard>
  )
}
