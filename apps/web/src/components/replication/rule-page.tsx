'use client'
import type { views } from '@slipway/contracts'
import { Button, Card, CardHeader, ConfirmDialog, KeyValue, MenuItem, StatusPill } from '@slipway/ui'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Pencil, Play, Power, Trash2 } from 'lucide-react'
import { useRouter } from 'next/navigation'
import { useState } from 'react'
import { InlineError } from '@/components/load'
import { OneOf } from '@/components/settings/listed-card'
import { MoreMenu } from '@/components/settings/more-menu'
import { routes } from '@/lib/routes'
import { useTRPC } from '@/lib/trpc'
import { useVisible } from '@/lib/use-visible'
import { RuleForm } from './rule-form'
import { Runs } from './runs'
import { inWords, ruleState, whenWord, whereTo } from './words'

export function RulePage({ org, id }: { org: string; id: string }) {
  const visible = useVisible()
  const query = useQuery({ ...useTRPC().replication.list.queryOptions({ org }), refetchInterval: visible ? 2000 : false })
  return (
    <OneOf
      query={query}
      itemsOf={(answer) => answer.rules}
      id={id}
      what="this rule"
      back={{ href: routes.settingsTab(org, 'replication'), label: 'All rules' }}
    >
      {(rule, { mayReachInside }) => <RuleBody org={org} rule={rule} mayReachInside={mayReachInside} />}
    </OneOf>
  )
}

function RuleBody({ org, rule, mayReachInside }: { org: string; rule: views.ReplicationRuleView; mayReachInside: boolean }) {
  const trpc = useTRPC()
  const client = useQueryClient()
  const router = useRouter()
  const [asking, setAsking] = useState<'change' | 'remove' | null>(null)
  const target = { org, id: rule.id }
  const settled = () => {
    void client.invalidateQueries(trpc.replication.list.queryFilter({ org }))
    void client.invalidateQueries(trpc.replication.runs.queryFilter(target))
  }
  const run = useMutation(trpc.replication.run.mutationOptions({ onSuccess: settled }))
  const update = useMutation(trpc.replication.update.mutationOptions({ onSuccess: settled }))
  const remove = useMutation(
    trpc.replication.delete.mutationOptions({
      meta: { quiet: true },
      onSuccess: (list) => {
        router.push(routes.settingsTab(org, 'replication'))
        client.setQueryData(trpc.replication.list.queryKey({ org }), list)
      },
    }),
  )
  const { tone, word, pulse } = ruleState(rule)
  const busy = rule.last !== null && rule.last.repository === null && rule.last.finishedAt === null
  const { name, direction, remote, username, repositories, tags, onPush, everyMinutes, inside } = rule
  const turn = () =>
    update.mutate({
      ...target,
      name,
      direction,
      remote,
      username,
      repositories,
      tags,
      target: rule.target,
      onPush,
      everyMinutes,
      inside,
      enabled: !rule.enabled,
    })
  return (
    <>
      <Card>
        <CardHeader
          title={<span className="break-words">{rule.name}</span>}
          extra={
            <StatusPill tone={tone} {...(pulse && { pulse })}>
              {word}
            </StatusPill>
          }
          aside={
            <div className="flex items-center gap-2">
              <Button
                size="s"
                icon={<Play aria-hidden />}
                pending={run.isPending}
                disabled={!rule.enabled || busy}
                onClick={() => run.mutate(target)}
              >
                Run now
              </Button>
              <MoreMenu>
                <MenuItem icon={<Pencil aria-hidden />} onSelect={() => setAsking('change')}>
                  Change
                </MenuItem>
                <MenuItem icon={<Power aria-hidden />} onSelect={turn}>
                  {rule.enabled ? 'Turn off' : 'Turn on'}
                </MenuItem>
                <MenuItem icon={<Trash2 aria-hidden />} danger onSelect={() => setAsking('remove')}>
                  Remove
                </MenuItem>
              </MoreMenu>
            </div>
          }
        />
        <KeyValue
          items={[
            { key: direction === 'push' ? 'To' : 'From', value: <span className="break-all font-mono text-xs">{remote}</span>, wrap: true },
            {
              key: 'Login',
              value: rule.credentials ? (username ? `${username}, with a password that is kept` : 'A token that is kept') : 'None',
              wrap: true,
            },
            { key: 'Repositories', value: <span className="font-mono text-xs">{repositories.join(' ')}</span>, wrap: true },
            { key: 'Tags', value: tags.length > 0 ? <span className="font-mono text-xs">{tags.join(' ')}</span> : 'All', wrap: true },
            { key: 'Copied to', value: <span className="break-all font-mono text-xs">{whereTo(org, rule)}</span>, wrap: true },
            {
              key: 'Runs',
              value: (
                <>
                  {whenWord(rule)}
                  {rule.nextRunAt && <span className="text-ink-3"> · next {inWords(rule.nextRunAt)}</span>}
                </>
              ),
              wrap: true,
            },
            ...(inside ? [{ key: 'Network', value: 'May reach private addresses' }] : []),
          ]}
        />
      </Card>
      <Runs org={org} rule={rule} />
      <RuleForm
        org={org}
        rule={rule}
        mayReachInside={mayReachInside}
        open={asking === 'change'}
        onOpenChange={(open) => setAsking(open ? 'change' : null)}
      />
      <ConfirmDialog
        open={asking === 'remove'}
        onOpenChange={(open) => !open && setAsking(null)}
        title={`Remove ${rule.name}?`}
        action="Remove it"
        danger
        pending={remove.isPending}
        error={<InlineError error={remove.error} />}
        onConfirm={() => remove.mutate(target)}
      >
        Its runs are removed with it; one that is under way ends. What was copied stays where it is.
      </ConfirmDialog>
    </>
  )
}
