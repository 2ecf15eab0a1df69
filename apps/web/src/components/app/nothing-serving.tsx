'use client'
import type { views } from '@slipway/contracts'
import { Button, Card, EmptyState, LinkButton } from '@slipway/ui'
import { useMutation } from '@tanstack/react-query'
import { Hammer, Play, Rocket } from 'lucide-react'
import { useRouter } from 'next/navigation'
import { routes } from '@/lib/routes'
import { useTRPC } from '@/lib/trpc'
import { useAppActions } from './use-app-actions'

/** No version serves and none is on its way: what brings one. */
export function NothingServing({ org, app }: { org: string; app: views.AppView }) {
  const trpc = useTRPC()
  const router = useRouter()
  const { start } = useAppActions(org, app)
  const target = { org, app: app.slug }
  const build = useMutation(
    trpc.builds.trigger.mutationOptions({ onSuccess: ({ number }) => router.push(routes.build(org, app.slug, number)) }),
  )
  const deploy = useMutation(
    trpc.deployments.redeploy.mutationOptions({ onSuccess: ({ number }) => router.push(routes.deployment(org, app.slug, number)) }),
  )
  if (app.desiredState === 'stopped') {
    return (
      <Card>
        <EmptyState
          icon={<Play aria-hidden />}
          title="This app is stopped"
          actions={
            <Button variant="primary" onClick={() => start.mutate(target)} pending={start.isPending}>
              Start
            </Button>
          }
        >
          Its address does not answer. A start brings back the version that served last.
        </EmptyState>
      </Card>
    )
  }
  return (
    <Card>
      <EmptyState
        icon={<Rocket aria-hidden />}
        title="Nothing is deployed yet"
        actions={
          app.source === 'git' ? (
            <>
              <Button
                variant="primary"
                icon={<Hammer aria-hidden />}
                pending={build.isPending}
                onClick={() => build.mutate({ ...target, noCache: false })}
              >
                Build and deploy
              </Button>
              <LinkButton href={routes.appTab(org, app.slug, 'settings')}>Connect pushes</LinkButton>
            </>
          ) : app.source === 'upload' ? undefined : (
            <Button variant="primary" icon={<Rocket aria-hidden />} pending={deploy.isPending} onClick={() => deploy.mutate(target)}>
              Deploy the image
            </Button>
          )
        }
      >
        {app.source === 'git'
          ? `A build of ${app.settings.gitBranch ?? 'the branch'} makes the first version. After that, every push does.`
          : app.source === 'upload'
            ? `Run slipway build --app ${app.slug} --deploy in the folder of its files.`
            : 'A deployment pulls the image and starts it.'}
      </EmptyState>
    </Card>
  )
}
