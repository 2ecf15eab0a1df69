'use client'
import { inputs, type views } from '@slipway/contracts'
import { Button, KeyValue, Link, LinkButton, Skeleton } from '@slipway/ui'
import { useMutation, useQuery } from '@tanstack/react-query'
import type { FormEvent } from 'react'
import { ROLE_TEXT } from '@/components/access/roles'
import { InlineError } from '@/components/load'
import { authClient } from '@/lib/auth-client'
import { readError } from '@/lib/errors'
import { routes } from '@/lib/routes'
import { useTRPC } from '@/lib/trpc'
import { useForm } from '@/lib/use-form'
import { AccountFields } from './account-fields'
import { AuthCard } from './auth-card'

/** What a link invites to, for whoever opens it: with an account that is signed in, with one that is not, or with none yet. */
export function Invitation({ token }: { token: string }) {
  const trpc = useTRPC()
  const look = useQuery(trpc.invitations.look.queryOptions({ token }, { retry: false }))
  // Not the API's `me`: that one sends those without a session to the sign-in.
  const session = useQuery({ queryKey: ['session'], queryFn: async () => (await authClient.getSession()).data?.user ?? null })
  if (look.error) {
    const { message, status } = readError(look.error)
    return (
      <AuthCard title={status === 404 ? 'Nothing to accept' : 'The invitation cannot be shown'} lead={message}>
        <LinkButton href="/">Go to Slipway</LinkButton>
      </AuthCard>
    )
  }
  if (!look.data || session.isPending) {
    return (
      <AuthCard title="Invitation">
        <div role="status" aria-label="Loading the invitation" className="grid gap-3">
          <Skeleton className="h-5" />
          <Skeleton className="h-8" />
        </div>
      </AuthCard>
    )
  }
  return session.data ? (
    <Accept token={token} invitation={look.data} name={session.data.name} email={session.data.email} />
  ) : (
    <Join token={token} invitation={look.data} />
  )
}

function Facts({ invitation }: { invitation: views.OpenInvitationView }) {
  return (
    <KeyValue
      className="rounded-md border border-line bg-sunken"
      items={[
        { key: 'From', value: invitation.createdBy },
        { key: 'Role', value: `${ROLE_TEXT[invitation.role].label} · ${ROLE_TEXT[invitation.role].hint.toLowerCase()}`, wrap: true },
        ...(invitation.team ? [{ key: 'Team', value: invitation.team }] : []),
        ...(invitation.email ? [{ key: 'For', value: invitation.email }] : []),
      ]}
    />
  )
}

function Accept({ token, invitation, name, email }: { token: string; invitation: views.OpenInvitationView; name: string; email: string }) {
  const trpc = useTRPC()
  const accept = useMutation(
    trpc.invitations.accept.mutationOptions({
      meta: { quiet: true },
      onSuccess: ({ organization }) => window.location.assign(routes.overview(organization)),
    }),
  )
  const leave = async () => {
    await authClient.signOut()
    window.location.reload()
  }
  return (
    <AuthCard
      title={`Join ${invitation.organization.name}`}
      lead={`You are signed in as ${name} (${email}).`}
      foot={
        <button type="button" onClick={leave} className="underline underline-offset-3 hover:text-ink">
          Join as somebody else
        </button>
      }
    >
      <Facts invitation={invitation} />
      <InlineError error={accept.error} />
      <Button variant="primary" pending={accept.isPending} onClick={() => accept.mutate({ token })}>
        Join {invitation.organization.name}
      </Button>
    </AuthCard>
  )
}

function Join({ token, invitation }: { token: string; invitation: views.OpenInvitationView }) {
  const trpc = useTRPC()
  const form = useForm({ name: '', email: invitation.email ?? '', password: '' })
  const join = useMutation(
    trpc.invitations.join.mutationOptions({
      meta: { quiet: true },
      onError: form.refuse,
      onSuccess: ({ organization }) => window.location.assign(routes.overview(organization)),
    }),
  )
  const submit = (event: FormEvent) => {
    event.preventDefault()
    const input = form.check(inputs.joinByInvitation, { token, ...form.values, email: form.values.email.trim() })
    if (input && !join.isPending) join.mutate(input)
  }
  const { values, errors, set } = form
  return (
    <AuthCard
      title={`Join ${invitation.organization.name}`}
      lead="Make an account to accept the invitation."
      foot={
        <Link href={`/login?next=${encodeURIComponent(routes.invitation(token))}`} className="underline underline-offset-3 hover:text-ink">
          I have an account here
        </Link>
      }
    >
      <Facts invitation={invitation} />
      <form className="grid gap-4" onSubmit={submit} noValidate>
        <AccountFields values={values} errors={errors} set={set} />
        <InlineError error={join.error} />
        <Button type="submit" variant="primary" pending={join.isPending}>
          Create account and join
        </Button>
      </form>
    </AuthCard>
  )
}
