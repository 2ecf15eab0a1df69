'use client'
import type { views } from '@slipway/contracts'
import { Card, CardHeader, Link, SkeletonRows } from '@slipway/ui'
import { useQuery } from '@tanstack/react-query'
import { Load } from '@/components/load'
import { routes } from '@/lib/routes'
import { useTRPC } from '@/lib/trpc'
import { DeploymentRows } from './deployment-rows'
import { useRollBack } from './roll-back'

const SHOWN = 5

/** The newest deployments of an app; nothing while there is none. */
export function DeploymentsCard({ org, app }: { org: string; app: views.AppView }) {
  const trpc = useTRPC()
  const query = useQuery(trpc.deployments.list.queryOptions({ org, app: app.slug, limit: SHOWN }))
  const { ask, dialog } = useRollBack(org, app.slug)
  if (query.data?.items.length === 0) return null
  return (
    <Card>
      <CardHeader
        title="Deployments"
        aside={
          query.data && (
            <Link href={routes.appTab(org, app.slug, 'deployments')} className="rounded-sm hover:text-ink">
              All {query.data.total}
            </Link>
          )
        }
      />
      <Load query={query} what="the deployments" skeleton={<SkeletonRows rows={3} label="Loading the deployments" />}>
        {(page) => (
          <DeploymentRows org={org} app={app.slug} items={page.items} brief stopped={app.desiredState === 'stopped'} onRollBack={ask} />
        )}
      </Load>
      {dialog}
    </Card>
  )
}
