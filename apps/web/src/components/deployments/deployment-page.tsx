'use client'
import type { views } from '@slipway/contracts'
import { formatDuration, isDeploymentSettled } from '@slipway/core'
import {
  Button,
  Callout,
  Card,
  CardHeader,
  DeploymentStatus,
  ErrorState,
  LinkButton,
  PageHead,
  PlainLog,
  Skeleton,
  SkeletonRows,
  Way,
} from '@slipway/ui'
import { useMutation } from '@tanstack/react-query'
import { ExternalLink, Undo2 } from 'lucide-react'
import { DeploymentFacts } from '@/components/app/serving-card'
import { CommitFacts } from '@/components/commit'
import { Load } from '@/components/load'
import { backToApp } from '@/lib/back'
import { routes } from '@/lib/routes'
import { useTRPC } from '@/lib/trpc'
import { useApp } from '@/lib/use-app'
import { wayOfDeployment } from '@/lib/way'
import { ContainersCard } from './containers-card'
import { changeOf } from './deployment-rows'
import { useRollBack } from './roll-back'
import { useDeployment } from './use-deployment'

export function DeploymentPage({ org, app, number }: { org: string; app: string; number: number }) {
  const query = useDeployment(org, app, number)
  return (
    <Load
      page
      query={query}
      what="this deployment"
      skeleton={<DeploymentSkeleton number={number} />}
      back={backToApp(org, app, 'deployments', query.error)}
    >
      {(deployment) => <DeploymentBody org={org} app={app} deployment={deployment} />}
    </Load>
  )
}

function DeploymentBody({ org, app, deployment: d }: { org: string; app: string; deployment: views.DeploymentView }) {
  const trpc = useTRPC()
  const { data: view } = useApp(org, app)
  const { ask, dialog } = useRollBack(org, app)
  const cancel = useMutation(trpc.deployments.cancel.mutationOptions())
  const open = !isDeploymentSettled(d.state)
  return (
    <>
      <PageHead
        title={`Deployment #${d.number}`}
        actions={
          <>
            {open && d.state !== 'switching' && (
              <Button pending={cancel.isPending} onClick={() => cancel.mutate({ org, app, number: d.number })}>
                Cancel
              </Button>
            )}
            {d.build && <LinkButton href={routes.build(org, app, d.build.number)}>Build #{d.build.number}</LinkButton>}
            {d.canRollBack && (
              <Button icon={<Undo2 aria-hidden />} onClick={() => ask(d)}>
                Roll back to this
              </Button>
            )}
            {d.state === 'serving' && view && (
              <LinkButton href={view.url} variant="primary" icon={<ExternalLink aria-hidden />}>
                Open
              </LinkButton>
            )}
          </>
        }
      >
        <DeploymentStatus state={d.state} />
        <span className="min-w-0 truncate text-ink-2">{changeOf(d)}</span>
      </PageHead>
      {d.error && (
        <ErrorState title="It failed" code={d.error.code} message={d.error.message}>
          <LastLines lines={d.error.details.lastLines} />
        </ErrorState>
      )}
      {d.imageGone && d.error?.code !== 'IMAGE_GONE' && (
        <Callout tone="busy">
          Its image is no longer in the registry: it was deleted, by somebody or by retention.{' '}
          {d.state === 'serving'
            ? 'It goes on running; on a host that lost its copy it could not be started again. Build it again to be safe.'
            : d.canRollBack && 'Rolling back to it works only as long as the host has a copy; otherwise build its commit again.'}
        </Callout>
      )}
      <Card>
        <CardHeader
          title="The way"
          aside={d.durationMs === null ? <CommitFacts commit={null} at={d.queuedAt} /> : `${formatDuration(d.durationMs)} in all`}
        />
        <Way hops={wayOfDeployment(org, app, d)} />
        <div className="border-line border-t">
          <DeploymentFacts org={org} deployment={d} />
        </div>
      </Card>
      <ContainersCard containers={d.containers} />
      {dialog}
    </>
  )
}

/** What the program said before it ended. */
export function LastLines({ lines }: { lines: string[] | undefined }) {
  if (!lines || lines.length === 0) return null
  return (
    <div className="overflow-hidden rounded-sm border border-line">
      <PlainLog label="Last lines" lines={lines.map((text, index) => ({ key: index, time: '', text }))} />
    </div>
  )
}

function DeploymentSkeleton({ number }: { number: number }) {
  return (
    <>
      <PageHead title={`Deployment #${number}`} />
      <Card>
        <div className="p-4">
          <Skeleton className="h-14 w-full" />
        </div>
        <SkeletonRows rows={3} label="Loading this deployment" />
      </Card>
    </>
  )
}
