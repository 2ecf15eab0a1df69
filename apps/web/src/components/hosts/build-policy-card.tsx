'use client'
import { inputs, type views } from '@slipway/contracts'
import { formatBytes } from '@slipway/core'
import { Card, CardHeader, ConfirmDialog, Field, Input, StatusPill, toast } from '@slipway/ui'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { InlineError, Load } from '@/components/load'
import { count } from '@/components/organization/build-cache-card'
import { scaled, shown } from '@/components/settings/numbers'
import { SettingsCard } from '@/components/settings/settings-card'
import { useTRPC } from '@/lib/trpc'
import { useForm } from '@/lib/use-form'

const TITLE = 'Build cache and disk'
const GIGABYTE = 1_000_000_000

const valuesOf = (set: views.BuildPolicyView['set']) => ({
  max: shown(set?.maxBytes ?? null, GIGABYTE),
  unused: shown(set?.unusedDays ?? null, 1),
  keep: shown(set?.keepDays ?? null, 1),
  reserve: shown(set?.reserveBytes ?? null, GIGABYTE),
  step: shown(set?.stepDiskBytes ?? null, GIGABYTE),
})
const policyOf = (v: ReturnType<typeof valuesOf>) => ({
  maxBytes: scaled(v.max, GIGABYTE),
  unusedDays: scaled(v.unused, 1),
  keepDays: scaled(v.keep, 1),
  reserveBytes: scaled(v.reserve, GIGABYTE),
  stepDiskBytes: scaled(v.step, GIGABYTE),
})

/** What a host keeps of builds, for all organizations: for those who run the installation. */
export function BuildPolicyCard({ org, host }: { org: string; host: views.HostView }) {
  const trpc = useTRPC()
  const query = useQuery(trpc.hosts.buildPolicy.queryOptions({ org, host: host.id }))
  if (query.data) return <PolicyForm org={org} host={host} view={query.data} />
  return (
    <Card>
      <CardHeader title={TITLE} />
      <Load query={query} what="the limits of the build cache">
        {() => null}
      </Load>
    </Card>
  )
}

function PolicyForm({ org, host, view }: { org: string; host: views.HostView; view: views.BuildPolicyView }) {
  const trpc = useTRPC()
  const client = useQueryClient()
  const form = useForm(valuesOf(view.set))
  const { values: v, errors, set } = form
  const [asked, setAsked] = useState<ReturnType<typeof policyOf> | null>(null)
  const key = { org, host: host.id }
  const save = useMutation(
    trpc.hosts.setBuildPolicy.mutationOptions({
      meta: { quiet: true },
      onSuccess: (next) => {
        client.setQueryData(trpc.hosts.buildPolicy.queryKey(key), next)
        form.reset(valuesOf(next.set))
        setAsked(null)
        toast('Limits saved', { description: next.applied ? 'They hold from now on.' : 'The host gets them as soon as it is back.' })
        void client.invalidateQueries(trpc.buildCache.get.queryFilter({ org }))
      },
    }),
  )
  const submit = () => {
    const input = form.check(inputs.setBuildPolicy, { ...key, policy: policyOf(v) }, (path) => FIELDS[path] ?? path)
    if (input) setAsked(policyOf(v))
  }
  const { defaults, disk } = view
  const number = (name: keyof typeof v, label: string, placeholder: string, hint: string) => (
    <Field label={label} optional error={errors[name]} hint={hint}>
      {(c) => (
        <Input {...c} mono inputMode="decimal" placeholder={placeholder} value={v[name]} onChange={(e) => set(name, e.target.value)} />
      )}
    </Field>
  )
  return (
    <>
      <SettingsCard
        title={`${TITLE} of ${host.name}`}
        dirty={form.dirty}
        pending={save.isPending}
        error={asked === null ? save.error : null}
        onSubmit={submit}
        onDiscard={() => form.reset(valuesOf(view.set))}
      >
        <p className="text-ink-2 text-sm">
          For the builds of all organizations. {formatBytes(disk.free)} of {formatBytes(disk.total)} are free.{' '}
          {!view.applied && <StatusPill tone="busy">Not yet on the host</StatusPill>}
        </p>
        <div className="grid gap-4 sm:grid-cols-2">
          {number('max', 'Size of the cache, GB', shown(defaults.maxBytes, GIGABYTE), 'Above it, what was used longest ago goes.')}
          {number('unused', 'Unused for, days', String(defaults.unusedDays), 'Goes even below the size; 0: never for its age.')}
          {number('keep', 'Used within, days', String(defaults.keepDays), 'Stays even above the size.')}
          {number(
            'reserve',
            'Left free on the disk, GB',
            shown(defaults.reserveBytes ?? disk.reserve, GIGABYTE),
            'Below it caches go, then the step that wrote most is ended.',
          )}
          {number(
            'step',
            'Disk of one step, GB',
            defaults.stepDiskBytes === null ? 'as the app says' : shown(defaults.stepDiskBytes, GIGABYTE),
            'At most, whatever an app’s settings allow.',
          )}
        </div>
      </SettingsCard>
      <SaveDialog
        input={asked && { ...key, policy: asked }}
        pending={save.isPending}
        error={save.error}
        onClose={() => {
          setAsked(null)
          save.reset()
        }}
        onConfirm={() => asked && save.mutate({ ...key, policy: asked })}
      />
    </>
  )
}

/** Names of the policy's fields, as the form calls them. */
const FIELDS: Record<string, string> = {
  'policy.maxBytes': 'max',
  'policy.unusedDays': 'unused',
  'policy.keepDays': 'keep',
  'policy.reserveBytes': 'reserve',
  'policy.stepDiskBytes': 'step',
}

/** Shows what would go before anything is kept. */
function SaveDialog({
  input,
  pending,
  error,
  onClose,
  onConfirm,
}: {
  input: { org: string; host: string; policy: ReturnType<typeof policyOf> } | null
  pending: boolean
  error: unknown
  onClose: () => void
  onConfirm: () => void
}) {
  const trpc = useTRPC()
  // Always anew: builds use and fill the cache meanwhile.
  const preview = useQuery(
    trpc.hosts.previewBuildPolicy.queryOptions(input ?? { org: '', host: '', policy: {} }, {
      enabled: input !== null,
      staleTime: 0,
      gcTime: 0,
      retry: false,
    }),
  )
  const gone = preview.data
  const removes = gone !== undefined && gone.layers + gone.mounts > 0
  return (
    <ConfirmDialog
      open={input !== null}
      onOpenChange={(open) => !open && onClose()}
      title="Save these limits"
      action={removes ? `Save and remove ${formatBytes(gone.bytes)}` : 'Save'}
      danger={removes}
      disabled={gone === undefined}
      pending={pending}
      error={<InlineError error={error} />}
      onConfirm={onConfirm}
    >
      <Load query={preview} what="what would go">
        {({ bytes, layers, mounts }) =>
          layers + mounts === 0 ? (
            <p>Nothing that is cached now goes.</p>
          ) : (
            <p>
              {count(layers, 'step')} and {count(mounts, 'cache mount')} of all organizations go at once; {formatBytes(bytes)} come free.
              Builds that need them do the work again. Images and what runs stay as they are.
            </p>
          )
        }
      </Load>
    </ConfirmDialog>
  )
}
