'use client'
import type { views } from '@slipway/contracts'
import { Field, Input } from '@slipway/ui'
import { numberOrNull, RuntimeFields } from '@/components/new-app/form-parts'
import { AppForm } from './app-form'
import { MEGABYTE, scaled, shown } from './numbers'

const valuesOf = ({ settings: s }: views.AppView) => ({
  port: s.port === null ? '' : String(s.port),
  healthPath: s.healthPath,
  healthTimeoutSeconds: String(s.healthTimeoutSeconds),
  memory: shown(s.memoryLimitBytes, MEGABYTE),
  cpu: s.cpuLimitMillis === null ? '' : String(s.cpuLimitMillis / 1000),
})
const inputOf = (v: ReturnType<typeof valuesOf>) => ({
  port: numberOrNull(v.port),
  healthPath: v.healthPath,
  healthTimeoutSeconds: Number(v.healthTimeoutSeconds),
  memoryLimitBytes: scaled(v.memory, MEGABYTE),
  cpuLimitMillis: scaled(v.cpu, 1000),
})

/** How the app is run: port, health check, limits. */
export function RuntimeForm({ org, app }: { org: string; app: views.AppView }) {
  const note = app.serving ? 'What serves now keeps the old ones until the next deployment.' : 'The next deployment takes them.'
  return (
    <AppForm org={org} app={app} title="Running" note={note} valuesOf={valuesOf} inputOf={inputOf}>
      {({ values: v, errors, set }) => (
        <>
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
              {(c) => (
                <Input {...c} mono inputMode="decimal" placeholder="0.5" value={v.cpu} onChange={(e) => set('cpu', e.target.value)} />
              )}
            </Field>
          </div>
        </>
      )}
    </AppForm>
  )
}
