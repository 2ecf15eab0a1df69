'use client'
import type { views } from '@slipway/contracts'
import { formatBytes } from '@slipway/core'
import { Button, ErrorState, LinkButton } from '@slipway/ui'
import { useMutation } from '@tanstack/react-query'
import { RotateCcw } from 'lucide-react'
import { useRouter } from 'next/navigation'
import { routes } from '@/lib/routes'
import { useTRPC } from '@/lib/trpc'

/** The exited container of what should serve, when all of them have ended. */
export function exitedContainer(app: views.AppView): views.ContainerView | null {
  if (app.desiredState !== 'running' || !app.serving) return null
  const known = app.serving.containers.filter((c) => c.state !== 'removed')
  return known.length > 0 && known.every((c) => c.state === 'exited') ? (known[0] ?? null) : null
}

/** What served has ended by itself: how, and the two ways on. */
export function ContainerFailure({ org, app, container }: { org: string; app: views.AppView; container: views.ContainerView }) {
  const trpc = useTRPC()
  const router = useRouter()
  const redeploy = useMutation(
    trpc.deployments.redeploy.mutationOptions({ onSuccess: ({ number }) => router.push(routes.deployment(org, app.slug, number)) }),
  )
  const limit = app.settings.memoryLimitBytes
  const message = container.oomKilled
    ? `It used more memory than ${limit === null ? 'there was' : `its limit of ${formatBytes(limit)}`} and was killed. ${limit === null ? 'Make it use less, then redeploy.' : 'Raise the limit in the settings, or make it use less, then redeploy.'}`
    : `Its main process ended with exit code ${container.exitCode ?? 'unknown'}. The last lines of the log tell why; redeploy to start it again.`
  return (
    <ErrorState
      title={container.oomKilled ? 'The container ran out of memory' : 'The container exited'}
      code={container.oomKilled ? 'OUT_OF_MEMORY' : 'CONTAINER_EXITED'}
      message={message}
      actions={
        <>
          <Button icon={<RotateCcw aria-hidden />} pending={redeploy.isPending} onClick={() => redeploy.mutate({ org, app: app.slug })}>
            Redeploy
          </Button>
          <LinkButton href={routes.appTab(org, app.slug, 'logs')}>See the log</LinkButton>
        </>
      }
    />
  )
}
