import type { views } from '@slipway/contracts'
import { HOPS, type Hop, type StepState } from '@slipway/core'
import type { WayHop } from '@slipway/ui'
import { routes } from './routes'
import { shortErrorOf } from './step-ending'

/** The hops of a deployment as the way draws them; the build's hops lead to its page. */
export function wayOfDeployment(org: string, app: string, deployment: views.DeploymentView): WayHop[] {
  const build = deployment.build ? routes.build(org, app, deployment.build.number) : null
  const ended = deployment.hops.findIndex((h) => h.state === 'failed' || h.state === 'canceled')
  return deployment.hops.map((h, index) => ({
    hop: h.hop,
    state: h.state,
    proof: h.state === 'skipped' && ended >= 0 && index > ended ? 'not reached' : h.proof,
    startedAt: h.startedAt,
    durationMs: h.durationMs,
    ...(build && (h.hop === 'build' || h.hop === 'publish') ? { href: build } : {}),
  }))
}

/** A build that has no deployment yet, as the beginning of the way it is on. */
export function wayOfBuild(build: views.BuildSummary & Partial<Pick<views.BuildView, 'phase' | 'publishMs'>>, href?: string): WayHop[] {
  const publishing = build.state === 'running' && build.phase === 'publish'
  const hop = (name: Hop, state: StepState, over: Partial<WayHop> = {}): WayHop => ({
    hop: name,
    state,
    proof: null,
    startedAt: null,
    durationMs: null,
    ...over,
  })
  const { pullRequest } = build
  const link: { href?: string } = href ? { href } : {}
  const buildState: StepState = publishing ? 'done' : BUILD_HOP[build.state]
  const cached = build.totalSteps > 0 && build.state !== 'queued' ? `${build.cachedSteps} of ${build.totalSteps} cached` : null
  const failedAtPublish = build.state === 'failed' && build.phase === 'publish'
  const states: Record<Hop, WayHop> = {
    push: hop('push', 'done', { proof: pullRequest ? pullRequestProof(pullRequest, build.commit) : pushProof(build.commit, build.branch) }),
    build: hop('build', failedAtPublish ? 'done' : buildState, {
      ...(link.href ? link : stepLink(build)),
      proof:
        build.state === 'queued'
          ? 'waiting for its turn'
          : build.state === 'failed' && !failedAtPublish
            ? shortErrorOf(build.error)
            : cached,
      startedAt: build.startedAt,
      durationMs: build.durationMs,
    }),
    publish: pullRequest
      ? hop('publish', 'skipped', { proof: 'a check only' })
      : hop('publish', failedAtPublish ? 'failed' : build.state === 'succeeded' ? 'done' : publishing ? 'running' : 'pending', {
          ...link,
          proof: failedAtPublish ? (build.error?.message ?? null) : null,
          durationMs: build.publishMs ?? null,
        }),
    start: hop('start', pullRequest ? 'skipped' : 'pending'),
    switch: hop('switch', pullRequest ? 'skipped' : 'pending'),
  }
  return HOPS.map((name) => states[name])
}

const BUILD_HOP: Record<views.BuildSummary['state'], StepState> = {
  queued: 'pending',
  running: 'running',
  succeeded: 'done',
  failed: 'failed',
  canceled: 'canceled',
  superseded: 'canceled',
}

const pullRequestProof = ({ kind, number }: views.PullRequestView, commit: views.CommitView | null) =>
  `${commit ? `${commit.sha.slice(0, 7)} of ` : ''}${kind === 'merge' ? '!' : '#'}${number}`

/** On the build's own page: where its log is. */
const stepLink = ({ error }: views.BuildSummary) => (error?.details.step === undefined ? {} : { href: `#step-${error.details.step}` })

function pushProof(commit: views.CommitView | null, branch: string | null): string | null {
  if (commit) return `${commit.sha.slice(0, 7)} on ${commit.branch}`
  return branch
}
