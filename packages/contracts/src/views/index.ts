/**
 * What the tRPC procedures answer (types only; superjson carries Dates). Sizes in bytes, durations in milliseconds.
 * Procedures, by router (packages/api): see the table in packages/api/README.md.
 */
import type { AppState, BuildState, DeploymentState, Hop, StepState } from '@slipway/core'

export interface Page<T> {
  items: T[]
  /** Pass as `cursor` for the next page; null at the end. */
  next: string | null
  total: number
}

export type Role = 'owner' | 'admin' | 'developer' | 'guest'
export interface MeView {
  id: string
  name: string
  email: string
  organizations: { slug: string; name: string; role: Role }[]
}
/** `setup.status`: true until the first account exists. */
export interface SetupView {
  needed: boolean
}
/** Where a creation led. */
export interface CreatedAppView {
  app: string
  project: string
  /** Number of the build (git) or deployment (image) that started by itself. */
  build: number | null
  deployment: number | null
}
export interface CreatedApiKeyView {
  /** `slp_…`; shown this once. */
  key: string
  view: ApiKeyView
}
/** Of an app's running containers together; null when none runs. */
export interface AppStatsView {
  memoryBytes: number
  memoryLimitBytes: number | null
  /** 100 is one CPU. */
  cpuPercent: number
}

/** Counts for the rail. */
export interface OrganizationView {
  slug: string
  name: string
  role: Role
  /** Where docker reaches the registry, as `docker login` writes it: `localhost:5000`. */
  registryHost: string
  counts: { apps: number; activeBuilds: number; repositories: number; hosts: number; projects: number; members: number }
}

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
  source: 'git' | 'image'
  state: AppState
  url: string
  /** What happens or happened last, for lists: `Build #12 running`, `Serving #48`. */
  activity: string
  commit: CommitView | null
  imageReference: string | null
  updatedAt: Date
  servingSince: Date | null
}

export interface CommitView {
  sha: string
  message: string
  author: string | null
  branch: string
  at: Date | null
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

export interface HopView {
  hop: Hop
  state: StepState
  /** `2.4 s · 7 of 9 cached`, or why it failed. */
  proof: string | null
  startedAt: Date | null
  finishedAt: Date | null
  durationMs: number | null
}

export interface DeploymentView {
  id: string
  number: number
  kind: 'deploy' | 'redeploy' | 'rollback'
  state: DeploymentState
  trigger: 'create' | 'manual' | 'push' | 'api'
  actor: string
  commit: CommitView | null
  build: { number: number; state: BuildState } | null
  /** For a rollback: the number of the deployment it goes back to. */
  source: number | null
  image: ImageRefView | null
  imageReference: string
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

export interface ErrorView {
  code: string
  message: string
  details: { file?: string; line?: number; step?: number; exitCode?: number; lastLines?: string[] } & Record<string, unknown>
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
    dockerfilePath: string
    contextPath: string
    target: string | null
    imageReference: string | null
    port: number | null
    healthPath: string
    healthTimeoutSeconds: number
    memoryLimitBytes: number | null
    cpuLimitMillis: number | null
    /** Of a whole build; null: the installation's default. */
    buildMemoryBytes: number | null
    buildCpuMillis: number | null
    buildPids: number | null
    buildTimeoutSeconds: number | null
    autoDeploy: boolean
  }
  /** What deleting removes, named; volumes by the paths they are mounted at. */
  removes: { containers: number; builds: number; deployments: number; volumes: string[]; hostnames: string[]; repository: string | null }
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

export interface BuildSummary {
  id: string
  number: number
  app: { slug: string; name: string }
  state: BuildState
  trigger: 'create' | 'manual' | 'push' | 'api'
  actor: string
  commit: CommitView | null
  branch: string | null
  cachedSteps: number
  totalSteps: number
  error: ErrorView | null
  queuedAt: Date
  startedAt: Date | null
  finishedAt: Date | null
  durationMs: number | null
}
export interface BuildStepView {
  position: number
  stage: string
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
  findings: FindingView[]
  platform: string
  host: string | null
  /** Others of this installation that are before it; only while queued. */
  queuePosition: number | null
}
export interface FindingView {
  severity: 'error' | 'warning'
  rule: string
  message: string
  hint: string | null
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
/** One line of a container's log. */
export interface LogLineView {
  at: Date
  stream: 'stdout' | 'stderr'
  text: string
  container: string
}

export interface RepositoryView {
  name: string
  /** slipway.local/acme/guestbook */
  reference: string
  visibility: 'private' | 'public'
  tags: number
  /** Unique blobs of this repository. */
  size: number
  lastPushedAt: Date | null
  lastPulledAt: Date | null
  pulls: number
  /** Apps that run an image of this repository. */
  runningIn: string[]
}
export interface TagView {
  name: string
  digest: string
  mediaType: string
  platforms: string[]
  size: number
  layers: number
  pushedBy: string
  pushedAt: Date
  build: { app: string; number: number } | null
  commit: CommitView | null
  runningIn: string[]
}
export interface ImageView {
  repository: string
  name: string
  digest: string
  mediaType: string
  tags: string[]
  platform: string | null
  size: number
  createdAt: Date | null
  pushedBy: string
  pushedAt: Date
  config: {
    entrypoint: string[] | null
    cmd: string[] | null
    env: string[]
    user: string | null
    workingDir: string | null
    exposedPorts: string[]
    volumes: string[]
    labels: Record<string, string>
    stopSignal: string | null
  } | null
  layers: LayerView[]
  children: { digest: string; platform: string; size: number | null }[]
  build: { app: string; number: number } | null
  commit: CommitView | null
  runsIn: { app: string; deployment: number; containers: number }[]
  /** Ready to copy. */
  commands: { docker: string; podman: string }
}
export interface LayerView {
  position: number
  digest: string
  mediaType: string
  size: number
  createdBy: string | null
  madeAt: Date | null
  /** Other images (manifests) of the organization with this layer. */
  sharedBy: number
}

export interface HostView {
  id: string
  name: string
  state: 'online' | 'offline'
  version: string | null
  os: string | null
  kernel: string | null
  architecture: string | null
  cpus: number | null
  memoryBytes: number | null
  lastSeenAt: Date | null
  containers: ContainerView[]
}

export interface AuditView {
  id: string
  actor: string
  action: string
  targetType: string
  targetLabel: string
  createdAt: Date
}
export interface ApiKeyView {
  id: string
  name: string
  prefix: string
  createdAt: Date
  lastUsedAt: Date | null
  expiresAt: Date | null
}
export interface MemberView {
  id: string
  name: string
  email: string
  role: Role
  joinedAt: Date
}
export interface SearchHit {
  kind: 'app' | 'project' | 'repository' | 'build' | 'action'
  label: string
  detail: string
  href: string
}
/** `GET /api/health` too. */
export interface HealthView {
  status: 'ok' | 'degraded'
  version: string
  /** True until the first account exists. */
  setup: boolean
  parts: {
    name: 'web' | 'postgres' | 'redis' | 'registry' | 'agent' | 'worker' | 'router'
    state: 'ok' | 'down'
    version: string | null
    detail: string | null
  }[]
}
