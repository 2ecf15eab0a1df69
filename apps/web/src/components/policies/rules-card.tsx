'use client'
import type { views } from '@slipway/contracts'
import { Button, Card, CardHeader, ConfirmDialog, EmptyState, Hash, StatusPill, Table, Td, Th, Tr } from '@slipway/ui'
import { Lock, Plus, ShieldCheck, Trash2 } from 'lucide-react'
import { type ReactNode, useState } from 'react'
import { InlineError } from '@/components/load'
import { RuleForm, type RuleValues } from './rule-form'
import { plural, RULE_TEXT } from './words'

export interface RuleActions {
  add: (rule: RuleValues) => Promise<unknown>
  remove: (id: string) => Promise<unknown>
  adding: boolean
  removing: boolean
  addError: unknown
  removeError: unknown
  reset: () => void
}

/** Tags that stay as they are, and tags that not everybody may push. `of` one repository, or of all that a pattern names. */
export function RulesCard({
  title,
  rules,
  inherited,
  scope,
  mayManage,
  actions,
  empty,
}: {
  title: string
  rules: views.TagRuleView[]
  /** Of the organization, in a repository's card: shown, and changed elsewhere. */
  inherited?: { rules: views.TagRuleView[]; where: ReactNode }
  scope: 'organization' | 'repository'
  mayManage: boolean
  actions: RuleActions
  empty: ReactNode
}) {
  const [adding, setAdding] = useState(false)
  const [removing, setRemoving] = useState<views.TagRuleView | null>(null)
  const all = rules.length + (inherited?.rules.length ?? 0)
  const add = (
    <Button size="s" icon={<Plus aria-hidden />} onClick={() => setAdding(true)}>
      Add a rule
    </Button>
  )
  return (
    <Card aria-label={title}>
      <CardHeader title={title} aside={mayManage && all > 0 && add} />
      {all === 0 ? (
        <EmptyState icon={<ShieldCheck aria-hidden />} title="No rule" actions={mayManage && add}>
          {empty}
        </EmptyState>
      ) : (
        <Table>
          <thead>
            <tr>
              <Th className="md:w-1/3">Tags</Th>
              {scope === 'organization' && (
                <Th optional className="w-48">
                  In repositories
                </Th>
              )}
              <Th optional>What holds</Th>
              <Th right className="w-28">
                Holds now
              </Th>
              <Th className="w-14">
                <span className="sr-only">Actions</span>
              </Th>
            </tr>
          </thead>
          <tbody>
            {rules.map((rule) => (
              <RuleRow
                key={rule.id}
                rule={rule}
                scope={scope}
                aside={
                  mayManage && (
                    <Button
                      size="icon-s"
                      variant="ghost"
                      icon={<Trash2 aria-hidden />}
                      aria-label={`Remove the rule ${rule.kind} ${rule.tags}`}
                      onClick={() => setRemoving(rule)}
                    />
                  )
                }
              />
            ))}
            {inherited?.rules.map((rule) => (
              <RuleRow key={rule.id} rule={rule} scope={scope} from={inherited.where} />
            ))}
          </tbody>
        </Table>
      )}
      <RuleForm
        scope={scope}
        open={adding}
        pending={actions.adding}
        error={actions.addError}
        onOpenChange={(open) => {
          setAdding(open)
          if (!open) actions.reset()
        }}
        onSubmit={(rule) => void actions.add(rule).then(() => setAdding(false), ignore)}
      />
      <ConfirmDialog
        open={removing !== null}
        onOpenChange={(open) => {
          if (open) return
          setRemoving(null)
          actions.reset()
        }}
        title={`Remove the rule ${removing?.tags ?? ''}`}
        action="Remove"
        pending={actions.removing}
        error={<InlineError error={actions.removeError} />}
        onConfirm={() => removing && void actions.remove(removing.id).then(() => setRemoving(null), ignore)}
      >
        {removing && removing.matches > 0
          ? `${plural(removing.matches, 'tag')} that ${removing.matches === 1 ? 'it holds' : 'it holds'} can be ${removing.kind === 'immutable' ? 'moved and deleted' : 'pushed and deleted by every developer'} again, and retention may take ${removing.matches === 1 ? 'it' : 'them'}.`
          : 'It holds no tag now.'}
      </ConfirmDialog>
    </Card>
  )
}

/** The error stands in the dialog. */
const ignore = () => undefined

function RuleRow({
  rule,
  scope,
  aside,
  from,
}: {
  rule: views.TagRuleView
  scope: 'organization' | 'repository'
  aside?: ReactNode
  from?: ReactNode
}) {
  const builds = rule.kind === 'protected' && (rule.builds ? ' Builds push it.' : ' Builds do not push it.')
  const where = rule.repositories === '*' ? 'all repositories' : rule.repositories
  return (
    <Tr>
      <Td className="max-w-0">
        <span className="flex min-w-0 items-center gap-2">
          <Hash className="min-w-0 shrink">
            <span className="truncate">{rule.tags}</span>
          </Hash>
          <StatusPill tone={rule.kind === 'immutable' ? 'live' : 'busy'}>{RULE_TEXT[rule.kind].label}</StatusPill>
        </span>
        <p className="mt-1 text-ink-3 text-xs md:hidden">
          {scope === 'organization' && `In ${where}. `}
          {RULE_TEXT[rule.kind].hint}
          {builds}
        </p>
        {from && <p className="mt-1 text-ink-3 text-xs">{from}</p>}
      </Td>
      {scope === 'organization' && (
        <Td optional className="max-w-48 truncate text-ink-2">
          {rule.repositories === '*' ? 'All' : <span className="font-mono text-xs">{rule.repositories}</span>}
        </Td>
      )}
      <Td optional className="text-ink-2">
        {RULE_TEXT[rule.kind].hint}
        {builds}
      </Td>
      <Td right className="text-ink-2">
        {plural(rule.matches, 'tag')}
      </Td>
      <Td right>{aside ?? (from ? <Lock className="ml-auto size-3.5 text-ink-3" aria-hidden /> : null)}</Td>
    </Tr>
  )
}
