'use client'
import type { views } from '@slipway/contracts'
import { formatDuration, isBuildOver } from '@slipway/core'
import { BuildStatus, Button, Hash, Menu, MenuItem, PageHead, StatusPill } from '@slipway/ui'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { ChevronDown, Hammer, RotateCcw, X } from 'lucide-react'
import { useRouter } from 'next/navigation'
import { firstLine } from '@/components/commit'
import { routes } from '@/lib/routes'
import { useTRPC } from '@/lib/trpc'
import { PullRequestPill } from './pull-request'

const PHASES: Record<string, string> = { checkout: 'Checking out', plan: 'Planning', build: 'Building', publish: 'Publishing' }

function words(build: views.BuildView): string | undefined {
  const took = build.durationMs === null ? null : formatDuration(build.durationMs)
  if (build.state === 'running') return PHASES[build.phase ?? ''] ?? 'Building'
  if (build.state === 'queued' && build.queuePosition) return `Queued, ${build.queuePosition} before it`
  if (build.state === 'succeeded' && took) return `Built in ${took}`
  if (build.state === 'failed' && took) return `Failed after ${took}`
  if (build.state === 'canceled') return took ? `Canceled after ${took}` : 'Canceled before it began'
  return undefined
}

export function BuildHead({
  org,
  app,
  build,
  lost,
}: {
  org: string
  app: string
  build: views.BuildView
  /** The connection is away: what is shown may be old. */
  lost: boolean
}) {
  return (
    <PageHead title={`Build #${build.number}`} actions={<Actions org={org} app={app} build={build} />}>
      <span role="status" className="flex flex-wrap items-center gap-2">
        <BuildStatus state={build.state}>{words(build)}</BuildStatus>
        {lost && (
          <StatusPill tone="idle" pulse>
            Connection lost, trying again
          </StatusPill>
        )}
      </span>
      {build.pullRequest && <PullRequestPill pullRequest={build.pullRequest} />}
      <span className="flex min-w-0 items-center gap-2 text-ink-2">
        {build.commit ? (
          <>
            <Hash copy={build.commit.sha} label="the commit">
              {build.commit.sha.slice(0, 7)}
            </Hash>
            <span className="min-w-0 truncate">{build.pullRequest?.title || firstLine(build.commit.message)}</span>
          </>
        ) : (
          (build.branch ?? (build.trigger === 'upload' && `From the laptop of ${build.actor}`))
        )}
      </span>
    </PageHead>
  )
}

function Actions({ org, app, build }: { org: string; app: string; build: views.BuildView }) {
  const trpc = useTRPC()
  const client = useQueryClient()
  const router = useRouter()
  const cancel = useMutation(
    trpc.builds.cancel.mutationOptions({
      onSuccess: (view) => client.setQueryData(trpc.builds.get.queryKey({ org, app, number: build.number }), view),
    }),
  )
  const again = useMutation(trpc.builds.trigger.mutationOptions({ onSuccess: ({ number }) => router.push(routes.build(org, app, number)) }))
  if (!isBuildOver(build.state)) {
    return (
      <Button icon={<X aria-hidden />} pending={cancel.isPending} onClick={() => cancel.mutate({ org, app, number: build.number })}>
        Cancel
      </Button>
    )
  }
  // Its files are on someone's laptop; or the Git server says when a pull request is to be built.
  if (build.trigger === 'upload' || build.pullRequest) return null
  return (
    <div className="flex">
      <Button
        className="rounded-r-none"
        icon={<RotateCcw aria-hidden />}
        pending={again.isPending}
        onClick={() => again.mutate({ org, app, noCache: false })}
      >
        Build again
      </Button>
      <Menu
        trigger={
          <Button size="icon" aria-label="More ways to build" className="-ml-px w-7 rounded-l-none" disabled={again.isPending}>
            <ChevronDown aria-hidden />
          </Button>
        }
      >
        <MenuItem icon={<Hammer aria-hidden />} onSelect={() => again.mutate({ org, app, noCache: true })}>
          Build without the cache
        </MenuItem>
      </Menu>
    </div>
  )
}
