'use client'
import type { inputs, views } from '@slipway/contracts'
import { Field, Input } from '@slipway/ui'
import { scaled, shown } from '@/components/settings/numbers'

/** What the form begins with where there are no rules yet: a careful start, which nothing holds until it is saved. */
const SUGGESTED: views.RetentionRulesView = {
  repositories: '*',
  keepLast: 20,
  keepUsedDays: 30,
  keepTags: [],
  keepDeployments: 10,
  untaggedDays: 14,
}

export const retentionValues = (rules: views.RetentionRulesView | null) => {
  const from = rules ?? SUGGESTED
  return {
    repositories: from.repositories,
    keepLast: shown(from.keepLast, 1),
    keepUsedDays: shown(from.keepUsedDays, 1),
    keepTags: from.keepTags.join(' '),
    keepDeployments: shown(from.keepDeployments, 1),
    untaggedDays: shown(from.untaggedDays, 1),
  }
}
export type RetentionValues = ReturnType<typeof retentionValues>

export const retentionRulesOf = (v: RetentionValues): inputs.RetentionRulesInput => ({
  repositories: v.repositories.trim(),
  keepLast: scaled(v.keepLast, 1),
  keepUsedDays: scaled(v.keepUsedDays, 1),
  keepTags: v.keepTags.split(/[\s,]+/).filter(Boolean),
  // Empty is refused with the schema's words instead of being filled in.
  keepDeployments: scaled(v.keepDeployments, 1) ?? Number.NaN,
  untaggedDays: scaled(v.untaggedDays, 1),
})

/** The input of a path of the schema. */
export const retentionField = (path: string) => path.replace(/^rules\./, '').replace(/^keepTags\..*$/, 'keepTags')

interface Props {
  form: {
    values: RetentionValues
    errors: Record<string, string>
    set: <K extends keyof RetentionValues>(key: K, value: string) => void
  }
  /** Of an organization: for which repositories. */
  pattern?: boolean
}

export function RetentionFields({ form, pattern }: Props) {
  const { values: v, errors, set } = form
  const number = (name: 'keepLast' | 'keepUsedDays' | 'keepDeployments' | 'untaggedDays', label: string, hint: string, optional = true) => (
    <Field label={label} optional={optional} error={errors[name]} hint={hint}>
      {(c) => <Input {...c} mono inputMode="numeric" value={v[name]} onChange={(e) => set(name, e.target.value)} />}
    </Field>
  )
  return (
    <div className="grid gap-4 sm:grid-cols-2">
      {number('keepLast', 'Keep the last tags', 'So many of each repository, by push.')}
      {number('keepUsedDays', 'Keep tags used within, days', 'Pushed or pulled.')}
      <Field label="Keep tags called" optional error={errors.keepTags} hint="Names or patterns, with spaces between them: v* latest">
        {(c) => <Input {...c} mono value={v.keepTags} onChange={(e) => set('keepTags', e.target.value)} />}
      </Field>
      {number(
        'keepDeployments',
        'Keep for rolling back, deployments',
        'Images of each app’s last ones; those that run always stay.',
        false,
      )}
      {number('untaggedDays', 'Remove untagged images after, days', 'What no tag names any more. Empty: they stay.')}
      {pattern && (
        <Field label="In repositories" error={errors.repositories} hint="A name or a pattern; * for all that have no rules of their own.">
          {(c) => <Input {...c} mono value={v.repositories} onChange={(e) => set('repositories', e.target.value)} />}
        </Field>
      )}
    </div>
  )
}
