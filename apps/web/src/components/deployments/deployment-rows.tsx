'use client'
import type { views } from '@slipway/contracts'
import { formatDuration } from '@slipway/core'
import { Button, DeploymentStatus, Hash, RowLink, StatusPill, Table, Td, Th, Tr } from '@slipway/ui'
import { Undo2 } from 'lucide-react'
import { CommitFacts, firstLine } from '@/components/commit'
import { routes } from '@/lib/routes'

/** What a deployment changed, in words: its commit, or what it went back to. */
export function changeOf(d: views.DeploymentView): string {
  if (d.kind === 'rollback') return d.source === null ? 'Roll back' : `Roll back to #${d.source}`
  if (d.commit) return firstLine(d.commit.message)
  if (d.kind === 'redeploy') return 'Redeploy'
  // `ada pushed api:main`
  const push = d.trigger === 'push' && d.build === null ? d.hops.find(({ hop }) => hop === 'push')?.proof : null
  if (push) return `Deployed because ${push}`
  return d.imageReference
}

function DeploymentState({ deployment, stopped }: { deployment: views.DeploymentView; stopped: boolean }) {
  if (stopped && deployment.state === 'serving') return <StatusPill tone="idle">Stopped</StatusPill>
  return <DeploymentStatus state={deployment.state} />
}

export function DeploymentRows({
  org,
  app,
  items,
  brief,
  stopped,
  onRollBack,
}: {
  org: string
  app: string
  items: views.DeploymentView[]
  /** Beside other cards: who did it is left out. */
  brief?: boolean
  /** The app is stopped: what would serve does not. */
  stopped?: boolean
  onRollBack: (deployment: views.DeploymentView) => void
}) {
  return (
    <Table>
      <thead>
        <tr>
          <Th className="w-20">Version</Th>
          <Th>Change</Th>
          {!brief && (
            <Th optional className="w-36">
              By
            </Th>
          )}
          <Th optional className="w-24">
            Took
          </Th>
          <Th className="w-32">
            <span className="sr-only">State</span>
          </Th>
        </tr>
      </thead>
      <tbody>
        {items.map((d) => (
          <Tr key={d.id} interactive>
            <Td>
              <Hash>#{d.number}</Hash>
            </Td>
            <Td className="max-w-0">
              <RowLink href={routes.deployment(org, app, d.number)} className="line-clamp-2 break-words md:line-clamp-1">
                {changeOf(d)}
              </RowLink>
              {d.state === 'failed' && d.error ? (
                <p className="line-clamp-2 break-words text-fail text-xs leading-5">{d.error.message}</p>
              ) : (
                <CommitFacts commit={d.commit} at={d.queuedAt}>
                  {d.kind === 'redeploy' && ' · redeploy'}
                </CommitFacts>
              )}
            </Td>
            {!brief && (
              <Td optional className="max-w-36 truncate text-ink-2">
                {d.actor}
              </Td>
            )}
            <Td optional className="num whitespace-nowrap">
              {d.durationMs === null ? <span className="text-ink-3">–</span> : formatDuration(d.durationMs)}
            </Td>
            <Td right>
              {d.canRollBack ? (
                <Button
                  size="s"
                  className="relative z-10"
                  icon={<Undo2 aria-hidden />}
                  onClick={() => onRollBack(d)}
                  aria-label={`Roll back to #${d.number}`}
                >
                  Roll back
                </Button>
              ) : (
                <DeploymentState deployment={d} stopped={stopped === true} />
              )}
            </Td>
          </Tr>
        ))}
      </tbody>
    </Table>
  )
}
