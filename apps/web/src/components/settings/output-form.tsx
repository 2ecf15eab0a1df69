'use client'
import type { views } from '@slipway/contracts'
import { Field, Input, Select, Switch } from '@slipway/ui'
import { AppForm } from './app-form'

type Format = views.AppView['settings']['imageFormat']

const FORMATS: { value: Format; label: string; hint: string }[] = [
  { value: 'oci_gzip', label: 'OCI, gzip', hint: 'Every registry and every engine takes it.' },
  { value: 'oci_zstd', label: 'OCI, zstd', hint: 'Unpacks faster and is smaller. Needs Docker 23, containerd 1.5 or Podman 4.' },
  { value: 'docker_gzip', label: 'Docker v2, gzip', hint: 'For tools that are older than OCI’s media types.' },
  {
    value: 'oci_uncompressed',
    label: 'OCI, not compressed',
    hint: 'Plain tars: quick to make where lines and disks are wide, several times as large everywhere else.',
  },
]

const valuesOf = ({ settings: s }: views.AppView) => ({
  imageFormat: s.imageFormat,
  platforms: s.platforms.join(', '),
  reproducible: s.reproducible,
})
const inputOf = (v: ReturnType<typeof valuesOf>) => ({ ...v, platforms: v.platforms.split(/[\s,]+/).filter((platform) => platform !== '') })

/** How the image that a build makes is written down. */
export function OutputForm({ org, app }: { org: string; app: views.AppView }) {
  return (
    <AppForm org={org} app={app} title="Image" note="The next build makes it so." valuesOf={valuesOf} inputOf={inputOf}>
      {({ values: v, errors, set }) => (
        <>
          <Field label="Format" error={errors.imageFormat} hint={FORMATS.find((format) => format.value === v.imageFormat)?.hint}>
            {(c) => <Select {...c} value={v.imageFormat} options={FORMATS} onChange={(next) => set('imageFormat', next)} />}
          </Field>
          <Field
            label="Platforms"
            error={errors.platforms ?? Object.entries(errors).find(([key]) => key.startsWith('platforms.'))?.[1]}
            hint="Separated by commas; several make one image for all of them. Nothing is emulated: RUN needs a stage FROM --platform=$BUILDPLATFORM. Empty: the build host’s own."
          >
            {(c) => (
              <Input
                {...c}
                mono
                placeholder="linux/amd64, linux/arm64"
                value={v.platforms}
                onChange={(e) => set('platforms', e.target.value)}
              />
            )}
          </Field>
          <Switch
            checked={v.reproducible}
            onChange={(on) => set('reproducible', on)}
            label="Reproducible"
            hint="Times in the image are the commit’s, so that the same commit gives the same digest; files from slipway build are dated 1970. A build variable SOURCE_DATE_EPOCH gives another time."
          />
        </>
      )}
    </AppForm>
  )
}
