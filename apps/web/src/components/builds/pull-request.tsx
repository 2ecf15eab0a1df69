import type { views } from '@slipway/contracts'
import { Callout, cn } from '@slipway/ui'
import { GitFork, GitPullRequest } from 'lucide-react'

/** Whose change it is, before what the change says of itself. `short`: in a list, where a phone has no room for all the words. */
export function PullRequestPill({ pullRequest, short }: { pullRequest: views.PullRequestView; short?: boolean }) {
  const { kind, number, fromFork } = pullRequest
  const Icon = fromFork ? GitFork : GitPullRequest
  return (
    <span className="inline-flex shrink-0 items-center gap-1 whitespace-nowrap rounded-full border border-line bg-sunken px-2 font-medium text-ink-2 text-xs leading-[18px]">
      <Icon className="size-3 shrink-0" aria-hidden />
      <span>
        <span className={cn(short && 'max-sm:sr-only')}>{kind === 'merge' ? 'Merge request ' : 'Pull request '}</span>
        {kind === 'merge' ? '!' : '#'}
        {number}
        {fromFork && (
          <>
            {' · '}
            <span className={cn(short && 'max-sm:sr-only')}>from a </span>fork
          </>
        )}
      </span>
    </span>
  )
}

/** What this build did not do, and why. */
export function PullRequestNote({ pullRequest }: { pullRequest: views.PullRequestView }) {
  const name = pullRequest.kind === 'merge' ? 'merge requests' : 'pull requests'
  return (
    <Callout icon={pullRequest.fromFork ? <GitFork aria-hidden /> : <GitPullRequest aria-hidden />}>
      <p>Builds of {name} are checks: the image is not kept, not published and not deployed.</p>
      {pullRequest.fromFork && (
        <p className="text-ink-2">
          From a fork: it reads the build cache, writes nothing to it, gets no secrets, and uses public images only.
        </p>
      )}
    </Callout>
  )
}
