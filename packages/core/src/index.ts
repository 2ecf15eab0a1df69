export {
  effectiveRole,
  GRANTABLE_ROLES,
  type GrantableRole,
  highestRole,
  may,
  PERMISSIONS,
  type Permission,
  ROLES,
  type Role,
  rolesThatMay,
  type Standing,
  VISIBILITIES,
  type Visibility,
} from './access'
export { attachedByTag, BUILD_CACHE_ARTIFACT, isBuildCache } from './artifacts'
export { AppError, type AppErrorInit, type ErrorKind, HTTP_STATUS, isAppError, notFound, toAppError } from './errors'
export { EVENT_KINDS, type EventKind } from './events'
export { formatAgo, formatBytes, formatDuration, shortDigest } from './format'
export { GLOB_MAX, GLOB_PATTERN, globMatches } from './glob'
export { ID_PREFIX, type IdKind, newId, SLUG_PATTERN, slugify } from './ids'
export { type QuotaRefusal, quotaSentence } from './quota'
export { isExactName, nameAtSource, type ReplicationNames, replicatedName, replicatesRepository, replicatesTag } from './replication'
export {
  type KeptBecause,
  planRetention,
  type RetentionInput,
  type RetentionManifest,
  type RetentionPlan,
  type RetentionRules,
  type RetentionTag,
} from './retention'
export { knownHostName, type SshAddress, sshAddress } from './ssh-address'
export {
  type AppState,
  BUILD_STATES,
  type BuildState,
  canBuildGo,
  canDeploymentGo,
  canRollBackTo,
  DEPLOYMENT_STATES,
  type DeploymentState,
  HOPS,
  type Hop,
  INSPECTION_STATES,
  type InspectionState,
  isBuildOver,
  isDeploymentSettled,
  isInspectionOver,
  OPEN_BUILD_STATES,
  OPEN_INSPECTION_STATES,
  STEP_STATES,
  type StepState,
  UNSETTLED_DEPLOYMENT_STATES,
} from './states'
export { keptByRule, refusingRule, type TagChange, type TagRuleFacts, tagRefusal } from './tag-rules'
export { isUpstreamHost, upstreamHost, upstreamNamespace } from './upstream-names'
