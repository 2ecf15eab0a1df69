'use client'
import { Columns } from '@slipway/ui'
import { DeploymentsCard } from '@/components/deployments/deployments-card'
import { useApp } from '@/lib/use-app'
import { ContainerFailure, exitedContainer } from './container-failure'
import { InFlightCard } from './in-flight-card'
import { LatestFailure } from './latest-failure'
import { LogsCard } from './logs-card'
import { MemoryCard } from './memory-card'
import { NothingServing } from './nothing-serving'
import { ServingCard } from './serving-card'

export function AppOverview({ org, app: slug }: { org: string; app: string }) {
  const { data: app } = useApp(org, slug)
  if (!app) return null
  const running = app.serving !== null && app.desiredState === 'running'
  const exited = exitedContainer(app)
  const quiet = !app.inFlight && !app.inFlightBuild
  const main = (
    <>
      {exited && <ContainerFailure org={org} app={app} container={exited} />}
      {quiet && !exited && <LatestFailure org={org} app={app} />}
      <InFlightCard org={org} app={app} />
      {app.serving ? (
        <ServingCard org={org} app={app} serving={app.serving} />
      ) : (
        quiet && app.state !== 'failed' && <NothingServing org={org} app={app} />
      )}
      <DeploymentsCard org={org} app={app} />
    </>
  )
  if (!running) return main
  return (
    <Columns
      aside={
        <>
          <MemoryCard org={org} app={slug} />
          <LogsCard org={org} app={slug} />
        </>
      }
    >
      {main}
    </Columns>
  )
}
