'use client'
import { Button, Callout, Command, Field, Input } from '@slipway/ui'
import { useQuery } from '@tanstack/react-query'
import { Info } from 'lucide-react'
import { type FormEvent, useState } from 'react'
import { authClient } from '@/lib/auth-client'
import { safeNext } from '@/lib/routes'
import { useTRPC } from '@/lib/trpc'
import { AuthCard } from './auth-card'
import { PasswordInput } from './password-input'

/** What better-auth answers, as sentences of ours. */
function explain(status: number, message: string | undefined): string {
  if (status === 401 || status === 400) return 'This e-mail address and password do not belong together. Check both and try again.'
  if (status === 429) return 'Too many tries. Wait a minute, then try again.'
  if (status === 0 || status >= 500) return 'Slipway does not answer. See whether it still runs on its machine, then try again.'
  return message ?? 'Signing in was refused. Try again.'
}

export function SignIn({ next }: { next: string | null }) {
  const trpc = useTRPC()
  const setup = useQuery(trpc.setup.status.queryOptions())
  const [email, setEmail] = useState('')
  const [password, setPassword] = useState('')
  const [problem, setProblem] = useState<string | null>(null)
  const [pending, setPending] = useState(false)

  async function submit(event: FormEvent) {
    event.preventDefault()
    if (pending) return
    setPending(true)
    setProblem(null)
    const failure = await authClient.signIn.email({ email: email.trim(), password }).then(
      (answer) => answer.error,
      () => ({ status: 0, message: undefined }),
    )
    if (failure) {
      setProblem(explain(failure.status, failure.message))
      setPending(false)
      return
    }
    // A whole load: nothing of whoever was signed in before stays in memory.
    window.location.assign(safeNext(next))
  }

  if (setup.data?.needed) return <NoAccountYet />
  return (
    <AuthCard title="Sign in">
      <form className="grid gap-4" onSubmit={submit} noValidate>
        <Field label="E-mail">
          {(control) => (
            <Input
              {...control}
              type="email"
              name="email"
              autoComplete="username"
              autoFocus
              required
              value={email}
              onChange={(e) => setEmail(e.target.value)}
            />
          )}
        </Field>
        <Field label="Password">
          {(control) => (
            <PasswordInput
              {...control}
              name="password"
              autoComplete="current-password"
              required
              value={password}
              onChange={(e) => setPassword(e.target.value)}
            />
          )}
        </Field>
        {problem && (
          <p role="alert" className="text-fail text-sm">
            {problem}
          </p>
        )}
        <Button type="submit" variant="primary" pending={pending} disabled={email.trim() === '' || password === ''}>
          Sign in
        </Button>
      </form>
    </AuthCard>
  )
}

function NoAccountYet() {
  return (
    <AuthCard title="No account yet" lead="The first account is made with the one-time link that Slipway printed when it started.">
      <Callout icon={<Info aria-hidden />}>
        <div className="grid gap-2">
          <p>Open that link. If it is gone, start Slipway again: it prints the link as long as there is no account.</p>
          <Command>npm start</Command>
        </div>
      </Callout>
    </AuthCard>
  )
}
