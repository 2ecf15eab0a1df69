'use client'
import type { inputs } from '@slipway/contracts'
import { formatBytes } from '@slipway/core'
import { Card, CardHeader, EmptyState, RowLink, Segmented, Table, Td, Th, Tr } from '@slipway/ui'
import { keepPreviousData, useInfiniteQuery } from '@tanstack/react-query'
import { useState } from 'react'
import type { z } from 'zod'
import { Load } from '@/components/load'
import { allItems, More } from '@/components/more'
import { routes } from '@/lib/routes'
import { useTRPC } from '@/lib/trpc'
import { RowBar } from './use-bar'

type By = z.infer<typeof inputs.storageRepositories>['by']
const ORDERS: { value: By; label: string }[] = [
  { value: 'bytes', label: 'All' },
  { value: 'only', label: 'Only here' },
  { value: 'unused', label: 'Not needed' },
]

/** Each repository to the scale of the first: what only it has, and what others have too. */
export function RepositoriesCard({ org }: { org: string }) {
  const trpc = useTRPC()
  const [by, setBy] = useState<By>('bytes')
  const query = useInfiniteQuery(
    trpc.storage.repositories.infiniteQueryOptions(
      { org, by, limit: 20 },
      // The rows stay until the new order is there.
      { getNextPageParam: (page) => page.next ?? undefined, placeholderData: keepPreviousData },
    ),
  )
  const largest = query.data?.pages[0]?.items.reduce((most, one) => Math.max(most, one.bytes), 0) ?? 0
  return (
    <Card>
      <CardHeader title="By repository" aside={<Segmented label="Order by" value={by} segments={ORDERS} onChange={setBy} />} />
      <Load query={allItems(query)} what="the repositories">
        {(items) =>
          items.length === 0 ? (
            <EmptyState title="No repository yet">The first push makes one.</EmptyState>
          ) : (
            <Table>
              <thead>
                <tr>
                  <Th>Repository</Th>
                  <Th right className="w-24">
                    All
                  </Th>
                  <Th right optional className="w-24">
                    Only here
                  </Th>
                  <Th right optional className="w-24">
                    Not needed
                  </Th>
                </tr>
              </thead>
              <tbody>
                {items.map((one) => (
                  <Tr key={one.name} interactive>
                    <Td className="max-w-0">
                      <RowLink href={routes.repository(org, one.name)} className="block truncate font-medium">
                        {one.name}
                      </RowLink>
                      <div className="mt-1.5">
                        <RowBar
                          of={largest}
                          parts={[
                            { bytes: one.only, fill: 'own' },
                            { bytes: one.bytes - one.only, fill: 'shared' },
                          ]}
                        />
                      </div>
                    </Td>
                    <Td right>{formatBytes(one.bytes)}</Td>
                    <Td right optional className="text-ink-2">
                      {formatBytes(one.only)}
                    </Td>
                    <Td right optional className="text-ink-2">
                      {one.unused === 0 ? '–' : formatBytes(one.unused)}
                    </Td>
                  </Tr>
                ))}
              </tbody>
            </Table>
          )
        }
      </Load>
      <More query={query} />
    </Card>
  )
}
