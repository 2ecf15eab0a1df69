import { BUILD_STATES, type BuildState, canBuildGo, canDeploymentGo, DEPLOYMENT_STATES, type DeploymentState } from '@slipway/core'

/** States from which core allows the step to `to`: the `where` of every conditional update. */
export const buildStatesBefore = (to: BuildState): BuildState[] => BUILD_STATES.filter((from) => canBuildGo(from, to))
export const deploymentStatesBefore = (to: DeploymentState): DeploymentState[] =>
  DEPLOYMENT_STATES.filter((from) => canDeploymentGo(from, to))

/** The worker is at it right now. */
export const RUNNING_DEPLOYMENT_STATES: DeploymentState[] = ['starting', 'checking', 'switching']
/** Step states that are not an end. */
export const OPEN_STEP_STATES = ['pending' as const, 'running' as const]
