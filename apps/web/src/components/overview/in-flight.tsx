'use client'
import { Card, CardHeader, Hash, LinkButton, Way } from '@slipway/ui'
import { useQuery } from '@tanstack/react-query'
import { routes } from '@/lib/routes'
import { useTRPC } from '@/lib/trpc'
import { wayOfBuild, wayOfDeployment } from '@/lib/way'

/** An app that is being built or deployed right now, with the way it is on. */
export function InFlight({ org, app }: { org: string; app: string }) {
  const trpc = useTRPC()
  // Asked for, not streamed: a stream for each would use up the browser's connections.
  const { data } = useQuery(trpc.apps.get.queryOptions({ org, app }, { refetchInterval: 1000 }))
  if (!data) return null
  const { inFlight, inFlightBuild } = data
  if (inFlight) {
    return (
      <Card>
        <CardHeader
          title={`Deploying ${data.name}`}
          extra={<Hash>#{inFlight.number}</Hash>}
          aside={
            <LinkButton size="s" href={routes.deployment(org, app, inFlight.number)}>
              Follow
            </LinkButton>
          }
        />
        <Way hops={wayOfDeployment(org, app, inFlight)} />
      </Card>
    )
  }
  if (!inFlightBuild) return null
  const href = routes.build(org, app, inFlightBuild.number)
  return (
    <Card>
      <CardHeader
        title={`${inFlightBuild.state === 'queued' ? 'Waiting to build' : 'Building'} ${data.name}`}
        extra={<Hash>#{inFlightBuild.number}</Hash>}
        aside={
          <LinkButton size="s" href={href}>
            Follow
          </LinkButton>
        }
      />
      <Way hops={wayOfBuild(inFlightBuild, href)} />
    </Card>
  )
}
