/** Builds, their steps, and what earlier ones tell. */

import type { BuildState, DeploymentState, StepState } from '@slipway/core'
import type { DockerfileOrigin } from '../dockerfiles'
import type { CommitView, ErrorView } from './common'
import type { ImageRefView } from './deployments'

export interface BuildSummary {
  id: string
  number: number
  app: { slug: string; name: string }
  state: BuildState
  trigger: 'create' | 'manual' | 'push' | 'api' | 'upload' | 'pull_request'
  /** Whether its image is deployed when it is there. */
  deploys: boolean
  actor: string
  commit: CommitView | null
  branch: string | null
  /** That it is a build of, which is neither published nor deployed. */
  pullRequest: PullRequestView | null
  cachedSteps: number
  totalSteps: number
  error: ErrorView | null
  queuedAt: Date
  startedAt: Date | null
  finishedAt: Date | null
  durationMs: number | null
}

export interface PullRequestView {
  number: number
  title: string
  /** GitLab's word for it is merge request. */
  kind: 'pull' | 'merge'
  /** Then its build reads the cache and writes nothing to it, gets no secrets, and uses public images only. */
  fromFork: boolean
}

export interface BuildStepView {
  position: number
  stage: string
  /** Where the build has several: `linux/arm64`, or `linux/amd64->linux/arm64` of what is made for another one. */
  platform: string | null
  name: string
  instruction: string
  line: number
  state: StepState
  missReason: string | null
  missDetail: string | null
  layerDigest: string | null
  layerSize: number | null
  /** Of the layer's files, before compression. */
  unpackedSize: number | null
  peakMemoryBytes: number | null
  cpuMs: number | null
  /** For a free place among the running steps, or for another build doing the same. */
  waitMs: number | null
  /** To and from disks, where the host counts it. */
  diskReadBytes: number | null
  diskWrittenBytes: number | null
  /** Positions of the steps whose result it takes. */
  inputs: number[]
  exitCode: number | null
  durationMs: number | null
  startedAt: Date | null
  finishedAt: Date | null
}

export interface BuildView extends BuildSummary {
  /** checkout, plan, build, publish */
  phase: string | null
  steps: BuildStepView[]
  image: ImageRefView | null
  bytesSent: number | null
  publishMs: number | null
  deployment: { number: number; state: DeploymentState } | null
  dockerfile: string
  /** As it was built, and what lint says of it; null before the plan. */
  dockerfileText: string | null
  findings: Finding[]
  /** Null before the plan. */
  dockerfileOrigin: DockerfileOrigin | null
  platform: string
  host: string | null
  /** Others of this installation that are before it; only while queued. */
  queuePosition: number | null
}

/** What there is to say about a Dockerfile; `@slipway/dockerfile` finds it. */
export interface Finding {
  /** `error`: no build is possible before it is mended. */
  severity: 'error' | 'warning'
  /** An error's code, or the rule's name as `docker build --check` writes it. */
  rule: string
  message: string
  /** What to write instead, when that is known. */
  hint: string | null
  /** 1-based; null: about the file as a whole. */
  line: number | null
  column: number | null
}

/** `builds.insights`: what earlier builds of the app tell about this one. */
export interface BuildInsightsView {
  comparison: BuildComparison | null
  advice: BuildAdvice | null
}

export interface BuildComparison {
  /** The newest successful build before this one. */
  number: number
  durationMs: number | null
  previousDurationMs: number | null
  /** Of the compressed layers of all steps. */
  layerBytes: number
  previousLayerBytes: number
  cachedSteps: number
  previousCachedSteps: number
  /** Those worth a line, the gravest first; at most 20. */
  changes: StepChange[]
}

export interface StepChange {
  /** In this build; null: the step is gone. */
  position: number | null
  stage: string
  platform: string | null
  instruction: string
  kind: 'miss' | 'hit' | 'slower' | 'faster' | 'bigger' | 'smaller' | 'new' | 'gone'
  /** Milliseconds or bytes, by the kind. */
  before: number | null
  after: number | null
  reason: string | null
}

export interface BuildAdvice {
  stage: string
  instruction: string
  /** In this build; null when the step is no longer in it. */
  position: number | null
  /** What to copy first; null: nothing has to be copied for this command. */
  manifests: string[] | null
  savedMs: number
  /** In how many of the builds that were looked at. */
  builds: number
  of: number
}

export interface LogChunkView {
  seq: number
  position: number | null
  stream: 'stdout' | 'stderr' | 'system'
  at: Date
  text: string
}
