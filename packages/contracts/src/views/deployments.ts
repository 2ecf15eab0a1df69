/** How a version comes to serve, and what runs. */
import type { BuildState, DeploymentState, Hop, StepState } from '@slipway/core'
import type { CommitView, ErrorView } from './common'

export interface DeploymentView {
  id: string
  number: number
  kind: 'deploy' | 'redeploy' | 'rollback'
  state: DeploymentState
  trigger: 'create' | 'manual' | 'push' | 'api' | 'upload' | 'pull_request'
  actor: string
  commit: CommitView | null
  build: { number: number; state: BuildState } | null
  /** For a rollback: the number of the deployment it goes back to. */
  source: number | null
  image: ImageRefView | null
  imageReference: string
  /** It was in our registry and is not any more: only a host that still has it can start it. */
  imageGone: boolean
  hops: HopView[]
  containers: ContainerView[]
  error: ErrorView | null
  canRollBack: boolean
  queuedAt: Date
  startedAt: Date | null
  servingAt: Date | null
  finishedAt: Date | null
  durationMs: number | null
}

export interface HopView {
  hop: Hop
  state: StepState
  /** `2.4 s · 7 of 9 cached`, or why it failed. */
  proof: string | null
  startedAt: Date | null
  finishedAt: Date | null
  durationMs: number | null
}

export interface ImageRefView {
  /** slipway.local/acme/guestbook */
  repository: string
  digest: string
  size: number | null
  layers: number | null
  /** Layers that other images of the organization hold too. */
  sharedLayers: number | null
}

export interface ContainerView {
  id: string
  name: string
  engineId: string
  host: string
  address: string | null
  port: number
  /** `created` | `running` | `exited` | `removed` */
  state: string
  exitCode: number | null
  oomKilled: boolean
  startedAt: Date | null
}
