'use client'
import type { views } from '@slipway/contracts'
import { ErrorState, LinkButton } from '@slipway/ui'
import { useQuery } from '@tanstack/react-query'
import { routes } from '@/lib/routes'
import { useTRPC } from '@/lib/trpc'

/** Why the newest try did not go through: of its build, or of its deployment. */
export function LatestFailure({ org, app }: { org: string; app: views.AppView }) {
  const trpc = useTRPC()
  const builds = useQuery(trpc.builds.list.queryOptions({ org, app: app.slug, pullRequests: false, limit: 1 }))
  const deployments = useQuery(trpc.deployments.list.queryOptions({ org, app: app.slug, limit: 1 }))
  const build = builds.data?.items[0]
  const deployment = deployments.data?.items[0]
  const kept = app.serving ? ` #${app.serving.number} keeps serving.` : ''
  if (deployment?.state === 'failed' && (build?.state !== 'failed' || deployment.queuedAt > build.queuedAt)) {
    return (
      <ErrorState
        title={`Deployment #${deployment.number} failed`}
        code={deployment.error?.code}
        message={`${deployment.error?.message ?? 'It ended without saying why.'}${kept}`}
        actions={<LinkButton href={routes.deployment(org, app.slug, deployment.number)}>See what happened</LinkButton>}
      />
    )
  }
  // A failed build before a newer deployment is history.
  if (build?.state === 'failed' && deployments.data && (!deployment || deployment.queuedAt < build.queuedAt)) {
    return (
      <ErrorState
        title={`Build #${build.number} failed`}
        code={build.error?.code}
        message={`${build.error?.message ?? 'It ended without saying why.'}${kept}`}
        actions={<LinkButton href={routes.build(org, app.slug, build.number)}>See the log</LinkButton>}
      />
    )
  }
  return null
}
