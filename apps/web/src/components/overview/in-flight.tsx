'use client'
import { Card, CardHeader, Hash, LinkButton, Way } from '@slipway/ui'
import { routes } from '@/lib/routes'
import { useApp, useAppWatch } from '@/lib/use-app'
import { wayOfBuild, wayOfDeployment } from '@/lib/way'

/** An app that is being built or deployed right now, with the way it is on. */
export function InFlight({ org, app }: { org: string; app: string }) {
  const { data } = useApp(org, app)
  useAppWatch(org, app)
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
