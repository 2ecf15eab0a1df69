'use client'
import type { views } from '@slipway/contracts'
import { formatDuration } from '@slipway/core'
import { Button, Card, CardHeader, StatusPill, Table, Td, Th, TimeAgo, Tr } from '@slipway/ui'
import { useInfiniteQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { Load } from '@/components/load'
import { allItems, More } from '@/components/more'
import { useTRPC } from '@/lib/trpc'
import { useVisible } from '@/lib/use-visible'
import { Progress } from './progress'
import { RunDialog } from './run-dialog'
import { inWords, runState, soFar, TRIGGER } from './words'

/** What the rule did, and what it is doing now. */
export function Runs({ org, rule }: { org: string; rule: views.ReplicationRuleView }) {
  const trpc = useTRPC()
  const visible = useVisible()
  const [shown, setShown] = useState<string | null>(null)
  const query = useInfiniteQuery(
    trpc.replication.runs.infiniteQueryOptions(
      { org, id: rule.id, limit: 20 },
      { getNextPageParam: (page) => page.next ?? undefined, refetchInterval: visible ? 2000 : false },
    ),
  )
  return (
    <Card>
      <CardHeader title="Runs" />
      <Load query={allItems(query)} what="the runs">
        {(runs) =>
          runs.length === 0 ? (
            <p className="px-4 py-5 text-ink-2 text-sm">No run yet. Run it now, or wait for its time.</p>
          ) : (
            <Table>
              <thead>
                <tr>
                  <Th className="w-34">State</Th>
                  <Th>Copied</Th>
                  <Th optional className="w-28">
                    Begun by
                  </Th>
                  <Th right optional className="w-24">
                    Took
                  </Th>
                  <Th right optional className="w-28">
                    When
                  </Th>
                </tr>
              </thead>
              <tbody>
                {runs.map((run) => (
                  <RunRow key={run.id} run={run} onShow={() => setShown(run.id)} />
                ))}
              </tbody>
            </Table>
          )
        }
      </Load>
      <More query={query} />
      <RunDialog org={org} id={shown} rule={rule.name} onClose={() => setShown(null)} />
    </Card>
  )
}

function RunRow({ run, onShow }: { run: views.ReplicationRunView; onShow: () => void }) {
  const { tone, word, pulse } = runState(run)
  return (
    <Tr interactive>
      <Td>
        <StatusPill tone={tone} {...(pulse && { pulse })}>
          {word}
        </StatusPill>
      </Td>
      <Td className="max-w-0">
        <Button
          variant="ghost"
          className="h-auto max-w-full justify-start border-0 p-0 text-left text-ink after:absolute after:inset-0 hover:bg-transparent"
          onClick={onShow}
        >
          <span className="line-clamp-2 whitespace-normal break-words">{soFar(run)}</span>
        </Button>
        {run.repository && (
          <p className="truncate font-mono text-ink-3 text-xs leading-5">
            {run.repository}:{run.tags.join(', ')}
          </p>
        )}
        <p className="text-ink-3 text-xs leading-5 md:hidden">
          <TimeAgo at={run.createdAt} />
        </p>
        {run.error && run.state !== 'running' && (
          <p className="line-clamp-2 break-words text-ink-3 text-xs leading-5">
            {run.error}
            {run.notBefore && <> Again {inWords(run.notBefore)}.</>}
          </p>
        )}
        {run.state === 'running' && <Progress run={run} className="mt-1.5" />}
      </Td>
      <Td optional className="truncate text-ink-2">
        {run.trigger === 'manual' ? run.by : TRIGGER[run.trigger]}
      </Td>
      <Td right optional className="text-ink-2">
        {run.startedAt && run.finishedAt ? formatDuration(run.finishedAt.getTime() - run.startedAt.getTime()) : '–'}
      </Td>
      <Td right optional className="text-ink-2">
        <TimeAgo at={run.createdAt} />
      </Td>
    </Tr>
  )
}
