'use client'
import { inputs, type views } from '@slipway/contracts'
import { Button, ConfirmDialog, Field, Input, KeyValue, TimeAgo, toast } from '@slipway/ui'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { InlineError } from '@/components/load'
import { SettingsCard } from '@/components/settings/settings-card'
import { useTRPC } from '@/lib/trpc'
import { useForm } from '@/lib/use-form'
import { DryRunDialog, removes } from './dry-run'
import { RetentionFields, retentionField, retentionRulesOf, retentionValues } from './retention-fields'
import { useDryRun } from './use-dry-run'
import { clockOf, keepsText, minuteOf, plural } from './words'

const valuesOf = ({ rules, minute }: views.RetentionView) => ({ ...retentionValues(rules), at: clockOf(minute) })
const fieldOf = (path: string) => (path === 'minute' ? 'at' : retentionField(path))

type Asked = { what: 'dry-run' | 'save'; rules: inputs.RetentionRulesInput } | { what: 'run' | 'off'; rules?: undefined } | null

/** What goes of all repositories by itself, and when: nothing is saved before it was seen what that takes. */
export function RetentionCard({ org, view, may }: { org: string; view: views.RetentionView; may: boolean }) {
  const trpc = useTRPC()
  const client = useQueryClient()
  const form = useForm(valuesOf(view))
  const { values: v, errors, set } = form
  const [asked, setAsked] = useState<Asked>(null)
  const preview = useDryRun(org, asked === null || asked.what === 'off' ? null : asked)
  const keep = (next: views.RetentionView) => client.setQueryData(trpc.policies.retention.queryKey({ org }), next)
  const save = useMutation(
    trpc.policies.setRetention.mutationOptions({
      meta: { quiet: true },
      onSuccess: (next, { rules }) => {
        keep(next)
        form.reset(valuesOf(next))
        setAsked(null)
        toast(rules ? 'Retention is set' : 'Retention is off', {
          description: rules ? `It runs daily at ${clockOf(next.minute)} UTC.` : 'Repositories with rules of their own keep them.',
        })
      },
    }),
  )
  const run = useMutation(
    trpc.policies.runRetention.mutationOptions({
      meta: { quiet: true },
      onSuccess: (next) => {
        keep(next)
        setAsked(null)
        toast('Retention is started')
      },
    }),
  )
  const rules = () => {
    const input = form.check(inputs.setRetention, { org, rules: retentionRulesOf(v), minute: minuteOf(v.at) }, fieldOf)
    return input?.rules ?? null
  }
  const ask = (what: 'dry-run' | 'save') => {
    const found = rules()
    if (found) setAsked({ what, rules: found })
  }
  const close = () => {
    setAsked(null)
    save.reset()
    run.reset()
  }
  const running = view.runs.some((one) => one.finishedAt === null)
  return (
    <>
      {may ? (
        <SettingsCard
          title="Retention"
          dirty={form.dirty}
          fresh={view.rules === null}
          pending={save.isPending}
          error={null}
          onSubmit={() => ask('save')}
          onDiscard={() => form.reset(valuesOf(view))}
          actions={
            <>
              {view.rules && (
                <Button variant="ghost" onClick={() => setAsked({ what: 'off' })}>
                  Turn off
                </Button>
              )}
              {view.rules && !form.dirty && (
                <Button disabled={running} onClick={() => setAsked({ what: 'run' })}>
                  Run now
                </Button>
              )}
              <Button onClick={() => ask('dry-run')}>Dry run</Button>
            </>
          }
        >
          <p className="text-ink-2 text-sm">
            {view.rules
              ? 'A tag goes when nothing here keeps it. What runs, what can be rolled back to, and what a tag rule holds always stays.'
              : 'Off: every tag stays until somebody deletes it. These numbers are a suggestion; try them with a dry run, then save.'}
          </p>
          <RetentionFields form={{ values: v, errors, set }} pattern />
          <Field
            label="Every day at, UTC"
            error={errors.at}
            className="max-w-40"
            hint={view.nextAt ? <NextRun at={view.nextAt} /> : undefined}
          >
            {(c) => <Input {...c} type="time" mono value={v.at} onChange={(e) => set('at', e.target.value)} />}
          </Field>
        </SettingsCard>
      ) : (
        <ReadOnly view={view} onDryRun={() => setAsked({ what: 'dry-run', rules: view.rules ?? retentionRulesOf(v) })} />
      )}
      <DryRunDialog
        open={asked !== null && asked.what !== 'off'}
        title={asked?.what === 'save' ? 'Save these rules' : asked?.what === 'run' ? 'Run retention now' : 'Dry run'}
        query={preview}
        onClose={close}
        {...(asked?.what === 'save' && {
          action: {
            label: () => 'Save',
            danger: () => false,
            pending: save.isPending,
            error: save.error,
            onConfirm: () => save.mutate({ org, rules: asked.rules, minute: minuteOf(v.at) }),
          },
        })}
        {...(asked?.what === 'run' && {
          action: {
            label: (found) => (removes(found) ? `Remove ${plural(found.tags, 'tag')}` : 'Run'),
            danger: removes,
            pending: run.isPending,
            error: run.error,
            onConfirm: () => run.mutate({ org }),
          },
        })}
      />
      <ConfirmDialog
        open={asked?.what === 'off'}
        onOpenChange={(open) => !open && close()}
        title="Turn off retention"
        action="Turn off"
        danger={false}
        pending={save.isPending}
        error={<InlineError error={save.error} />}
        onConfirm={() => save.mutate({ org, rules: null, minute: view.minute })}
      >
        Every tag stays from now on, until somebody deletes it. Repositories with rules of their own keep them.
      </ConfirmDialog>
    </>
  )
}

function NextRun({ at }: { at: Date }) {
  const local = at.toLocaleString('en-GB', { weekday: 'short', hour: '2-digit', minute: '2-digit', timeZoneName: 'short' })
  return <span suppressHydrationWarning>Next: {local}</span>
}

function ReadOnly({ view, onDryRun }: { view: views.RetentionView; onDryRun: () => void }) {
  const { rules } = view
  return (
    <section className="overflow-hidden rounded-lg border border-line bg-surface shadow-card">
      <header className="flex min-h-11 items-center border-line border-b px-4 py-2">
        <h2 className="font-semibold text-sm">Retention</h2>
        {rules && (
          <Button size="s" className="ml-auto" onClick={onDryRun}>
            Dry run
          </Button>
        )}
      </header>
      {rules ? (
        <KeyValue
          items={[
            { key: 'Keeps', value: keepsText(rules) ?? 'Every tag', wrap: true },
            { key: 'Repositories', value: rules.repositories === '*' ? 'All' : rules.repositories },
            { key: 'Untagged', value: rules.untaggedDays === null ? 'Stay' : `Go after ${plural(rules.untaggedDays, 'day')}` },
            { key: 'Next run', value: view.nextAt ? <NextRun at={view.nextAt} /> : 'None' },
            { key: 'Last run', value: view.runs[0] ? <TimeAgo at={view.runs[0].startedAt} /> : 'None yet' },
          ]}
        />
      ) : (
        <p className="p-4 text-ink-2 text-sm">Off: every tag stays until somebody deletes it. An owner or admin can set rules.</p>
      )}
    </section>
  )
}
