'use client'
import { inputs } from '@slipway/contracts'
import { Card, CardHeader, Field, Input, Textarea } from '@slipway/ui'
import type { FormEvent } from 'react'
import { InlineError } from '@/components/load'
import { SaveFooter } from '@/components/settings/form-footer'
import { useForm } from '@/lib/use-form'
import type { AboutProps } from './repository-about'
import { useSaveAbout } from './use-save-about'

const textOf = (labels: Record<string, string>) =>
  Object.entries(labels)
    .map(([key, value]) => (value === '' ? key : `${key}=${value}`))
    .join('\n')

/** One per line; what follows the first `=` is the value. */
export function labelsOf(text: string): Record<string, string> {
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean)
  return Object.fromEntries(
    lines.map((line) => {
      const [key = '', ...value] = line.split('=')
      return [key.trim(), value.join('=').trim()]
    }),
  )
}

const fieldOf = (path: string) => (path.startsWith('labels') ? 'labels' : path)

export function FactsForm({ org, repository, about, onDone }: AboutProps & { onDone: () => void }) {
  const form = useForm({ description: about.description, labels: textOf(about.labels) })
  const { values: v, errors, set } = form
  const save = useSaveAbout(org, repository, form.refuse, onDone)
  const submit = (event: FormEvent) => {
    event.preventDefault()
    const input = form.check(inputs.setAbout, { org, repository, description: v.description, labels: labelsOf(v.labels) }, fieldOf)
    if (input && !save.isPending) save.mutate(input)
  }
  return (
    <Card aria-label="Description">
      <form onSubmit={submit} noValidate>
        <CardHeader title="Description" />
        <div className="grid gap-4 p-4">
          <Field label="In a line" optional error={errors.description} hint="Shown in lists, found by the search.">
            {(c) => <Input {...c} autoFocus value={v.description} onChange={(e) => set('description', e.target.value)} />}
          </Field>
          <Field label="Labels" optional error={errors.labels} hint="One per line: team=core">
            {(c) => <Textarea {...c} mono rows={4} spellCheck={false} value={v.labels} onChange={(e) => set('labels', e.target.value)} />}
          </Field>
          <InlineError error={save.error} />
        </div>
        <SaveFooter canSave={form.dirty} pending={save.isPending} onLeave={onDone} />
      </form>
    </Card>
  )
}
