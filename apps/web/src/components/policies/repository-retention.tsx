'use client'
import { inputs, type views } from '@slipway/contracts'
import { formatBytes } from '@slipway/core'
import { Button, Callout, Card, CardHeader, KeyValue, Link, Segmented, TimeAgo, toast } from '@slipway/ui'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { routes } from '@/lib/routes'
import { useTRPC } from '@/lib/trpc'
import { useForm } from '@/lib/use-form'
import { DryRunDialog } from './dry-run'
import type { PoliciesProps } from './repository-policies'
import { RetentionFields, retentionField, retentionRulesOf, retentionValues } from './retention-fields'
import { useRepositoryDryRun } from './use-dry-run'
import { goneText, keepsText, plural } from './words'

type Choice = 'organization' | 'own' | 'keep'
const CHOICES: { value: Choice; label: string }[] = [
  { value: 'organization', label: 'The organization’s' },
  { value: 'own', label: 'Its own' },
  { value: 'keep', label: 'Keep everything' },
]
const choiceOf = ({ retention }: views.RepositoryPoliciesView): Choice =>
  retention === null ? 'organization' : retention === 'keep' ? 'keep' : 'own'
const ownOf = ({ retention, inheritedRetention }: views.RepositoryPoliciesView) =>
  retention !== null && retention !== 'keep' ? retention : inheritedRetention

/** `rules`: as they stand in the form; undefined where there are none to try: the ones that hold. */
type Asked = { what: 'dry-run' | 'save'; rules: inputs.RetentionRulesInput | 'keep' | null } | null

export function RepositoryRetention({ org, repository, policies }: PoliciesProps) {
  const trpc = useTRPC()
  const client = useQueryClient()
  const [choice, setChoice] = useState<Choice>(choiceOf(policies))
  const form = useForm(retentionValues(ownOf(policies)))
  const [asked, setAsked] = useState<Asked>(null)
  const tried = asked && triedRules(asked.rules, policies)
  const preview = useRepositoryDryRun(org, repository, tried)
  const save = useMutation(
    trpc.repositories.setRetention.mutationOptions({
      meta: { quiet: true },
      onSuccess: (next) => {
        client.setQueryData(trpc.repositories.policies.queryKey({ org, repository }), next)
        form.reset(retentionValues(ownOf(next)))
        setAsked(null)
        toast('Retention is set')
      },
    }),
  )
  /** What the form says; null: it is not right, and shows where. Undefined: the organization's. */
  const chosen = () => {
    if (choice === 'keep') return 'keep' as const
    if (choice === 'organization') return undefined
    return form.check(inputs.retentionRules, { ...retentionRulesOf(form.values), repositories: '*' }, retentionField)
  }
  const ask = (what: 'dry-run' | 'save') => {
    const rules = chosen()
    if (rules !== null) setAsked({ what, rules: rules ?? null })
  }
  const close = () => {
    setAsked(null)
    save.reset()
  }
  const changed = choice !== choiceOf(policies) || (choice === 'own' && form.dirty)
  const nothingGoes = asked !== null && !tried
  const { mayManage } = policies
  return (
    <Card aria-label="Retention">
      <form
        noValidate
        onSubmit={(event: FormEvent) => {
          event.preventDefault()
          ask('save')
        }}
      >
        <CardHeader title="Retention" />
        <div className="grid gap-4 p-4">
          {mayManage && (
            <Segmented
              label="Which rules hold here"
              value={choice}
              segments={CHOICES}
              onChange={setChoice}
              className="justify-self-start"
            />
          )}
          <Explained org={org} choice={choice} policies={policies} />
          {choice === 'own' && mayManage && <RetentionFields form={form} />}
        </div>
        <LastRun policies={policies} />
        <footer className="flex flex-wrap gap-2 border-line border-t bg-sunken px-4 py-2.5">
          {mayManage && (
            <Button type="submit" variant="primary" disabled={!changed} pending={save.isPending}>
              Save
            </Button>
          )}
          {mayManage && changed && (
            <Button
              variant="ghost"
              onClick={() => {
                setChoice(choiceOf(policies))
                form.reset(retentionValues(ownOf(policies)))
              }}
            >
              Discard
            </Button>
          )}
          <Button className="ml-auto" onClick={() => ask('dry-run')}>
            Dry run
          </Button>
        </footer>
      </form>
      <DryRunDialog
        open={asked !== null}
        title={asked?.what === 'save' ? 'Save these rules' : 'Dry run'}
        query={nothingGoes ? { data: NOTHING, error: null, whole: true } : preview}
        onClose={close}
        {...(asked?.what === 'save' && {
          action: {
            label: () => 'Save',
            danger: () => false,
            pending: save.isPending,
            error: save.error,
            onConfirm: () => save.mutate({ org, repository, rules: asked.rules }),
          },
        })}
      />
    </Card>
  )
}

/** Keeping everything, and rules that are not there, take nothing: there is nothing to ask the server. */
const NOTHING: views.RetentionPreviewView = { repositories: 0, changed: 0, tags: 0, manifests: 0, bytes: 0, kept: [], rows: [] }

function triedRules(rules: inputs.RetentionRulesInput | 'keep' | null, { inheritedRetention }: views.RepositoryPoliciesView) {
  if (rules === 'keep') return null
  return rules ?? (inheritedRetention && { ...inheritedRetention, repositories: '*' })
}

function Explained({ org, choice, policies }: { org: string; choice: Choice; policies: views.RepositoryPoliciesView }) {
  const { inheritedRetention, retention } = policies
  if (choice === 'keep')
    return <p className="text-ink-2 text-sm">Nothing goes from here by itself, whatever the organization’s rules say.</p>
  if (choice === 'own')
    return policies.mayManage ? (
      <p className="text-ink-2 text-sm">
        These hold here instead of the organization’s. What runs, what can be rolled back to, and what a tag rule holds always stays.
      </p>
    ) : (
      <p className="text-ink-2 text-sm">Keeps {retention && retention !== 'keep' ? (keepsText(retention) ?? 'every tag') : 'every tag'}.</p>
    )
  const link = (
    <Link href={routes.settingsTab(org, 'registry')} className="underline underline-offset-3 hover:text-ink">
      Settings → Registry
    </Link>
  )
  return inheritedRetention ? (
    <p className="text-ink-2 text-sm">
      Keeps {keepsText(inheritedRetention) ?? 'every tag'}
      {inheritedRetention.untaggedDays !== null && `; untagged images go after ${plural(inheritedRetention.untaggedDays, 'day')}`}. Set
      under {link}.
    </p>
  ) : (
    <p className="text-ink-2 text-sm">
      The organization has no rules for this repository: every tag stays. Set some under {link}, or here.
    </p>
  )
}

function LastRun({ policies: { lastRun, lastCleaned, nextRunAt } }: { policies: views.RepositoryPoliciesView }) {
  if (!lastRun && !lastCleaned && !nextRunAt) return null
  return (
    <div className="border-line border-t">
      {lastRun?.error && (
        <Callout tone="fail" className="mx-4 mt-4">
          The last run failed: {lastRun.error}
        </Callout>
      )}
      <KeyValue
        items={[
          { key: 'Last run', value: lastRun ? <TimeAgo at={lastRun.at} /> : 'None yet' },
          {
            key: 'Last removed',
            wrap: true,
            value: lastCleaned ? (
              <>
                {goneText(lastCleaned.tagCount, lastCleaned.manifests)}, {formatBytes(lastCleaned.bytes)}, <TimeAgo at={lastCleaned.at} />
                {lastCleaned.tags.length > 0 && (
                  <span className="block break-words font-mono text-ink-3 text-xs leading-5">
                    {lastCleaned.tags.join(' ')}
                    {lastCleaned.tagCount > lastCleaned.tags.length && ` and ${lastCleaned.tagCount - lastCleaned.tags.length} more`}
                  </span>
                )}
              </>
            ) : (
              'Nothing yet'
            ),
          },
          ...(nextRunAt
            ? [{ key: 'Next run', value: nextRunAt.toLocaleString('en-GB', { dateStyle: 'medium', timeStyle: 'short' }) }]
            : []),
        ]}
      />
    </div>
  )
}
