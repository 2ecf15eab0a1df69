'use client'
import { inputs, type views } from '@slipway/contracts'
import { Dialog, Field, Input, Segmented, Select, Switch, toast } from '@slipway/ui'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import type { FormEvent } from 'react'
import { InlineError } from '@/components/load'
import { DialogFooter, TestOutcome } from '@/components/settings/form-footer'
import { useTRPC } from '@/lib/trpc'
import { useForm } from '@/lib/use-form'
import { everyWord, INTERVALS, whereTo } from './words'

type Rule = views.ReplicationRuleView

const valuesOf = (rule: Rule | null) => ({
  name: rule?.name ?? '',
  direction: rule?.direction ?? ('push' as Rule['direction']),
  remote: rule?.remote ?? '',
  username: rule?.username ?? '',
  password: '',
  /** The kept password or token goes. */
  forget: false,
  repositories: rule?.repositories.join(' ') ?? '*',
  tags: rule?.tags.join(' ') ?? '',
  target: rule?.target ?? '',
  onPush: rule?.onPush ?? false,
  every: rule?.everyMinutes == null ? '' : String(rule.everyMinutes),
  inside: rule?.inside ?? false,
})
type Values = ReturnType<typeof valuesOf>

const words = (text: string) => text.split(/[\s,]+/).filter(Boolean)
/** Undefined: it stays as it is. */
const passwordOf = ({ password, forget }: Values) => (password !== '' ? password : forget ? null : undefined)
const settingsOf = (v: Values, enabled: boolean) => ({
  name: v.name,
  direction: v.direction,
  remote: v.remote.trim(),
  username: v.username,
  password: passwordOf(v),
  repositories: words(v.repositories),
  tags: words(v.tags),
  target: v.target.trim().replace(/\/+$/, ''),
  onPush: v.onPush && v.direction === 'push',
  everyMinutes: v.every === '' ? null : Number(v.every),
  enabled,
  inside: v.inside,
})
const fieldOf = (path: string) => (path === 'everyMinutes' ? 'every' : (path.split('.')[0] ?? path))

interface Props {
  org: string
  /** null: a new one. */
  rule: Rule | null
  mayReachInside: boolean
  open: boolean
  onOpenChange: (open: boolean) => void
  onMade?: (id: string) => void
}

export function RuleForm(props: Props) {
  const { rule, open, onOpenChange } = props
  return (
    <Dialog open={open} onOpenChange={onOpenChange} wide title={rule ? 'Change the rule' : 'New rule'}>
      {open && <Fields {...props} />}
    </Dialog>
  )
}

function Fields({ org, rule, mayReachInside, onOpenChange, onMade }: Props) {
  const trpc = useTRPC()
  const client = useQueryClient()
  const form = useForm(valuesOf(rule))
  const { values: v, errors, set } = form
  const done = (id: string) => {
    toast(rule ? `${v.name} is changed` : `${v.name} is made`, rule ? undefined : { description: 'Run it to see what it copies.' })
    onOpenChange(false)
    void client.invalidateQueries(trpc.replication.list.queryFilter({ org }))
    if (!rule) onMade?.(id)
  }
  const options = { meta: { quiet: true }, onError: form.refuse, onSuccess: (made: { id: string }) => done(made.id) }
  const create = useMutation(trpc.replication.create.mutationOptions(options))
  const update = useMutation(trpc.replication.update.mutationOptions(options))
  const test = useMutation(trpc.replication.test.mutationOptions({ meta: { quiet: true } }))
  const pending = create.isPending || update.isPending
  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (pending) return
    const settings = { org, ...settingsOf(v, rule?.enabled ?? true) }
    if (rule) {
      const input = form.check(inputs.updateReplication, { ...settings, id: rule.id }, fieldOf)
      if (input) update.mutate(input)
    } else {
      const input = form.check(inputs.createReplication, settings, fieldOf)
      if (input) create.mutate(input)
    }
  }
  const tryOut = () => {
    const { remote, username, password, inside } = settingsOf(v, true)
    const input = form.check(inputs.testReplication, { org, remote, username, password, inside, ...(rule && { id: rule.id }) }, fieldOf)
    if (input && !test.isPending) test.mutate(input)
  }
  const push = v.direction === 'push'
  const has = rule?.credentials === true && !v.forget
  const intervals = INTERVALS.some(({ value }) => value === v.every)
    ? INTERVALS
    : [...INTERVALS, { value: v.every, label: everyWord(Number(v.every)) }]
  return (
    <form className="grid gap-4" onSubmit={submit} noValidate>
      <div className="mt-1 flex">
        <Segmented
          label="Direction"
          value={v.direction}
          segments={[
            { value: 'push', label: 'To another registry' },
            { value: 'pull', label: 'From another registry' },
          ]}
          onChange={(direction) => set('direction', direction)}
        />
      </div>
      <div className="grid gap-4 sm:grid-cols-2">
        <Field label="Name" error={errors.name}>
          {(c) => <Input {...c} autoFocus value={v.name} onChange={(e) => set('name', e.target.value)} />}
        </Field>
        <Field label="Address of the other registry" error={errors.remote}>
          {(c) => (
            <Input
              {...c}
              mono
              inputMode="url"
              placeholder="https://registry.example.com"
              value={v.remote}
              onChange={(e) => set('remote', e.target.value)}
            />
          )}
        </Field>
        <Field label="User name" optional error={errors.username}>
          {(c) => <Input {...c} autoComplete="off" value={v.username} onChange={(e) => set('username', e.target.value)} />}
        </Field>
        <Field
          label="Password or token"
          optional
          error={errors.password}
          hint={has ? 'One is kept. Enter another to replace it; it is never shown.' : 'Kept sealed, never shown again.'}
        >
          {(c) => (
            <Input
              {...c}
              type="password"
              autoComplete="new-password"
              value={v.password}
              onChange={(e) => set('password', e.target.value)}
            />
          )}
        </Field>
        <Field
          label="Repositories"
          error={errors.repositories}
          hint={
            push ? (
              <>
                Patterns as in <code className="font-mono">team/* api</code>.
              </>
            ) : (
              <>
                As they are called there. <code className="font-mono">*</code> needs a catalog, which Docker Hub has none of.
              </>
            )
          }
        >
          {(c) => <Input {...c} mono value={v.repositories} onChange={(e) => set('repositories', e.target.value)} />}
        </Field>
        <Field label="Tags" optional error={errors.tags} hint={<>Patterns; of none, all tags.</>}>
          {(c) => <Input {...c} mono placeholder="v* main" value={v.tags} onChange={(e) => set('tags', e.target.value)} />}
        </Field>
        <Field
          label="Prefix where they go to"
          optional
          error={errors.target}
          hint={
            <span className="break-all">
              They become {whereTo(org, { ...v, target: v.target.trim(), remote: v.remote || 'the registry' })}
            </span>
          }
        >
          {(c) => (
            <Input {...c} mono placeholder={push ? org : 'mirror'} value={v.target} onChange={(e) => set('target', e.target.value)} />
          )}
        </Field>
        <Field label="Runs" error={errors.every}>
          {(c) => (
            <Select
              {...c}
              value={v.every === '' ? 'hand' : v.every}
              options={intervals.map((one) => ({ ...one, value: one.value === '' ? 'hand' : one.value }))}
              onChange={(every) => set('every', every === 'hand' ? '' : every)}
            />
          )}
        </Field>
      </div>
      {push && (
        <Switch
          checked={v.onPush}
          onChange={(on) => set('onPush', on)}
          label="With each push"
          hint="A pushed tag that matches is copied at once."
        />
      )}
      {rule?.credentials && <Switch checked={v.forget} onChange={(on) => set('forget', on)} label="Remove the password or token" />}
      {(mayReachInside || v.inside) && (
        <Switch
          checked={v.inside}
          disabled={!mayReachInside}
          onChange={(on) => set('inside', on)}
          label="It may lie inside this network"
          hint="Private addresses are refused otherwise. For those who run the installation to allow."
        />
      )}
      <TestOutcome outcome={test.data} withCredentials={has || v.password !== ''} />
      <InlineError error={create.error ?? update.error ?? test.error} />
      <DialogFooter
        action={rule ? 'Save' : 'Create'}
        pending={pending}
        onCancel={() => onOpenChange(false)}
        onTest={tryOut}
        testing={test.isPending}
      />
    </form>
  )
}
