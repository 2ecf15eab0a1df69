'use client'
import type { views } from '@slipway/contracts'
import { formatBytes, shortDigest } from '@slipway/core'
import { Button, Callout, Dialog, Segmented, StatusPill, Table, Td, Th, TimeAgo, Tr } from '@slipway/ui'
import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { X } from 'lucide-react'
import { useState } from 'react'
import { InlineError, Load } from '@/components/load'
import { allItems, More } from '@/components/more'
import { useTRPC } from '@/lib/trpc'
import { Progress } from './progress'
import { ITEM, inWords, runState, soFar, TRIGGER, tagsIn } from './words'

const FILTERS = [
  { value: 'all', label: 'All' },
  { value: 'failed', label: 'Failed' },
] as const

/** One run, tag by tag, while it goes on and afterwards. */
export function RunDialog({ org, id, rule, onClose }: { org: string; id: string | null; rule: string; onClose: () => void }) {
  return (
    <Dialog open={id !== null} onOpenChange={(open) => !open && onClose()} title={`Run of ${rule}`} wide>
      {id !== null && <Body org={org} id={id} onClose={onClose} />}
    </Dialog>
  )
}

function Body({ org, id, onClose }: { org: string; id: string; onClose: () => void }) {
  const trpc = useTRPC()
  const client = useQueryClient()
  const query = useQuery(
    trpc.replication.runOf.queryOptions({ org, id }, { refetchInterval: (q) => (q.state.data?.finishedAt ? false : 1000) }),
  )
  const cancel = useMutation(
    trpc.replication.cancel.mutationOptions({
      meta: { quiet: true },
      onSuccess: (run) => client.setQueryData(trpc.replication.runOf.queryKey({ org, id }), run),
    }),
  )
  return (
    <>
      <Load query={query} what="the run">
        {(run) => (
          <>
            <Head run={run} />
            {(tagsIn(run) > 0 || run.error === null) && <Items org={org} run={run} />}
          </>
        )}
      </Load>
      <InlineError error={cancel.error} />
      <div className="flex justify-end gap-2">
        {query.data && !query.data.finishedAt && (
          <Button
            className="mr-auto"
            icon={<X aria-hidden />}
            pending={cancel.isPending}
            disabled={query.data.canceling}
            onClick={() => cancel.mutate({ org, id })}
          >
            Cancel the run
          </Button>
        )}
        <Button onClick={onClose}>Close</Button>
      </div>
    </>
  )
}

function Head({ run }: { run: views.ReplicationRunView }) {
  const { tone, word, pulse } = runState(run)
  return (
    <div className="grid gap-3">
      <p className="flex flex-wrap items-center gap-x-2 gap-y-1 text-sm">
        <StatusPill tone={tone} {...(pulse && { pulse })}>
          {word}
        </StatusPill>
        <span>{soFar(run)}</span>
        <span className="text-ink-3">
          {run.trigger === 'manual' ? run.by : TRIGGER[run.trigger]}, <TimeAgo at={run.createdAt} />
        </span>
      </p>
      {run.state === 'running' && <Progress run={run} />}
      {run.error && run.state !== 'running' && (
        <Callout tone="fail">
          <span className="break-words">{run.error}</span>
          {run.notBefore && (
            <>
              {' '}
              Attempt {run.attempt + 1} {inWords(run.notBefore)}.
            </>
          )}
        </Callout>
      )}
    </div>
  )
}

function Items({ org, run }: { org: string; run: views.ReplicationRunView }) {
  const trpc = useTRPC()
  const [filter, setFilter] = useState<'all' | 'failed'>('all')
  const query = useInfiniteQuery(
    trpc.replication.items.infiniteQueryOptions(
      { org, id: run.id, limit: 50, ...(filter === 'failed' && { state: filter }) },
      { getNextPageParam: (page) => page.next ?? undefined, refetchInterval: run.finishedAt ? false : 1000 },
    ),
  )
  return (
    <div className="overflow-hidden rounded-md border border-line">
      {run.items.failed > 0 && (
        <div className="flex justify-end border-line border-b bg-sunken px-3 py-2">
          <Segmented label="Which tags" value={filter} segments={[...FILTERS]} onChange={setFilter} />
        </div>
      )}
      <Load query={allItems(query)} what="the tags">
        {(items) =>
          items.length === 0 ? (
            <p className="px-4 py-4 text-ink-2 text-sm">
              {filter === 'failed' ? 'None of these.' : run.finishedAt ? 'No tag matched.' : 'It is looked what there is.'}
            </p>
          ) : (
            <Table>
              <thead>
                <tr>
                  <Th>Tag</Th>
                  <Th right optional className="w-24">
                    Moved
                  </Th>
                  <Th right optional className="w-28">
                    Already there
                  </Th>
                  <Th className="w-28">State</Th>
                </tr>
              </thead>
              <tbody>
                {items.map((item) => (
                  <ItemRow key={item.position} item={item} why={run.error} />
                ))}
              </tbody>
            </Table>
          )
        }
      </Load>
      <More query={query} />
    </div>
  )
}

function ItemRow({ item, why }: { item: views.ReplicationItemView; why: string | null }) {
  const { tone, word, pulse } = ITEM[item.state]
  return (
    <Tr>
      <Td className="max-w-0">
        <p className="truncate font-mono text-xs leading-5" title={`${item.source}:${item.tag}`}>
          {item.source}:{item.tag}
        </p>
        <p className="truncate text-ink-3 text-xs leading-5">
          → <span className="font-mono">{item.target}</span>
          {item.digest && <span className="font-mono"> {shortDigest(item.digest)}</span>}
        </p>
        {/* What the whole run waits for stands above them all. */}
        {item.error && item.state !== 'running' && item.error !== why && (
          <p className="break-words text-fail text-xs leading-5">{item.error}</p>
        )}
      </Td>
      <Td right optional className="text-ink-2">
        {item.movedBytes > 0 ? formatBytes(item.movedBytes) : '–'}
      </Td>
      <Td right optional className="text-ink-2">
        {item.skippedBytes > 0 ? formatBytes(item.skippedBytes) : '–'}
      </Td>
      <Td>
        <StatusPill tone={tone} {...(pulse && { pulse })}>
          {word}
        </StatusPill>
      </Td>
    </Tr>
  )
}
