'use client'
import { Card, EmptyState, LinkButton, PageHead } from '@slipway/ui'
import { useInfiniteQuery } from '@tanstack/react-query'
import { Hammer, Plus } from 'lucide-react'
import { Load } from '@/components/load'
import { allItems, More } from '@/components/more'
import { routes } from '@/lib/routes'
import { useTRPC } from '@/lib/trpc'
import { BuildRows } from './build-rows'

export function AllBuilds({ org }: { org: string }) {
  const trpc = useTRPC()
  const query = useInfiniteQuery(
    trpc.builds.list.infiniteQueryOptions({ org, limit: 25 }, { getNextPageParam: (page) => page.next ?? undefined }),
  )
  return (
    <>
      <PageHead title="Builds" />
      <Card>
        <Load query={allItems(query)} what="the builds">
          {(items) =>
            items.length === 0 ? (
              <EmptyState
                icon={<Hammer aria-hidden />}
                title="No build yet"
                actions={
                  <LinkButton href={routes.newApp(org)} variant="primary" icon={<Plus aria-hidden />}>
                    New app
                  </LinkButton>
                }
              >
                Connect a Git repository: its Dockerfile is built at once, and again on every push.
              </EmptyState>
            ) : (
              <BuildRows org={org} items={items} withApp />
            )
          }
        </Load>
        <More query={query} />
      </Card>
    </>
  )
}
