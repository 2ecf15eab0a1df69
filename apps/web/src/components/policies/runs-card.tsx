'use client'
import type { views } from '@slipway/contracts'
import { formatBytes } from '@slipway/core'
import { Callout, Card, CardHeader, Link, StatusPill, TimeAgo } from '@slipway/ui'
import { routes } from '@/lib/routes'
import { Unfold } from './dry-run'
import { plural } from './words'

/** The last runs, and what each removed. */
export function RunsCard({ org, runs }: { org: string; runs: views.RetentionRunView[] }) {
  if (runs.length === 0) return null
  return (
    <Card aria-label="Runs of retention">
      <CardHeader title="Runs" />
      <ul className="grid gap-2 p-3">
        {runs.map((run) => (
          <li key={run.id}>
            <Unfold
              title={
                <span className="flex min-w-0 items-center gap-2">
                  <TimeAgo at={run.startedAt} className="shrink-0" />
                  <span className="min-w-0 truncate font-normal text-ink-3 text-xs">{run.by ?? 'by its schedule'}</span>
                  <State run={run} />
                </span>
              }
              aside={run.tags + run.manifests === 0 ? 'nothing to remove' : `${plural(run.tags, 'tag')} · ${formatBytes(run.bytes)}`}
            >
              <Removed org={org} run={run} />
            </Unfold>
          </li>
        ))}
      </ul>
    </Card>
  )
}

function State({ run }: { run: views.RetentionRunView }) {
  if (run.finishedAt === null)
    return (
      <StatusPill tone="busy" pulse>
        Running
      </StatusPill>
    )
  return run.error ? <StatusPill tone="fail">Failed</StatusPill> : null
}

function Removed({ org, run }: { org: string; run: views.RetentionRunView }) {
  const left = run.tags - run.removed.reduce((sum, row) => sum + row.tags.length, 0)
  return (
    <div className="border-line border-t text-sm">
      {run.error && (
        <Callout tone="fail" className="m-3">
          {run.error}
        </Callout>
      )}
      <p className="px-3.5 py-2 text-ink-2">
        {plural(run.repositories, 'repository', 'repositories')} looked at, {plural(run.tags, 'tag')} and {plural(run.manifests, 'image')}{' '}
        removed.
      </p>
      <ul>
        {run.removed.map((row) => (
          <li key={row.repository} className="border-line border-t px-3.5 py-2">
            <span className="flex gap-3">
              <Link
                href={routes.repository(org, row.repository)}
                className="min-w-0 flex-1 truncate underline underline-offset-3 hover:text-accent"
              >
                {row.repository}
              </Link>
              <span className="num shrink-0 text-ink-2 text-xs">{formatBytes(row.bytes)}</span>
            </span>
            <span className="block break-words font-mono text-ink-3 text-xs leading-5">
              {row.tags.length > 0 ? row.tags.join(' ') : plural(row.manifests, 'untagged image')}
            </span>
          </li>
        ))}
      </ul>
      {left > 0 && <p className="border-line border-t px-3.5 py-2 text-ink-3 text-xs">and {plural(left, 'more tag')}</p>}
    </div>
  )
}
