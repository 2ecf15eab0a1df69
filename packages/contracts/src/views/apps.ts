/** Apps and what belongs to one. */

import type { AppState } from '@slipway/core'
import type { KeptDockerfile } from '../dockerfiles'
import type { BuildSummary } from './builds'
import type { CommitView } from './common'
import type { DeploymentView } from './deployments'

export interface ProjectView {
  slug: string
  name: string
  createdAt: Date
  apps: AppSummary[]
}

export interface AppSummary {
  id: string
  slug: string
  name: string
  project: { slug: string; name: string }
  /** `upload`: built from what `slipway build` uploads. */
  source: 'git' | 'image' | 'upload'
  state: AppState
  url: string
  /** What happens or happened last, for lists: `Build #12 running`, `Serving #48`. */
  activity: string
  commit: CommitView | null
  imageReference: string | null
  updatedAt: Date
  servingSince: Date | null
}

export interface AppView extends AppSummary {
  createdAt: Date
  hostnames: string[]
  desiredState: 'running' | 'stopped'
  serving: DeploymentView | null
  /** The newest deployment or build that is not over yet, drawn live on the overview. */
  inFlight: DeploymentView | null
  inFlightBuild: BuildSummary | null
  settings: {
    gitUrl: string | null
    gitBranch: string | null
    hasGitToken: boolean
    /** The public half, as a Git server takes it. */
    deployKey: string | null
    dockerfilePath: string
    contextPath: string
    target: string | null
    /** Kept with the app instead of in its repository. */
    dockerfile: KeptDockerfile | null
    imageReference: string | null
    /** A push that moves its tag deploys it. */
    followTag: boolean
    port: number | null
    healthPath: string
    healthTimeoutSeconds: number
    memoryLimitBytes: number | null
    cpuLimitMillis: number | null
    /** Of a whole build; null: the installation's default. */
    buildMemoryBytes: number | null
    buildCpuMillis: number | null
    buildPids: number | null
    /** Of one step. */
    buildDiskBytes: number | null
    buildTimeoutSeconds: number | null
    buildCacheShare: 'off' | 'image' | 'all'
    /** As `--build-context name=value`. */
    namedContexts: { name: string; value: string }[]
    imageFormat: 'oci_gzip' | 'oci_zstd' | 'docker_gzip' | 'oci_uncompressed'
    /** Empty: the build host's own. */
    platforms: string[]
    reproducible: boolean
    autoDeploy: boolean
    buildPullRequests: boolean
    /** What a build attaches to its image. */
    provenance: boolean
    sbom: boolean
  }
  /** What deleting removes, named; volumes by the paths they are mounted at. */
  removes: { containers: number; builds: number; deployments: number; volumes: string[]; hostnames: string[]; repository: string | null }
}

/** Where a creation led. */
export interface CreatedAppView {
  app: string
  project: string
  /** Number of the build (git) or deployment (image) that started by itself. */
  build: number | null
  deployment: number | null
}

/** Of an app's running containers together; null when none runs. */
export interface AppStatsView {
  memoryBytes: number
  memoryLimitBytes: number | null
  /** 100 is one CPU. */
  cpuPercent: number
}

export interface VariableView {
  scope: 'build' | 'runtime'
  key: string
  /** null for a secret. */
  value: string | null
  secret: boolean
  updatedAt: Date
}

export interface WebhookView {
  url: string
  secret: string
  providers: ('github' | 'gitlab' | 'gitea')[]
  deliveries: DeliveryView[]
}

export interface DeliveryView {
  id: string
  provider: string
  event: string | null
  deliveryId: string | null
  branch: string | null
  commitSha: string | null
  outcome: 'accepted' | 'ignored' | 'refused' | 'duplicate'
  status: number
  reason: string
  build: number | null
  receivedAt: Date
}

/** One line of a container's log. */
export interface LogLineView {
  at: Date
  stream: 'stdout' | 'stderr'
  text: string
  container: string
}
