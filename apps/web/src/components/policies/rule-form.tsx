'use client'
import { inputs, type views } from '@slipway/contracts'
import { Button, Dialog, Field, Input, Segmented, Switch } from '@slipway/ui'
import type { FormEvent } from 'react'
import { InlineError } from '@/components/load'
import { useForm } from '@/lib/use-form'
import { RULE_TEXT } from './words'

export interface RuleValues {
  kind: views.TagRuleView['kind']
  tags: string
  repositories: string
  builds: boolean
}
const EMPTY: RuleValues = { kind: 'immutable', tags: '', repositories: '*', builds: true }
/** Of either place: the same fields, without where it is. */
const schema = inputs.addTagRule.omit({ org: true })
const KINDS = (['immutable', 'protected'] as const).map((value) => ({ value, label: RULE_TEXT[value].label }))

interface Props {
  scope: 'organization' | 'repository'
  open: boolean
  pending: boolean
  error: unknown
  onOpenChange: (open: boolean) => void
  onSubmit: (rule: RuleValues) => void
}

export function RuleForm(props: Props) {
  return (
    <Dialog open={props.open} onOpenChange={props.onOpenChange} title="Add a tag rule">
      {props.open && <Fields {...props} />}
    </Dialog>
  )
}

function Fields({ scope, pending, error, onOpenChange, onSubmit }: Props) {
  const form = useForm(EMPTY)
  const { values: v, errors, set } = form
  const submit = (event: FormEvent) => {
    event.preventDefault()
    const rule = form.check(schema, { ...v, tags: v.tags.trim(), repositories: v.repositories.trim() })
    if (rule && !pending) onSubmit(rule)
  }
  return (
    <form className="grid gap-4" onSubmit={submit} noValidate>
      <div className="grid justify-items-start gap-1.5">
        <Segmented label="Kind of rule" value={v.kind} segments={KINDS} onChange={(kind) => set('kind', kind)} />
        <p className="text-ink-3 text-xs">{RULE_TEXT[v.kind].hint}</p>
      </div>
      <Field
        label="Tags"
        error={errors.tags}
        hint="A name or a pattern: * stands for any characters, ? for one. For example v* or release-?.?"
      >
        {(c) => <Input {...c} mono autoFocus placeholder="v*" value={v.tags} onChange={(e) => set('tags', e.target.value)} />}
      </Field>
      {scope === 'organization' && (
        <Field label="In repositories" error={errors.repositories} hint="A name or a pattern; * for all, new ones too.">
          {(c) => <Input {...c} mono value={v.repositories} onChange={(e) => set('repositories', e.target.value)} />}
        </Field>
      )}
      {v.kind === 'protected' && (
        <Switch
          checked={v.builds}
          onChange={(on) => set('builds', on)}
          label="Builds may push it"
          hint="Otherwise a build whose branch makes this tag fails at its end."
        />
      )}
      <InlineError error={error} />
      <div className="flex justify-end gap-2">
        <Button onClick={() => onOpenChange(false)}>Cancel</Button>
        <Button type="submit" variant="primary" pending={pending}>
          Add
        </Button>
      </div>
    </form>
  )
}
