'use client'
import { Columns } from '@slipway/ui'
import { DeploymentsCard } from '@/components/deployments/deployments-card'
import { useApp } from '@/lib/use-app'
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
  const quiet = !app.inFlight && !app.inFlightBuild
  const main = (
    <>
      {quiet && app.state === 'failed' && <LatestFailure org={org} app={app} />}
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
