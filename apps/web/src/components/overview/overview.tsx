'use client'
import { Card, CardHeader, Columns, LinkButton, PageHead, Skeleton, SkeletonRows } from '@slipway/ui'
import { useQuery } from '@tanstack/react-query'
import { Plus } from 'lucide-react'
import { useEffect } from 'react'
import { Load } from '@/components/load'
import { rememberOrganization } from '@/lib/last-organization'
import { routes } from '@/lib/routes'
import { useTRPC } from '@/lib/trpc'
import { FirstRun } from './first-run'
import { InFlight } from './in-flight'
import { ProjectCard } from './project-card'
import { RecentActivity } from './recent-activity'

/** An organization at a glance: what is on its way, what runs, what happened. */
export function Overview({ org }: { org: string }) {
  const trpc = useTRPC()
  const projects = useQuery(trpc.projects.list.queryOptions({ org }))
  useEffect(() => {
    if (projects.data) rememberOrganization(org)
  }, [projects.data, org])
  return (
    <Load page query={projects} what="the overview" skeleton={<OverviewSkeleton />}>
      {(list) => {
        const apps = list.flatMap((p) => p.apps)
        if (apps.length === 0) return <FirstRun org={org} />
        const moving = apps.filter((a) => a.state === 'building' || a.state === 'deploying').slice(0, 3)
        return (
          <>
            <PageHead
              title="Overview"
              actions={
                <LinkButton href={routes.newApp(org)} variant="primary" icon={<Plus aria-hidden />}>
                  New app
                </LinkButton>
              }
            />
            <Columns aside={<RecentActivity org={org} />}>
              {moving.map((app) => (
                <InFlight key={app.id} org={org} app={app.slug} />
              ))}
              {list
                .filter((p) => p.apps.length > 0)
                .map((project) => (
                  <ProjectCard key={project.slug} org={org} project={project} />
                ))}
            </Columns>
          </>
        )
      }}
    </Load>
  )
}

function OverviewSkeleton() {
  return (
    <>
      <Skeleton className="my-1 h-6 w-36" />
      <Columns
        aside={
          <Card>
            <CardHeader title="Activity" />
            <SkeletonRows rows={5} label="Loading the activity" />
          </Card>
        }
      >
        <Card>
          <SkeletonRows rows={4} label="Loading the apps" />
        </Card>
      </Columns>
    </>
  )
}
