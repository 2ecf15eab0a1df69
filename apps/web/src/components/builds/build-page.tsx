'use client'
import type { views } from '@slipway/contracts'
import { Card, PageHead, Skeleton, SkeletonRows } from '@slipway/ui'
import { Load } from '@/components/load'
import { backToApp } from '@/lib/back'
import { BuildFailure } from './build-failure'
import { BuildHead } from './build-head'
import { BuildWay } from './build-way'
import { ComparisonCard } from './comparison-card'
import { DockerfileCard } from './dockerfile-card'
import { PullRequestNote } from './pull-request'
import { StepsCard } from './steps-card'
import { TimeCard } from './time-card'
import { useBuild } from './use-build'
import { useInsights } from './use-insights'

/** One build: its way on to a URL, where its time went, its steps with their logs. Live from the queue to the end. */
export function BuildPage({ org, app, number }: { org: string; app: string; number: number }) {
  const { query, log, version, lost } = useBuild(org, app, number)
  return (
    <Load
      page
      query={query}
      what="this build"
      skeleton={<BuildSkeleton number={number} />}
      back={backToApp(org, app, 'builds', query.error)}
    >
      {(build) => (
        <>
          <BuildHead org={org} app={app} build={build} lost={lost} />
          <BuildFailure build={build} />
          {build.pullRequest && <PullRequestNote pullRequest={build.pullRequest} />}
          <BuildWay org={org} app={app} build={build} />
          <Measured org={org} app={app} build={build} />
          <StepsCard build={build} log={log} version={version} />
          <DockerfileCard build={build} />
        </>
      )}
    </Load>
  )
}

function Measured({ org, app, build }: { org: string; app: string; build: views.BuildView }) {
  const { insights, pending } = useInsights(org, app, build)
  return (
    <>
      <TimeCard build={build} advice={insights?.advice ?? null} />
      {pending && (
        <Card>
          <SkeletonRows rows={3} label="Comparing with the build before" />
        </Card>
      )}
      {insights?.comparison && <ComparisonCard org={org} app={app} comparison={insights.comparison} whole={build.state === 'succeeded'} />}
    </>
  )
}

function BuildSkeleton({ number }: { number: number }) {
  return (
    <>
      <PageHead title={`Build #${number}`} />
      <Card>
        <div className="p-4">
          <Skeleton className="h-14 w-full" />
        </div>
      </Card>
      <Card>
        <SkeletonRows rows={6} label="Loading this build" />
      </Card>
    </>
  )
}
