'use client'
import type { views } from '@slipway/contracts'
import { Field, Input } from '@slipway/ui'
import { AppForm } from './app-form'
import { MEGABYTE, scaled, shown } from './numbers'

const valuesOf = ({ settings: s }: views.AppView) => ({
  memory: shown(s.buildMemoryBytes, MEGABYTE),
  cpu: shown(s.buildCpuMillis, 1000),
  pids: shown(s.buildPids, 1),
  minutes: shown(s.buildTimeoutSeconds, 60),
})
const inputOf = (v: ReturnType<typeof valuesOf>) => ({
  buildMemoryBytes: scaled(v.memory, MEGABYTE),
  buildCpuMillis: scaled(v.cpu, 1000),
  buildPids: scaled(v.pids, 1),
  buildTimeoutSeconds: scaled(v.minutes, 60),
})

/** What one build may take of its host, all its steps together. */
export function BuildForm({ org, app }: { org: string; app: views.AppView }) {
  return (
    <AppForm org={org} app={app} title="Limits of a build" note="The next build takes them." valuesOf={valuesOf} inputOf={inputOf}>
      {({ values: v, errors, set }) => (
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
            {(c) => (
              <Input {...c} mono inputMode="numeric" placeholder="4096" value={v.pids} onChange={(e) => set('pids', e.target.value)} />
            )}
          </Field>
          <Field label="Time, minutes" optional error={errors.buildTimeoutSeconds} hint="Empty: 30.">
            {(c) => (
              <Input {...c} mono inputMode="decimal" placeholder="30" value={v.minutes} onChange={(e) => set('minutes', e.target.value)} />
            )}
          </Field>
        </div>
      )}
    </AppForm>
  )
}
