'use client'
import type { views } from '@slipway/contracts'
import { BuildStatus, Elapsed, Hash, RowLink, Table, Td, Th, Ticked, Tr } from '@slipway/ui'
import { CommitFacts, firstLine } from '@/components/commit'
import { routes } from '@/lib/routes'
import { shortErrorOf } from '@/lib/step-ending'
import { PullRequestPill } from './pull-request'

const TRIGGERS: Record<views.BuildSummary['trigger'], string> = {
  create: 'first build',
  manual: 'by hand',
  push: 'push',
  api: 'API',
  upload: 'laptop',
  pull_request: 'pull request',
}

/** What a build is of, in one line. */
const titleOf = (b: views.BuildSummary) => {
  if (b.pullRequest) return b.pullRequest.title || 'No title'
  if (b.commit) return firstLine(b.commit.message)
  return b.branch ?? (b.trigger === 'upload' ? `From the laptop of ${b.actor}` : 'The branch')
}

export function BuildRows({ org, items, withApp }: { org: string; items: views.BuildSummary[]; withApp?: boolean }) {
  return (
    <Table>
      <thead>
        <tr>
          <Th className="w-20 max-md:w-14 max-md:pr-0">Build</Th>
          {withApp && (
            <Th optional className="w-40">
              App
            </Th>
          )}
          <Th>Change</Th>
          <Th optional className="w-40">
            By
          </Th>
          <Th optional className="w-28">
            Cached
          </Th>
          <Th optional right className="w-24">
            Time
          </Th>
          <Th className="w-28 max-md:w-24">
            <span className="sr-only">State</span>
          </Th>
        </tr>
      </thead>
      <tbody>
        {items.map((b) => (
          <Tr key={b.id} interactive>
            <Td className="max-md:pr-0">
              <Hash>#{b.number}</Hash>
            </Td>
            {withApp && (
              <Td optional className="max-w-0 truncate font-medium">
                {b.app.name}
              </Td>
            )}
            <Td className="max-w-0">
              {withApp && <p className="truncate font-medium md:hidden">{b.app.name}</p>}
              <RowLink href={routes.build(org, b.app.slug, b.number)} className="line-clamp-2 break-words md:line-clamp-1">
                <span className="sr-only">
                  Build #{b.number} of {b.app.name}:{' '}
                </span>
                {titleOf(b)}
              </RowLink>
              <div className="flex flex-wrap items-center gap-x-2">
                {b.pullRequest && <PullRequestPill pullRequest={b.pullRequest} short />}
                {b.state === 'failed' && b.error ? (
                  <p className="line-clamp-2 w-full break-words text-fail text-xs leading-5">
                    <Ticked text={shortErrorOf(b.error) ?? ''} />
                  </p>
                ) : (
                  <CommitFacts commit={b.commit} at={b.queuedAt} />
                )}
              </div>
            </Td>
            <Td optional className="max-w-40 truncate text-ink-2">
              {b.actor}
              <span className="block truncate text-ink-3 text-xs leading-5">{TRIGGERS[b.trigger]}</span>
            </Td>
            <Td optional className="num whitespace-nowrap text-ink-2">
              {b.totalSteps === 0 ? <span className="text-ink-3">–</span> : `${b.cachedSteps} of ${b.totalSteps}`}
            </Td>
            <Td optional right>
              <Elapsed startedAt={b.startedAt} ms={b.durationMs} running={b.state === 'running'} />
            </Td>
            <Td right>
              <BuildStatus state={b.state} />
            </Td>
          </Tr>
        ))}
      </tbody>
    </Table>
  )
}
