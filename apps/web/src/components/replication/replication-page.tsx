'use client'
import type { views } from '@slipway/contracts'
import { RowLink, StatusPill, Table, Td, Th, TimeAgo, Tr } from '@slipway/ui'
import { useQuery } from '@tanstack/react-query'
import { ArrowLeft, ArrowRight, CopyPlus } from 'lucide-react'
import { useRouter } from 'next/navigation'
import { useState } from 'react'
import { ListedCard } from '@/components/settings/listed-card'
import { routes } from '@/lib/routes'
import { useTRPC } from '@/lib/trpc'
import { useVisible } from '@/lib/use-visible'
import { RuleForm } from './rule-form'
import { hostOf, ruleState, whenWord } from './words'

/** Images that are kept in other registries, or brought from them. */
export function ReplicationPage({ org }: { org: string }) {
  const visible = useVisible()
  const router = useRouter()
  const query = useQuery({ ...useTRPC().replication.list.queryOptions({ org }), refetchInterval: visible ? 3000 : false })
  const [adding, setAdding] = useState(false)
  return (
    <ListedCard
      title="Replication"
      query={query}
      itemsOf={(answer) => answer.rules}
      what="the rules"
      add="Add a rule"
      onAdd={() => setAdding(true)}
      none={{
        icon: <CopyPlus aria-hidden />,
        title: 'No rule yet',
        text: 'A rule keeps a copy of your images in another registry, or brings images from there: by hand, every so often, or with each push. Only what is missing moves.',
      }}
      form={({ mayReachInside }) => (
        <RuleForm
          org={org}
          rule={null}
          mayReachInside={mayReachInside}
          open={adding}
          onOpenChange={setAdding}
          onMade={(id) => router.push(routes.replication(org, id))}
        />
      )}
    >
      {(rules) => <RuleTable org={org} rules={rules} />}
    </ListedCard>
  )
}

function RuleTable({ org, rules }: { org: string; rules: views.ReplicationRuleView[] }) {
  return (
    <Table>
      <thead>
        <tr>
          <Th>Rule</Th>
          <Th optional className="w-56">
            Runs
          </Th>
          <Th className="w-34">Last run</Th>
          <Th right optional className="w-28">
            When
          </Th>
        </tr>
      </thead>
      <tbody>
        {rules.map((rule) => {
          const { tone, word, pulse } = ruleState(rule)
          return (
            <Tr key={rule.id} interactive>
              <Td className="max-w-0">
                <RowLink href={routes.replication(org, rule.id)} className="block truncate font-medium">
                  {rule.name}
                </RowLink>
                <p className="flex items-center gap-1 text-ink-3 text-xs leading-5">
                  <Direction direction={rule.direction} />
                  <span className="truncate font-mono">{hostOf(rule.remote)}</span>
                </p>
              </Td>
              <Td optional className="text-ink-2">
                {whenWord(rule)}
              </Td>
              <Td>
                <StatusPill tone={tone} {...(pulse && { pulse })}>
                  {word}
                </StatusPill>
              </Td>
              <Td right optional className="text-ink-2">
                {rule.last ? <TimeAgo at={rule.last.finishedAt ?? rule.last.createdAt} /> : '–'}
              </Td>
            </Tr>
          )
        })}
      </tbody>
    </Table>
  )
}

export function Direction({ direction }: { direction: views.ReplicationRuleView['direction'] }) {
  const Icon = direction === 'push' ? ArrowRight : ArrowLeft
  return (
    <>
      <Icon className="size-3 shrink-0" aria-hidden />
      <span className="shrink-0">{direction === 'push' ? 'to' : 'from'}</span>
    </>
  )
}
