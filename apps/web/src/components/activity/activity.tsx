'use client'
import { Button, Card, EmptyState, PageHead } from '@slipway/ui'
import { keepPreviousData, useInfiniteQuery } from '@tanstack/react-query'
import { Activity as Icon, SearchX } from 'lucide-react'
import { useDeferredValue, useMemo, useState } from 'react'
import { Load } from '@/components/load'
import { allItems, More } from '@/components/more'
import { useTRPC } from '@/lib/trpc'
import { AuditRow } from './audit-row'
import { inputOf, isFiltered, NO_FILTER } from './filter'
import { FilterBar } from './filter-bar'

/** Who did what, newest first. */
export function Activity({ org }: { org: string }) {
  const trpc = useTRPC()
  const [filter, setFilter] = useState(NO_FILTER)
  const settled = useDeferredValue(filter)
  // Once per filter, not per drawing: "the last 24 hours" begin when they are chosen.
  const input = useMemo(() => inputOf(settled), [settled])
  const query = useInfiniteQuery({
    ...trpc.organizations.audit.infiniteQueryOptions({ org, limit: 50, ...input }, { getNextPageParam: (page) => page.next ?? undefined }),
    placeholderData: keepPreviousData,
  })
  const total = query.data?.pages[0]?.total
  return (
    <>
      <PageHead title="Activity" />
      <Card>
        <FilterBar org={org} filter={filter} onChange={setFilter} />
        <Load query={allItems(query)} what="the activity">
          {(items) =>
            items.length > 0 ? (
              <>
                <p className="num px-4 pt-2.5 text-ink-3 text-xs" aria-live="polite">
                  {total?.toLocaleString('en')} {total === 1 ? 'event' : 'events'}
                </p>
                <ul className="py-1.5">
                  {items.map((event) => (
                    <AuditRow key={event.id} org={org} event={event} />
                  ))}
                </ul>
              </>
            ) : isFiltered(settled) ? (
              <EmptyState
                icon={<SearchX aria-hidden />}
                title="No event matches"
                actions={<Button onClick={() => setFilter(NO_FILTER)}>Show all</Button>}
              >
                Choose a longer time, anybody or anything.
              </EmptyState>
            ) : (
              <EmptyState icon={<Icon aria-hidden />} title="Nothing has happened yet">
                What people, API keys, Git servers and registry clients do in this organization is listed here.
              </EmptyState>
            )
          }
        </Load>
        <More query={query} />
      </Card>
    </>
  )
}
