/**
 * The state machines of builds and deployments, and every predicate about them.
 * Nothing else in the tree compares these strings in lists of its own.
 */
export const BUILD_STATES = ['queued', 'running', 'succeeded', 'failed', 'canceled', 'superseded'] as const
export type BuildState = (typeof BUILD_STATES)[number]

const BUILD_NEXT: Record<BuildState, readonly BuildState[]> = {
  queued: ['running', 'canceled', 'superseded', 'failed'],
  // running → queued: the worker died; the build is taken up again from the start, the cache makes it short.
  running: ['succeeded', 'failed', 'canceled', 'queued'],
  succeeded: [],
  failed: [],
  canceled: [],
  superseded: [],
}

export const DEPLOYMENT_STATES = [
  'queued',
  'starting',
  'checking',
  'switching',
  'serving',
  'retired',
  'failed',
  'canceled',
  'superseded',
] as const
export type DeploymentState = (typeof DEPLOYMENT_STATES)[number]

const DEPLOYMENT_NEXT: Record<DeploymentState, readonly DeploymentState[]> = {
  queued: ['starting', 'canceled', 'superseded', 'failed'],
  starting: ['checking', 'failed', 'canceled', 'queued'],
  checking: ['switching', 'failed', 'canceled', 'queued'],
  switching: ['serving', 'failed', 'queued'],
  serving: ['retired', 'failed'],
  retired: [],
  failed: [],
  canceled: [],
  superseded: [],
}

export const canBuildGo = (from: BuildState, to: BuildState) => BUILD_NEXT[from].includes(to)
export const canDeploymentGo = (from: DeploymentState, to: DeploymentState) => DEPLOYMENT_NEXT[from].includes(to)

export const isBuildOver = (s: BuildState) => BUILD_NEXT[s].length === 0
/** Over for the queue: serving is an end of the job, though the deployment may still be retired. */
export const isDeploymentSettled = (s: DeploymentState) => s === 'serving' || DEPLOYMENT_NEXT[s].length === 0
/** Can be rolled back to: it served traffic once. */
export const canRollBackTo = (s: DeploymentState) => s === 'retired'

export const UNSETTLED_DEPLOYMENT_STATES = DEPLOYMENT_STATES.filter((s) => !isDeploymentSettled(s))
export const OPEN_BUILD_STATES = BUILD_STATES.filter((s) => !isBuildOver(s))

/** A look at a repository (detection). running → queued: its worker was lost or stopped. */
export const INSPECTION_STATES = ['queued', 'running', 'succeeded', 'failed', 'canceled'] as const
export type InspectionState = (typeof INSPECTION_STATES)[number]
export const OPEN_INSPECTION_STATES = ['queued', 'running'] as const satisfies readonly InspectionState[]
export const isInspectionOver = (s: InspectionState) => !(OPEN_INSPECTION_STATES as readonly InspectionState[]).includes(s)

export const STEP_STATES = ['pending', 'running', 'cached', 'done', 'failed', 'canceled', 'skipped'] as const
export type StepState = (typeof STEP_STATES)[number]

/** The way (ui/README): every deployment is drawn as these five hops, in this order. */
export const HOPS = ['push', 'build', 'publish', 'start', 'switch'] as const
export type Hop = (typeof HOPS)[number]

/** What an app is doing, as one word for the face. */
export type AppState = 'live' | 'building' | 'deploying' | 'failed' | 'stopped' | 'empty'
