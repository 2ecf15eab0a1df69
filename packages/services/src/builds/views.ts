import { dockerfileOrigin, type views } from '@slipway/contracts'
import type { BuildRow, BuildSummaryRow } from '@slipway/db'
import { uploadOptions } from './upload-options'

interface ErrorColumns {
  errorCode: string | null
  errorMessage: string | null
  errorDetails: unknown
}

export function errorView({ errorCode, errorMessage, errorDetails }: ErrorColumns): views.ErrorView | null {
  if (!errorCode) return null
  const details = typeof errorDetails === 'object' && errorDetails !== null ? (errorDetails as views.ErrorView['details']) : {}
  return { code: errorCode, message: errorMessage ?? errorCode, details }
}

interface CommitColumns {
  commitSha: string | null
  commitMessage: string | null
  commitAuthor: string | null
  commitAt: Date | null
  branch: string | null
}

export const commitView = (build: CommitColumns): views.CommitView | null =>
  build.commitSha
    ? {
        sha: build.commitSha,
        message: build.commitMessage ?? '',
        author: build.commitAuthor,
        branch: build.branch ?? '',
        at: build.commitAt,
      }
    : null

const pullRequestView = (build: BuildSummaryRow): views.PullRequestView | null =>
  build.pullRequest === null
    ? null
    : {
        number: build.pullRequest,
        title: build.pullRequestTitle ?? '',
        kind: build.pullRequestRef?.startsWith('refs/merge-requests/') ? 'merge' : 'pull',
        fromFork: build.fromFork,
      }

export const elapsed = (from: Date | null, to: Date | null): number | null =>
  from && to ? Math.max(0, to.getTime() - from.getTime()) : null
export const optionalNumber = (value: bigint | null): number | null => (value === null ? null : Number(value))

export const buildSummary = (build: BuildSummaryRow): views.BuildSummary => ({
  id: build.id,
  number: build.number,
  app: { slug: build.app.slug, name: build.app.name },
  state: build.state,
  trigger: build.trigger,
  deploys: build.deploys,
  actor: build.actorLabel,
  commit: commitView(build),
  branch: build.branch,
  pullRequest: pullRequestView(build),
  cachedSteps: build.steps.filter((step) => step.state === 'cached').length,
  totalSteps: build.steps.length,
  error: errorView(build),
  queuedAt: build.queuedAt,
  startedAt: build.startedAt,
  finishedAt: build.finishedAt,
  durationMs: elapsed(build.startedAt, build.finishedAt),
})

export const stepView = (step: BuildRow['steps'][number]): views.BuildStepView => ({
  position: step.position,
  stage: step.stage,
  platform: step.platform,
  name: step.name,
  instruction: step.instruction,
  line: step.line,
  state: step.state,
  missReason: step.missReason,
  missDetail: step.missDetail,
  layerDigest: step.layerDigest,
  layerSize: optionalNumber(step.layerSize),
  unpackedSize: optionalNumber(step.unpackedSize),
  peakMemoryBytes: optionalNumber(step.peakMemoryBytes),
  cpuMs: step.cpuMs,
  waitMs: step.waitMs,
  diskReadBytes: optionalNumber(step.diskReadBytes),
  diskWrittenBytes: optionalNumber(step.diskWrittenBytes),
  inputs: step.inputs,
  exitCode: step.exitCode,
  durationMs: step.durationMs,
  startedAt: step.startedAt,
  finishedAt: step.finishedAt,
})

export function buildView(build: BuildRow, image: views.ImageRefView | null, queuePosition: number | null): views.BuildView {
  const [deployment] = build.deployments
  return {
    ...buildSummary(build),
    phase: build.phase,
    steps: build.steps.map(stepView),
    image,
    bytesSent: optionalNumber(build.bytesSent),
    publishMs: build.publishMs,
    deployment: deployment ? { number: deployment.number, state: deployment.state } : null,
    dockerfile: uploadOptions(build)?.dockerfilePath ?? build.app.dockerfilePath,
    dockerfileText: build.dockerfile,
    findings: Array.isArray(build.findings) ? (build.findings as unknown as views.Finding[]) : [],
    dockerfileOrigin: dockerfileOrigin.safeParse(build.dockerfileOrigin).data ?? null,
    platform: platformsOf(build.steps) || PLATFORM,
    host: deployment?.host?.name ?? null,
    queuePosition,
  }
}

/** What the steps of a build for several platforms are for, in the order of the images. */
const platformsOf = (steps: BuildRow['steps']): string => {
  const targets = steps.flatMap(({ platform }) => (platform === null ? [] : [platform.split('->').at(-1) ?? platform]))
  return [...new Set(targets)].join(', ')
}

/** Builds run on this machine, as the agent of the same machine does. */
const PLATFORM = `linux/${process.arch === 'x64' ? 'amd64' : process.arch}`
