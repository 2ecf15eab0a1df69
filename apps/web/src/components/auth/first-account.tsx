'use client'
import { inputs } from '@slipway/contracts'
import { Button, Field, Input, LinkButton } from '@slipway/ui'
import { useMutation, useQuery } from '@tanstack/react-query'
import type { FormEvent } from 'react'
import { InlineError } from '@/components/load'
import { useTRPC } from '@/lib/trpc'
import { useForm } from '@/lib/use-form'
import { AccountFields } from './account-fields'
import { AuthCard } from './auth-card'

/** The first account and its organization, with the one-time token of the printed link. */
export function FirstAccount({ token }: { token: string }) {
  const trpc = useTRPC()
  const status = useQuery(trpc.setup.status.queryOptions())
  const form = useForm({ name: '', email: '', password: '', organizationName: '' })
  const create = useMutation(
    trpc.setup.create.mutationOptions({
      meta: { quiet: true },
      onError: form.refuse,
      onSuccess: ({ organization }) => window.location.assign(`/${organization}`),
    }),
  )

  if (status.data && !status.data.needed) {
    return (
      <AuthCard title="Already set up" lead="This installation has its first account. The link has done its work.">
        <LinkButton href="/login" variant="primary">
          Sign in
        </LinkButton>
      </AuthCard>
    )
  }

  function submit(event: FormEvent) {
    event.preventDefault()
    const input = form.check(inputs.setup, { token, ...form.values })
    if (input && !create.isPending) create.mutate(input)
  }
  const { values, errors, set } = form
  return (
    <AuthCard
      title="Create the first account"
      lead="It owns this installation. You can add others later."
      foot="The link works once, for this step only."
    >
      <form className="grid gap-4" onSubmit={submit} noValidate>
        <AccountFields values={values} errors={errors} set={set} />
        <Field label="Organization" error={errors.organizationName} hint="Apps and images belong to it. Yours, or your team's name.">
          {(c) => (
            <Input {...c} name="organization" value={values.organizationName} onChange={(e) => set('organizationName', e.target.value)} />
          )}
        </Field>
        <InlineError error={create.error} />
        <Button type="submit" variant="primary" pending={create.isPending}>
          Create account
        </Button>
      </form>
    </AuthCard>
  )
}
