'use client'
import { inputs, type views } from '@slipway/contracts'
import { Field, Input } from '@slipway/ui'
import { numberOrNull, RuntimeFields } from '@/components/new-app/form-parts'
import { useForm } from '@/lib/use-form'
import { SettingsCard } from './settings-card'
import { useUpdate } from './use-update'

const MEGABYTE = 1_000_000

const valuesOf = ({ settings: s }: views.AppView) => ({
  port: s.port === null ? '' : String(s.port),
  healthPath: s.healthPath,
  healthTimeoutSeconds: String(s.healthTimeoutSeconds),
  memory: s.memoryLimitBytes === null ? '' : String(Math.round((s.memoryLimitBytes / MEGABYTE) * 10) / 10),
  cpu: s.cpuLimitMillis === null ? '' : String(s.cpuLimitMillis / 1000),
})

/** How the app is run: port, health check, limits. */
export function RuntimeForm({ org, app }: { org: string; app: views.AppView }) {
  const form = useForm(valuesOf(app))
  const { values: v, errors, set } = form
  const update = useUpdate(org, app.slug, {
    saved: () => form.setDirty(false),
    refuse: form.refuse,
    note: app.serving ? 'What serves now keeps the old ones until the next deployment.' : 'The next deployment takes them.',
  })
  const submit = () => {
    const memory = numberOrNull(v.memory)
    const cpu = numberOrNull(v.cpu)
    const part = {
      port: numberOrNull(v.port),
      healthPath: v.healthPath,
      healthTimeoutSeconds: Number(v.healthTimeoutSeconds),
      memoryLimitBytes: memory === null ? null : Math.round(memory * MEGABYTE),
      cpuLimitMillis: cpu === null ? null : Math.round(cpu * 1000),
    }
    const input = form.check(inputs.updateApp, { org, app: app.slug, ...part })
    if (input) update.mutate(input)
  }
  return (
    <SettingsCard
      title="Running"
      dirty={form.dirty}
      pending={update.isPending}
      error={update.error}
      onSubmit={submit}
      onDiscard={() => {
        form.reset(valuesOf(app))
        update.reset()
      }}
    >
      <RuntimeFields values={v} errors={errors} set={set} />
      <div className="grid gap-4 sm:grid-cols-3">
        <Field
          label="Seconds until healthy"
          error={errors.healthTimeoutSeconds}
          hint="Then the deployment fails and the old version keeps serving."
        >
          {(c) => (
            <Input
              {...c}
              mono
              inputMode="numeric"
              value={v.healthTimeoutSeconds}
              onChange={(e) => set('healthTimeoutSeconds', e.target.value)}
            />
          )}
        </Field>
        <Field label="Memory limit, MB" optional error={errors.memoryLimitBytes} hint="Empty: no limit.">
          {(c) => (
            <Input {...c} mono inputMode="decimal" placeholder="512" value={v.memory} onChange={(e) => set('memory', e.target.value)} />
          )}
        </Field>
        <Field label="CPU limit, cores" optional error={errors.cpuLimitMillis} hint="Empty: no limit.">
          {(c) => <Input {...c} mono inputMode="decimal" placeholder="0.5" value={v.cpu} onChange={(e) => set('cpu', e.target.value)} />}
        </Field>
      </div>
    </SettingsCard>
  )
}
