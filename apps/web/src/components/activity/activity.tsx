'use client'
import { Card, EmptyState, PageHead } from '@slipway/ui'
import { useInfiniteQuery } from '@tanstack/react-query'
import { Activity as Icon } from 'lucide-react'
import { Load } from '@/components/load'
import { allItems, More } from '@/components/more'
import { useTRPC } from '@/lib/trpc'
import { AuditRow } from './audit-row'

/** Who did what, newest first. */
export function Activity({ org }: { org: string }) {
  const trpc = useTRPC()
  const query = useInfiniteQuery(
    trpc.organizations.audit.infiniteQueryOptions({ org, limit: 50 }, { getNextPageParam: (page) => page.next ?? undefined }),
  )
  return (
    <>
      <PageHead title="Activity" />
      <Card>
        <Load query={allItems(query)} what="the activity">
          {(items) =>
            items.length === 0 ? (
              <EmptyState icon={<Icon aria-hidden />} title="Nothing has happened yet">
                What people, API keys and Git servers do in this organization is listed here.
              </EmptyState>
            ) : (
              <ul className="py-1.5">
                {items.map((event) => (
                  <AuditRow key={event.id} event={event} />
                ))}
              </ul>
            )
          }
        </Load>
        <More query={query} />
      </Card>
    </>
  )
}
