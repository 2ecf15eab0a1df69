'use client'
import type { views } from '@slipway/contracts'
import { formatDuration } from '@slipway/core'
import { Button, Card, CardHeader, Segmented, StatusPill, Table, Td, Th, TimeAgo, Tr } from '@slipway/ui'
import { useInfiniteQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { Load } from '@/components/load'
import { allItems, More } from '@/components/more'
import { useTRPC } from '@/lib/trpc'
import { useVisible } from '@/lib/use-visible'
import { DeliveryDialog } from './delivery-dialog'
import { DELIVERY, eventWord } from './words'

const FILTERS = [
  { value: 'all', label: 'All' },
  { value: 'pending', label: 'Waiting' },
  { value: 'failed', label: 'Failed' },
] as const
type Filter = (typeof FILTERS)[number]['value']

/** What was sent, what is on its way, and what came back. */
export function Deliveries({ org, webhook }: { org: string; webhook: views.OutgoingView }) {
  const trpc = useTRPC()
  const visible = useVisible()
  const [filter, setFilter] = useState<Filter>('all')
  const [shown, setShown] = useState<string | null>(null)
  const query = useInfiniteQuery(
    trpc.outgoing.deliveries.infiniteQueryOptions(
      { org, id: webhook.id, limit: 25, ...(filter !== 'all' && { state: filter }) },
      { getNextPageParam: (page) => page.next ?? undefined, refetchInterval: visible ? 3000 : false },
    ),
  )
  return (
    <Card>
      <CardHeader
        title="Deliveries"
        aside={<Segmented label="Which deliveries" value={filter} segments={[...FILTERS]} onChange={setFilter} />}
      />
      <Load query={allItems(query)} what="the deliveries">
        {(items) =>
          items.length === 0 ? (
            <p className="px-4 py-5 text-ink-2 text-sm">
              {filter === 'all' ? 'No delivery yet. Send a test, or wait for the first event.' : 'None of these.'}
            </p>
          ) : (
            <Table>
              <thead>
                <tr>
                  <Th className="w-28">State</Th>
                  <Th>Event</Th>
                  <Th right optional className="w-20">
                    Tries
                  </Th>
                  <Th right optional className="w-24">
                    Took
                  </Th>
                  <Th right className="w-28">
                    When
                  </Th>
                </tr>
              </thead>
              <tbody>
                {items.map((d) => (
                  <DeliveryRow key={d.id} delivery={d} onShow={() => setShown(d.id)} />
                ))}
              </tbody>
            </Table>
          )
        }
      </Load>
      <More query={query} />
      <DeliveryDialog org={org} id={shown} enabled={webhook.enabled} onClose={() => setShown(null)} />
    </Card>
  )
}

/** The list is read again every few seconds, so this counts down by itself. */
function againIn(at: Date, now = Date.now()): string {
  const ms = at.getTime() - now
  return ms < 1000 ? 'Again now.' : `Again in ${formatDuration(Math.ceil(ms / 1000) * 1000)}.`
}

function DeliveryRow({ delivery: d, onShow }: { delivery: views.OutgoingDeliveryView; onShow: () => void }) {
  const { tone, word } = DELIVERY[d.state]
  return (
    <Tr interactive>
      <Td>
        <StatusPill tone={tone}>{word}</StatusPill>
      </Td>
      <Td className="max-w-0">
        <Button
          variant="ghost"
          className="h-auto max-w-full justify-start border-0 p-0 text-ink after:absolute after:inset-0 hover:bg-transparent"
          onClick={onShow}
        >
          <span className="truncate">
            {eventWord(d.kind)}
            {d.repository && <span className="font-normal text-ink-2"> · {d.repository}</span>}
          </span>
        </Button>
        {(d.error || d.status !== null) && (
          <p className="line-clamp-2 break-words text-ink-3 text-xs leading-5">
            {d.error ?? `It answered ${d.status}.`}
            {d.state === 'pending' && d.nextAttemptAt && <> {againIn(d.nextAttemptAt)}</>}
          </p>
        )}
      </Td>
      <Td right optional className="text-ink-2">
        {d.attempt}
      </Td>
      <Td right optional className="text-ink-2">
        {d.durationMs === null ? '–' : formatDuration(d.durationMs)}
      </Td>
      <Td right className="text-ink-2">
        <TimeAgo at={d.createdAt} />
      </Td>
    </Tr>
  )
}
