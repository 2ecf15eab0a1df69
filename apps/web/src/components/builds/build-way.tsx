'use client'
import type { views } from '@slipway/contracts'
import { Card, CardHeader, Hash, Link, LinkButton, SkeletonRows, Way } from '@slipway/ui'
import { ExternalLink, Layers } from 'lucide-react'
import { ownRepository } from '@/components/app/serving-card'
import { useDeployment } from '@/components/deployments/use-deployment'
import { hostOf } from '@/components/overview/project-card'
import { routes } from '@/lib/routes'
import { useApp } from '@/lib/use-app'
import { wayOfBuild, wayOfDeployment } from '@/lib/way'

/** Where this build leads: its hops, then those of its deployment, and in the end the address that answers. */
export function BuildWay({ org, app, build }: { org: string; app: string; build: views.BuildView }) {
  const number = build.deployment?.number ?? null
  const { data: deployment, isPending } = useDeployment(org, app, number)
  const { data: view } = useApp(org, app)
  const image = build.image && ownRepository(org, build.image.repository)
  if (build.state === 'superseded' || build.state === 'canceled') return null
  return (
    <Card>
      <CardHeader
        title={deployment?.state === 'serving' ? 'Serving now' : 'The way'}
        extra={
          number !== null && (
            <Link href={routes.deployment(org, app, number)} className="rounded-[5px]" aria-label={`Deployment #${number}`}>
              <Hash className="hover:border-line-strong">#{number}</Hash>
            </Link>
          )
        }
        aside={
          <>
            {build.image && image && (
              <LinkButton size="s" variant="ghost" href={routes.image(org, image, build.image.digest)} icon={<Layers aria-hidden />}>
                Image
              </LinkButton>
            )}
            {deployment?.state === 'serving' && view && (
              <LinkButton size="s" variant="primary" href={view.url} icon={<ExternalLink aria-hidden />}>
                {hostOf(view.url)}
              </LinkButton>
            )}
          </>
        }
      />
      {/* Whether it started is the deployment's to say: until that is here, nothing is said of it. */}
      {number !== null && isPending ? (
        <SkeletonRows rows={2} label="Loading the deployment" />
      ) : (
        <Way hops={deployment ? wayOfDeployment(org, app, deployment) : wayOfBuild(build)} />
      )}
    </Card>
  )
}
