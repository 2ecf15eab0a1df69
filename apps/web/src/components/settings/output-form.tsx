'use client'
import type { views } from '@slipway/contracts'
import { Field, Select, Switch } from '@slipway/ui'
import { AppForm } from './app-form'

type Format = views.AppView['settings']['imageFormat']

const FORMATS: { value: Format; label: string; hint: string }[] = [
  { value: 'oci_gzip', label: 'OCI, gzip', hint: 'Every registry and every engine takes it.' },
  { value: 'oci_zstd', label: 'OCI, zstd', hint: 'Unpacks faster and is smaller. Needs Docker 23, containerd 1.5 or Podman 4.' },
  { value: 'docker_gzip', label: 'Docker v2, gzip', hint: 'For tools that are older than OCI’s media types.' },
]

const valuesOf = ({ settings: s }: views.AppView) => ({ imageFormat: s.imageFormat, reproducible: s.reproducible })
const inputOf = (v: ReturnType<typeof valuesOf>) => v

/** How the image that a build makes is written down. */
export function OutputForm({ org, app }: { org: string; app: views.AppView }) {
  return (
    <AppForm org={org} app={app} title="Image" note="The next build makes it so." valuesOf={valuesOf} inputOf={inputOf}>
      {({ values: v, errors, set }) => (
        <>
          <Field label="Format" error={errors.imageFormat} hint={FORMATS.find((format) => format.value === v.imageFormat)?.hint}>
            {(c) => <Select {...c} value={v.imageFormat} options={FORMATS} onChange={(next) => set('imageFormat', next)} />}
          </Field>
          <Switch
            checked={v.reproducible}
            onChange={(on) => set('reproducible', on)}
            label="Reproducible"
            hint="Times in the image are the commit’s, so that the same commit gives the same digest. A build variable SOURCE_DATE_EPOCH gives another time."
          />
        </>
      )}
    </AppForm>
  )
}
