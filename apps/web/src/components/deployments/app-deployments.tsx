'use client'
import { Card, EmptyState, LinkButton } from '@slipway/ui'
import { useInfiniteQuery } from '@tanstack/react-query'
import { Rocket } from 'lucide-react'
import { Load } from '@/components/load'
import { allItems, More } from '@/components/more'
import { routes } from '@/lib/routes'
import { useTRPC } from '@/lib/trpc'
import { useApp } from '@/lib/use-app'
import { DeploymentRows } from './deployment-rows'
import { useRollBack } from './roll-back'

export function AppDeployments({ org, app }: { org: string; app: string }) {
  const trpc = useTRPC()
  const query = useInfiniteQuery(
    trpc.deployments.list.infiniteQueryOptions({ org, app, limit: 25 }, { getNextPageParam: (page) => page.next ?? undefined }),
  )
  const { data: view } = useApp(org, app)
  const { ask, dialog } = useRollBack(org, app)
  return (
    <Card>
      <Load query={allItems(query)} what="the deployments">
        {(items) =>
          items.length === 0 ? (
            <EmptyState
              icon={<Rocket aria-hidden />}
              title="No deployment yet"
              actions={<LinkButton href={routes.app(org, app)}>Back to the overview</LinkButton>}
            >
              Each build that succeeds is deployed. Every version stays here, to roll back to.
            </EmptyState>
          ) : (
            <DeploymentRows org={org} app={app} items={items} stopped={view?.desiredState === 'stopped'} onRollBack={ask} />
          )
        }
      </Load>
      <More query={query} />
      {dialog}
    </Card>
  )
}
