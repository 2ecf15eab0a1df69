'use client'
import { inputs, type views } from '@slipway/contracts'
import { Button, Card, CardHeader, Command, ConfirmDialog, Dialog, Field, Textarea, toast } from '@slipway/ui'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { InlineError } from '@/components/load'
import { useTRPC } from '@/lib/trpc'
import { useForm } from '@/lib/use-form'

/** Of the public half. */
const kindOf = (key: string) => (key.startsWith('ssh-ed25519') ? 'Ed25519' : key.startsWith('ssh-rsa') ? 'RSA' : 'ECDSA')

/** The key of an app for Git over SSH; only its public half is ever shown. */
export function DeployKeyCard({ org, app }: { org: string; app: views.AppView }) {
  const [entering, setEntering] = useState(false)
  const [confirming, setConfirming] = useState<'replace' | 'remove' | null>(null)
  const set = useSetDeployKey(org, app.slug, () => setConfirming(null))
  const key = app.settings.deployKey
  return (
    <Card id="deploy-key">
      <CardHeader title="Deploy key" aside={key === null ? 'none' : kindOf(key)} />
      <div className="grid grid-cols-[minmax(0,1fr)] gap-4 p-4">
        <p className="max-w-[72ch] text-ink-2 text-sm">
          {key === null
            ? 'Builds read repositories over SSH with it, and steps with RUN --mount=type=ssh sign with it. The private half is kept encrypted and never shown.'
            : 'Add this public half to the repository, with read access. Builds read repositories over SSH with it, and steps with RUN --mount=type=ssh sign with it; no step gets the private half.'}
        </p>
        {key !== null && <Command label="Copy the public key">{key}</Command>}
        <InlineError error={confirming === null ? set.error : null} />
        <div className="flex flex-wrap gap-2">
          {key === null ? (
            <Button variant="primary" pending={set.isPending} onClick={() => set.mutate({ org, app: app.slug })}>
              Make a key
            </Button>
          ) : (
            <Button onClick={() => setConfirming('replace')}>Make a new one</Button>
          )}
          <Button onClick={() => setEntering(true)}>Enter one</Button>
          {key !== null && <Button onClick={() => setConfirming('remove')}>Remove</Button>}
        </div>
      </div>
      <EnterKey org={org} app={app.slug} open={entering} onOpenChange={setEntering} />
      <ConfirmDialog
        open={confirming !== null}
        onOpenChange={(open) => !open && setConfirming(null)}
        title={confirming === 'remove' ? 'Remove the deploy key?' : 'Make a new deploy key?'}
        action={confirming === 'remove' ? 'Remove the key' : 'Make a new one'}
        pending={set.isPending}
        error={<InlineError error={set.error} />}
        onConfirm={() => set.mutate({ org, app: app.slug, ...(confirming === 'remove' && { key: null }) })}
      >
        {confirming === 'remove'
          ? 'Builds that read over SSH, and steps that require it, fail until the app has another key.'
          : 'Builds that read over SSH fail until the new public half is with the repository.'}{' '}
        The old key cannot be brought back.
      </ConfirmDialog>
    </Card>
  )
}

function useSetDeployKey(org: string, app: string, done: () => void, refuse?: (error: unknown) => void) {
  const trpc = useTRPC()
  const client = useQueryClient()
  return useMutation(
    trpc.apps.setDeployKey.mutationOptions({
      meta: { quiet: true },
      ...(refuse && { onError: refuse }),
      onSuccess: (view) => {
        client.setQueryData(trpc.apps.get.queryKey({ org, app }), view)
        done()
        toast(view.settings.deployKey === null ? 'Deploy key removed' : 'Deploy key saved', { description: 'The next build takes it.' })
      },
    }),
  )
}

function EnterKey({ org, app, open, onOpenChange }: { org: string; app: string; open: boolean; onOpenChange: (open: boolean) => void }) {
  const form = useForm({ key: '' })
  const close = () => {
    form.reset({ key: '' })
    onOpenChange(false)
  }
  const set = useSetDeployKey(org, app, close, form.refuse)
  const submit = (event: FormEvent) => {
    event.preventDefault()
    const input = form.check(inputs.setDeployKey, { org, app, key: form.values.key })
    if (input && !set.isPending) set.mutate(input)
  }
  return (
    <Dialog
      open={open}
      onOpenChange={(next) => (next ? onOpenChange(true) : close())}
      title="Enter a deploy key"
      description="A private key (Ed25519, RSA or ECDSA) without a passphrase, as ssh-keygen -t ed25519 writes it."
    >
      <form className="grid gap-4" onSubmit={submit} noValidate>
        <Field label="Private key" error={form.errors.key} hint="Kept encrypted; it is not shown again.">
          {(c) => (
            <Textarea
              {...c}
              mono
              rows={8}
              autoFocus
              spellCheck={false}
              autoComplete="off"
              placeholder="-----BEGIN OPENSSH PRIVATE KEY-----"
              value={form.values.key}
              onChange={(e) => form.set('key', e.target.value)}
            />
          )}
        </Field>
        <InlineError error={set.error} />
        <div className="flex justify-end gap-2">
          <Button onClick={close}>Cancel</Button>
          <Button type="submit" variant="primary" pending={set.isPending}>
            Save
          </Button>
        </div>
      </form>
    </Dialog>
  )
}
