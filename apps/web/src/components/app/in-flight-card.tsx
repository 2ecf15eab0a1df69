'use client'
import type { views } from '@slipway/contracts'
import { Card, CardHeader, Hash, LinkButton, Way } from '@slipway/ui'
import { firstLine } from '@/components/commit'
import { routes } from '@/lib/routes'
import { wayOfBuild, wayOfDeployment } from '@/lib/way'

/** What is on its way to replace what serves. */
export function InFlightCard({ org, app }: { org: string; app: views.AppView }) {
  const { inFlight, inFlightBuild } = app
  if (inFlight) {
    return (
      <Card className="border-busy/40">
        <CardHeader
          title={inFlight.kind === 'rollback' ? 'Rolling back' : 'Deploying'}
          extra={<Hash>#{inFlight.number}</Hash>}
          aside={
            <>
              <span className="hidden max-w-[40ch] truncate sm:inline">{inFlight.commit && firstLine(inFlight.commit.message)}</span>
              <LinkButton size="s" href={routes.deployment(org, app.slug, inFlight.number)}>
                Follow
              </LinkButton>
            </>
          }
        />
        <Way hops={wayOfDeployment(org, app.slug, inFlight)} />
      </Card>
    )
  }
  if (!inFlightBuild) return null
  const href = routes.build(org, app.slug, inFlightBuild.number)
  return (
    <Card className="border-busy/40">
      <CardHeader
        title={inFlightBuild.state === 'queued' ? 'Waiting to build' : 'Building'}
        extra={<Hash>#{inFlightBuild.number}</Hash>}
        aside={
          <>
            <span className="hidden max-w-[40ch] truncate sm:inline">
              {inFlightBuild.commit && firstLine(inFlightBuild.commit.message)}
            </span>
            <LinkButton size="s" href={href}>
              Follow
            </LinkButton>
          </>
        }
      />
      <Way hops={wayOfBuild(inFlightBuild, href)} />
    </Card>
  )
}
