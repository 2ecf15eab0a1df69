'use client'
import type { views } from '@slipway/contracts'
import { Field, Input, Select, Switch } from '@slipway/ui'
import { AppForm } from './app-form'
import { MEGABYTE, scaled, shown } from './numbers'

const SHARES: { value: views.AppView['settings']['buildCacheShare']; label: string }[] = [
  { value: 'off', label: 'Off' },
  { value: 'image', label: 'Steps of the image' },
  { value: 'all', label: 'Steps of all stages' },
]
const valuesOf = ({ settings: s }: views.AppView) => ({
  memory: shown(s.buildMemoryBytes, MEGABYTE),
  cpu: shown(s.buildCpuMillis, 1000),
  pids: shown(s.buildPids, 1),
  disk: shown(s.buildDiskBytes, MEGABYTE),
  minutes: shown(s.buildTimeoutSeconds, 60),
  share: s.buildCacheShare,
  provenance: s.provenance,
  sbom: s.sbom,
})
const inputOf = (v: ReturnType<typeof valuesOf>) => ({
  buildMemoryBytes: scaled(v.memory, MEGABYTE),
  buildCpuMillis: scaled(v.cpu, 1000),
  buildPids: scaled(v.pids, 1),
  buildDiskBytes: scaled(v.disk, MEGABYTE),
  buildTimeoutSeconds: scaled(v.minutes, 60),
  buildCacheShare: v.share,
  provenance: v.provenance,
  sbom: v.sbom,
})

/** What one build may take of its host, all its steps together, and what it attaches to its image. */
export function BuildForm({ org, app }: { org: string; app: views.AppView }) {
  return (
    <AppForm org={org} app={app} title="Build" note="The next build takes them." valuesOf={valuesOf} inputOf={inputOf}>
      {({ values: v, errors, set }) => (
        <>
          <div className="grid gap-4 sm:grid-cols-2">
            <Field
              label="Memory, MB"
              optional
              error={errors.buildMemoryBytes}
              hint="Empty: three quarters of the host’s, divided by how many builds run at once."
            >
              {(c) => (
                <Input
                  {...c}
                  mono
                  inputMode="decimal"
                  placeholder="2048"
                  value={v.memory}
                  onChange={(e) => set('memory', e.target.value)}
                />
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
            <Field label="Disk of a step, MB" optional error={errors.buildDiskBytes} hint="Empty: 20 GiB.">
              {(c) => (
                <Input {...c} mono inputMode="decimal" placeholder="4000" value={v.disk} onChange={(e) => set('disk', e.target.value)} />
              )}
            </Field>
            <Field label="Time, minutes" optional error={errors.buildTimeoutSeconds} hint="Empty: 30.">
              {(c) => (
                <Input
                  {...c}
                  mono
                  inputMode="decimal"
                  placeholder="30"
                  value={v.minutes}
                  onChange={(e) => set('minutes', e.target.value)}
                />
              )}
            </Field>
            <Field
              label="Cache in the registry"
              error={errors.buildCacheShare}
              hint="Lets another host, or this one after a clean-up, begin warm."
            >
              {(c) => <Select {...c} value={v.share} options={SHARES} onChange={(share) => set('share', share)} />}
            </Field>
          </div>
          <Switch
            checked={v.sbom}
            onChange={(on) => set('sbom', on)}
            label="List the image’s packages"
            hint="An SBOM (SPDX) that names every package with its version and licence, attached to the image in the registry."
          />
          <Switch
            checked={v.provenance}
            onChange={(on) => set('provenance', on)}
            label="Record where the image comes from"
            hint="Provenance (SLSA): commit, base images and build arguments. Values of secret variables are never in it."
          />
        </>
      )}
    </AppForm>
  )
}
