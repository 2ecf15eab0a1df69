import type { views } from '@slipway/contracts'
import { Callout, cn } from '@slipway/ui'
import { GitFork, GitPullRequest } from 'lucide-react'

/** `Pull request #12`, or `Merge request !12` as GitLab writes it. */
export const pullRequestName = ({ kind, number }: views.PullRequestView) =>
  kind === 'merge' ? `Merge request !${number}` : `Pull request #${number}`

/** Whose change it is, before what the change says of itself. */
export function PullRequestPill({ pullRequest, className }: { pullRequest: views.PullRequestView; className?: string }) {
  const Icon = pullRequest.fromFork ? GitFork : GitPullRequest
  return (
    <span
      className={cn(
        'inline-flex shrink-0 items-center gap-1 whitespace-nowrap rounded-full bg-sunken px-2 py-px font-medium text-ink-2 text-xs leading-[18px]',
        className,
      )}
    >
      <Icon className="size-3 shrink-0" aria-hidden />
      {pullRequestName(pullRequest)}
      {pullRequest.fromFork && ' · from a fork'}
    </span>
  )
}

/** What this build did not do, and why. */
export function PullRequestNote({ pullRequest }: { pullRequest: views.PullRequestView }) {
  const name = pullRequest.kind === 'merge' ? 'merge requests' : 'pull requests'
  return (
    <Callout icon={pullRequest.fromFork ? <GitFork aria-hidden /> : <GitPullRequest aria-hidden />}>
      <p>Builds of {name} are checks: the image is not kept, not published and not deployed. Merging builds and deploys the branch.</p>
      {pullRequest.fromFork && (
        <p className="text-ink-2">
          From a fork: it reads the build cache, writes nothing to it, gets no secrets, and uses public images only.
        </p>
      )}
    </Callout>
  )
}
