'use client'
import { inputs, type views } from '@slipway/contracts'
import type { ReactNode } from 'react'
import { useForm } from '@/lib/use-form'
import { SettingsCard } from './settings-card'
import { useUpdate } from './use-update'

/**
 * A card of settings that `updateApp` saves. `valuesOf` gives what the inputs show of an app, `inputOf` what is sent for them;
 * both are pure and named outside of the component, so that Discard goes back to what is stored.
 */
export function AppForm<T extends object>({
  org,
  app,
  title,
  note,
  valuesOf,
  inputOf,
  children,
}: {
  org: string
  app: views.AppView
  title: string
  /** Said after saving: when the settings begin to count. */
  note: string
  valuesOf: (app: views.AppView) => T
  inputOf: (values: T) => object
  children: (form: ReturnType<typeof useForm<T>>) => ReactNode
}) {
  const form = useForm(valuesOf(app))
  const update = useUpdate(org, app.slug, { saved: () => form.setDirty(false), refuse: form.refuse, note })
  const submit = () => {
    const input = form.check(inputs.updateApp, { org, app: app.slug, ...inputOf(form.values) })
    if (input) update.mutate(input)
  }
  return (
    <SettingsCard
      title={title}
      dirty={form.dirty}
      pending={update.isPending}
      error={update.error}
      onSubmit={submit}
      onDiscard={() => {
        form.reset(valuesOf(app))
        update.reset()
      }}
    >
      {children(form)}
    </SettingsCard>
  )
}
