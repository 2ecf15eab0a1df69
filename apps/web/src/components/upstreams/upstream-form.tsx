'use client'
import { inputs, type views } from '@slipway/contracts'
import { Button, Dialog, Field, Input, Switch, toast } from '@slipway/ui'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import type { FormEvent } from 'react'
import { InlineError } from '@/components/load'
import { DialogFooter, TestOutcome } from '@/components/settings/form-footer'
import { scaled, shown } from '@/components/settings/numbers'
import { useTRPC } from '@/lib/trpc'
import { useForm } from '@/lib/use-form'

const GIGABYTE = 1_000_000_000

/** Host and address of registries that people know. */
const PRESETS = [
  { name: 'Docker Hub', host: 'docker.io', url: 'https://registry-1.docker.io' },
  { name: 'GitHub', host: 'ghcr.io', url: 'https://ghcr.io' },
  { name: 'Quay', host: 'quay.io', url: 'https://quay.io' },
  { name: 'Google', host: 'gcr.io', url: 'https://gcr.io' },
  { name: 'Microsoft', host: 'mcr.microsoft.com', url: 'https://mcr.microsoft.com' },
]

const valuesOf = (item?: views.UpstreamView, managed?: views.ManagedUpstream | null) => ({
  host: item?.host ?? '',
  url: managed?.url ?? '',
  enabled: item?.enabled ?? true,
  username: managed?.username ?? '',
  secret: '',
  /** The kept password or token goes. */
  forget: false,
  allowPrivate: managed?.allowPrivate ?? false,
  anonymous: managed?.anonymous ?? false,
  limit: shown(managed?.limitBytes ?? 20 * GIGABYTE, GIGABYTE),
  minutes: String(managed?.revalidateMinutes ?? 5),
  shares: managed?.shares.map(({ slug }) => slug).join(' ') ?? '',
})
type Values = ReturnType<typeof valuesOf>

/** Undefined: it stays as it is. */
const secretOf = ({ secret, forget }: Values) => (secret !== '' ? secret : forget ? null : undefined)
const settingsOf = (v: Values) => ({
  url: v.url.trim(),
  enabled: v.enabled,
  username: v.username.trim(),
  secret: secretOf(v),
  allowPrivate: v.allowPrivate,
  anonymous: v.anonymous,
  limitBytes: scaled(v.limit, GIGABYTE),
  revalidateMinutes: scaled(v.minutes, 1),
  shares: v.shares.split(/[\s,]+/).filter(Boolean),
})
const FIELDS: Record<string, string> = { limitBytes: 'limit', revalidateMinutes: 'minutes' }
const fieldOf = (path: string) => FIELDS[path] ?? (path.startsWith('shares') ? 'shares' : path)

interface Props {
  org: string
  /** None: a new one. */
  item?: views.UpstreamView
  managed?: views.ManagedUpstream
  open: boolean
  onOpenChange: (open: boolean) => void
  taken: string[]
}

export function UpstreamForm(props: Props) {
  const { item, open, onOpenChange } = props
  return (
    <Dialog
      open={open}
      onOpenChange={onOpenChange}
      wide
      title={item ? `Edit ${item.host}` : 'Add an upstream'}
      description={item ? undefined : 'A registry whose images are kept here when somebody pulls them.'}
    >
      {open && <Fields {...props} />}
    </Dialog>
  )
}

function Fields({ org, item, managed, onOpenChange, taken }: Props) {
  const trpc = useTRPC()
  const client = useQueryClient()
  const form = useForm(valuesOf(item, managed))
  const { values: v, errors, set } = form
  const done = (host: string) => {
    toast(item ? `${host} is changed` : `${host} is set up`)
    onOpenChange(false)
    void client.invalidateQueries(trpc.upstreams.list.queryFilter({ org }))
  }
  const options = { meta: { quiet: true }, onError: form.refuse }
  const create = useMutation(trpc.upstreams.create.mutationOptions({ ...options, onSuccess: () => done(v.host) }))
  const update = useMutation(trpc.upstreams.update.mutationOptions({ ...options, onSuccess: () => done(v.host) }))
  const test = useMutation(trpc.upstreams.test.mutationOptions({ meta: { quiet: true } }))
  const pending = create.isPending || update.isPending
  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (pending) return
    if (item) {
      const input = form.check(inputs.updateUpstream, { org, id: item.id, ...settingsOf(v) }, fieldOf)
      if (input) update.mutate(input)
    } else {
      const input = form.check(inputs.createUpstream, { org, host: v.host, ...settingsOf(v) }, fieldOf)
      if (input) create.mutate(input)
    }
  }
  const tryOut = () => {
    const { url, username, secret, allowPrivate } = settingsOf(v)
    const input = form.check(inputs.testUpstream, { org, url, username, secret, allowPrivate, ...(item && { id: item.id }) }, fieldOf)
    if (input && !test.isPending) test.mutate(input)
  }
  const presets = PRESETS.filter(({ host }) => !taken.includes(host))
  const has = item?.credentials === true && !v.forget
  const withCredentials = has || v.secret !== ''
  return (
    <form className="grid gap-4" onSubmit={submit} noValidate>
      {!item && presets.length > 0 && (
        <div className="flex flex-wrap gap-2" role="group" aria-label="Registries to choose from">
          {presets.map((preset) => (
            <Button
              key={preset.host}
              size="s"
              aria-pressed={v.host === preset.host}
              onClick={() => {
                set('host', preset.host)
                set('url', preset.url)
              }}
            >
              {preset.name}
            </Button>
          ))}
        </div>
      )}
      <div className="grid gap-4 sm:grid-cols-2">
        {!item && (
          <Field label="Host" error={errors.host} hint="As its images’ names begin.">
            {(c) => <Input {...c} mono placeholder="registry.example.com" value={v.host} onChange={(e) => set('host', e.target.value)} />}
          </Field>
        )}
        <Field label="Address" error={errors.url} hint="Where it answers.">
          {(c) => (
            <Input {...c} mono placeholder="https://registry.example.com" value={v.url} onChange={(e) => set('url', e.target.value)} />
          )}
        </Field>
        <Field label="User name" optional error={errors.username}>
          {(c) => <Input {...c} autoComplete="off" value={v.username} onChange={(e) => set('username', e.target.value)} />}
        </Field>
        <Field
          label="Password or token"
          optional
          error={errors.secret}
          hint={has ? 'One is kept. Enter another to replace it; it is never shown.' : 'Kept sealed, never shown again.'}
        >
          {(c) => (
            <Input {...c} type="password" autoComplete="new-password" value={v.secret} onChange={(e) => set('secret', e.target.value)} />
          )}
        </Field>
        <Field label="Size, GB" error={errors.limit} hint="Above it, what nobody pulled for longest goes.">
          {(c) => <Input {...c} mono inputMode="decimal" value={v.limit} onChange={(e) => set('limit', e.target.value)} />}
        </Field>
        <Field label="Ask for tags anew after, minutes" error={errors.minutes} hint="0: at every pull. A digest is asked for once.">
          {(c) => <Input {...c} mono inputMode="numeric" value={v.minutes} onChange={(e) => set('minutes', e.target.value)} />}
        </Field>
        {withCredentials && (
          <Field
            label="Shared with"
            error={errors.shares}
            hint="Organizations that may pull what these credentials may read, by their short names."
            className="sm:col-span-2"
          >
            {(c) => <Input {...c} mono placeholder={org} value={v.shares} onChange={(e) => set('shares', e.target.value)} />}
          </Field>
        )}
      </div>
      {item?.credentials && (
        <Switch
          checked={v.forget}
          onChange={(on) => set('forget', on)}
          label="Remove the password or token"
          hint="What they let in is removed from the cache as well."
        />
      )}
      {!withCredentials && (
        <Switch
          checked={v.anonymous}
          onChange={(on) => set('anonymous', on)}
          label="Pull without a login"
          hint="Everybody who reaches the registry; Docker’s registry-mirrors needs it."
        />
      )}
      <Switch
        checked={v.allowPrivate}
        onChange={(on) => set('allowPrivate', on)}
        label="It may lie inside this network"
        hint="For a registry of your own. Otherwise only public addresses are connected to."
      />
      {item && (
        <Switch
          checked={v.enabled}
          onChange={(on) => set('enabled', on)}
          label="In use"
          hint="Off, nothing is pulled through it; what was kept stays."
        />
      )}
      <TestOutcome outcome={test.data} />
      <InlineError error={create.error ?? update.error ?? test.error} />
      <DialogFooter
        action={item ? 'Save' : 'Add'}
        pending={pending}
        onCancel={() => onOpenChange(false)}
        onTest={tryOut}
        testing={test.isPending}
      />
    </form>
  )
}
