'use client'
import { inputs } from '@slipway/contracts'
import { Card, CardHeader, Field, Segmented, Textarea } from '@slipway/ui'
import { type FormEvent, useState } from 'react'
import { InlineError } from '@/components/load'
import { SaveFooter } from '@/components/settings/form-footer'
import { useForm } from '@/lib/use-form'
import { type AboutProps, LazyMarkdown } from './repository-about'
import { useSaveAbout } from './use-save-about'

const VIEWS = [
  { value: 'write', label: 'Write' },
  { value: 'preview', label: 'Preview' },
] as const

export function ReadmeForm({ org, repository, about, onDone }: AboutProps & { onDone: () => void }) {
  const form = useForm({ readme: about.readme })
  const [shown, setShown] = useState<'write' | 'preview'>('write')
  const save = useSaveAbout(org, repository, form.refuse, onDone)
  const submit = (event: FormEvent) => {
    event.preventDefault()
    const input = form.check(inputs.setAbout, { org, repository, readme: form.values.readme })
    if (input && !save.isPending) save.mutate(input)
    else if (!input) setShown('write')
  }
  return (
    <Card aria-label="README">
      <form onSubmit={submit} noValidate>
        <CardHeader title="README" aside={<Segmented label="Show" value={shown} segments={[...VIEWS]} onChange={setShown} />} />
        <div className="grid gap-4 p-4">
          {shown === 'write' ? (
            <Field
              label="Markdown"
              error={form.errors.readme}
              hint="Raw HTML is left out, and images become links: nothing is loaded from other sites."
            >
              {(c) => (
                <Textarea
                  {...c}
                  mono
                  autoFocus
                  spellCheck={false}
                  className="min-h-96"
                  value={form.values.readme}
                  onChange={(e) => form.set('readme', e.target.value)}
                />
              )}
            </Field>
          ) : form.values.readme.trim() === '' ? (
            <p className="text-ink-3 text-sm">Nothing to show yet.</p>
          ) : (
            <LazyMarkdown source={form.values.readme} />
          )}
          <InlineError error={save.error} />
        </div>
        <SaveFooter canSave={form.dirty} pending={save.isPending} onLeave={onDone} />
      </form>
    </Card>
  )
}
