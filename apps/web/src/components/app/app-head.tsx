'use client'
import type { views } from '@slipway/contracts'
import { AppStatus, Button, Link, LinkButton, Menu, MenuItem, PageHead, toast } from '@slipway/ui'
import { useMutation } from '@tanstack/react-query'
import { ChevronDown, ExternalLink, Hammer, Play, RotateCcw, Square } from 'lucide-react'
import { useRouter } from 'next/navigation'
import { hostOf } from '@/components/overview/project-card'
import { routes } from '@/lib/routes'
import { useTRPC } from '@/lib/trpc'
import { useAppActions } from './use-app-actions'

export function AppHead({ org, app }: { org: string; app: views.AppView }) {
  return (
    <PageHead title={app.name} actions={<Actions org={org} app={app} />}>
      <AppStatus state={app.state} />
      {app.serving && app.desiredState === 'running' && (
        <Link
          href={app.url}
          className="min-w-0 truncate rounded-sm font-mono text-[13px] text-ink-2 underline-offset-3 hover:text-ink hover:underline"
        >
          {hostOf(app.url)}
        </Link>
      )}
    </PageHead>
  )
}

function Actions({ org, app }: { org: string; app: views.AppView }) {
  const trpc = useTRPC()
  const router = useRouter()
  const { stop, start } = useAppActions(org, app)
  const redeploy = useMutation(
    trpc.deployments.redeploy.mutationOptions({ onSuccess: ({ number }) => router.push(routes.deployment(org, app.slug, number)) }),
  )
  const build = useMutation(
    trpc.builds.trigger.mutationOptions({
      onSuccess: ({ number }) => {
        toast(`Build #${number} is queued`)
        router.push(routes.build(org, app.slug, number))
      },
    }),
  )
  const target = { org, app: app.slug }
  const pending = redeploy.isPending || build.isPending
  const git = app.source === 'git'
  return (
    <>
      {app.desiredState === 'stopped' ? (
        <Button icon={<Play aria-hidden />} pending={start.isPending} onClick={() => start.mutate(target)}>
          Start
        </Button>
      ) : git && !app.serving ? (
        <Button icon={<Hammer aria-hidden />} pending={pending} onClick={() => build.mutate({ ...target, noCache: false })}>
          Build
        </Button>
      ) : app.source === 'upload' && !app.serving ? null : (
        <div className="flex">
          <Button
            className={git ? 'rounded-r-none' : undefined}
            icon={<RotateCcw aria-hidden />}
            pending={pending}
            onClick={() => redeploy.mutate(target)}
          >
            Redeploy
          </Button>
          <Menu
            trigger={
              <Button size="icon" aria-label="More actions" className="-ml-px w-7 rounded-l-none" hidden={!git}>
                <ChevronDown aria-hidden />
              </Button>
            }
          >
            <MenuItem icon={<Hammer aria-hidden />} onSelect={() => build.mutate({ ...target, noCache: false })}>
              Build the branch again
            </MenuItem>
            <MenuItem icon={<Hammer aria-hidden />} onSelect={() => build.mutate({ ...target, noCache: true })}>
              Build without the cache
            </MenuItem>
            <MenuItem icon={<Square aria-hidden />} onSelect={() => stop.mutate(target)}>
              Stop
            </MenuItem>
          </Menu>
        </div>
      )}
      {app.serving && app.desiredState === 'running' && (
        <LinkButton href={app.url} variant="primary" icon={<ExternalLink aria-hidden />}>
          Open
        </LinkButton>
      )}
    </>
  )
}
