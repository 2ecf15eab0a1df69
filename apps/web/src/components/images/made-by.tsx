'use client'
import type { views } from '@slipway/contracts'
import { Link } from '@slipway/ui'
import { firstLine } from '@/components/commit'
import { routes } from '@/lib/routes'

/** Names of the pipeline and the like, which push under names of their own. */
const SYSTEM: Record<string, string> = {
  'system:worker': 'the build',
  'system:replication': 'replication',
  'system:upstream': 'the upstream',
  'system:retention': 'retention',
}
export const pusherName = (name: string) => SYSTEM[name] ?? name

/** Who started the build, or what did. */
export function starterOf({ by, trigger }: views.BuildRefView): string {
  if (trigger === 'push') return `push by ${by}`
  if (trigger === 'api') return `${by}, by the API`
  return trigger === 'upload' ? `${by}, from a laptop` : by
}

interface Made {
  pushedBy: string | null
  build: views.BuildRefView | null
  commit: views.CommitView | null
}

/** `Ada · build #12 · main@e41c9a2`: who pushed, or for a build who started it. */
export function MadeFacts({ org, pushedBy, build, commit }: Made & { org: string }) {
  const who = build && pushedBy === 'system:worker' ? starterOf(build) : pushedBy === null ? null : pusherName(pushedBy)
  const parts = [
    who !== null && <span key="who">{who}</span>,
    build && (
      <Link
        key="build"
        href={routes.build(org, build.app, build.number)}
        className="relative z-10 underline decoration-line-strong underline-offset-3 hover:text-ink"
      >
        build #{build.number}
      </Link>
    ),
    commit && (
      <span key="commit" className="font-mono">
        {commit.branch === '' ? commit.sha.slice(0, 7) : `${commit.branch}@${commit.sha.slice(0, 7)}`}
      </span>
    ),
  ].filter(Boolean)
  return parts.flatMap((part, i) => (i === 0 ? [part] : [' · ', part]))
}

/** In a table's cell: what the commit says, and the facts below; of what no build made, who pushed it. */
export function MadeBy(props: Made & { org: string }) {
  const { build, commit } = props
  if (!build && !commit)
    return (
      <span className="block truncate text-ink-2">
        <MadeFacts {...props} />
      </span>
    )
  return (
    <>
      <p className="truncate">{commit ? firstLine(commit.message) : build?.app}</p>
      <p className="truncate text-ink-3 text-xs leading-5">
        <MadeFacts {...props} />
      </p>
    </>
  )
}
