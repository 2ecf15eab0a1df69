'use client'
import { inputs, type views } from '@slipway/contracts'
import { Field, Input } from '@slipway/ui'
import { numberOrNull } from '@/components/new-app/form-parts'
import { useForm } from '@/lib/use-form'
import { SettingsCard } from './settings-card'
import { useUpdate } from './use-update'

const MEGABYTE = 1_000_000
const text = (value: number | null, per: number) => (value === null ? '' : String(Math.round((value / per) * 10) / 10))
const scaled = (value: string, by: number) => {
  const number = numberOrNull(value)
  return number === null ? null : Math.round(number * by)
}

const valuesOf = ({ settings: s }: views.AppView) => ({
  memory: text(s.buildMemoryBytes, MEGABYTE),
  cpu: text(s.buildCpuMillis, 1000),
  pids: text(s.buildPids, 1),
  minutes: text(s.buildTimeoutSeconds, 60),
})

/** What one build may take of its host, all its steps together. */
export function BuildForm({ org, app }: { org: string; app: views.AppView }) {
  const form = useForm(valuesOf(app))
  const { values: v, errors, set } = form
  const update = useUpdate(org, app.slug, {
    saved: () => form.setDirty(false),
    refuse: form.refuse,
    note: 'The next build takes them.',
  })
  const submit = () => {
    const input = form.check(inputs.updateApp, {
      org,
      app: app.slug,
      buildMemoryBytes: scaled(v.memory, MEGABYTE),
      buildCpuMillis: scaled(v.cpu, 1000),
      buildPids: scaled(v.pids, 1),
      buildTimeoutSeconds: scaled(v.minutes, 60),
    })
    if (input) update.mutate(input)
  }
  return (
    <SettingsCard
      title="Limits of a build"
      dirty={form.dirty}
      pending={update.isPending}
      error={update.error}
      onSubmit={submit}
      onDiscard={() => {
        form.reset(valuesOf(app))
        update.reset()
      }}
    >
      <div className="grid gap-4 sm:grid-cols-2">
        <Field label="Memory, MB" optional error={errors.buildMemoryBytes} hint="Empty: three quarters of the host’s.">
          {(c) => (
            <Input {...c} mono inputMode="decimal" placeholder="2048" value={v.memory} onChange={(e) => set('memory', e.target.value)} />
          )}
        </Field>
        <Field label="CPU, cores" optional error={errors.buildCpuMillis} hint="Empty: all that are free.">
          {(c) => <Input {...c} mono inputMode="decimal" placeholder="2" value={v.cpu} onChange={(e) => set('cpu', e.target.value)} />}
        </Field>
        <Field label="Processes" optional error={errors.buildPids} hint="Empty: 4096.">
          {(c) => <Input {...c} mono inputMode="numeric" placeholder="4096" value={v.pids} onChange={(e) => set('pids', e.target.value)} />}
        </Field>
        <Field label="Time, minutes" optional error={errors.buildTimeoutSeconds} hint="Empty: 30.">
          {(c) => (
            <Input {...c} mono inputMode="decimal" placeholder="30" value={v.minutes} onChange={(e) => set('minutes', e.target.value)} />
          )}
        </Field>
      </div>
    </SettingsCard>
  )
}
