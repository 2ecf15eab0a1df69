'use client'
import { Button, Card, EmptyState } from '@slipway/ui'
import { useInfiniteQuery, useMutation } from '@tanstack/react-query'
import { Hammer } from 'lucide-react'
import { useRouter } from 'next/navigation'
import { Load } from '@/components/load'
import { allItems, More } from '@/components/more'
import { routes } from '@/lib/routes'
import { useTRPC } from '@/lib/trpc'
import { useApp } from '@/lib/use-app'
import { BuildRows } from './build-rows'

export function AppBuilds({ org, app }: { org: string; app: string }) {
  const trpc = useTRPC()
  const router = useRouter()
  const uploaded = useApp(org, app).data?.source === 'upload'
  const query = useInfiniteQuery(
    trpc.builds.list.infiniteQueryOptions({ org, app, limit: 25 }, { getNextPageParam: (page) => page.next ?? undefined }),
  )
  const build = useMutation(trpc.builds.trigger.mutationOptions({ onSuccess: ({ number }) => router.push(routes.build(org, app, number)) }))
  return (
    <Card>
      <Load query={allItems(query)} what="the builds">
        {(items) =>
          items.length === 0 ? (
            <EmptyState
              icon={<Hammer aria-hidden />}
              title="No build yet"
              actions={
                uploaded ? undefined : (
                  <Button
                    variant="primary"
                    icon={<Hammer aria-hidden />}
                    pending={build.isPending}
                    onClick={() => build.mutate({ org, app, noCache: false })}
                  >
                    Build now
                  </Button>
                )
              }
            >
              {uploaded
                ? `Run slipway build --app ${app} in the folder of its files.`
                : 'A build turns the Dockerfile of the connected branch into an image. Every push starts one.'}
            </EmptyState>
          ) : (
            <BuildRows org={org} items={items} />
          )
        }
      </Load>
      <More query={query} />
    </Card>
  )
}
