export { agentHealth, type BuildEvent, type BuildRequest, buildEvent, buildRequest, cacheReason } from './agent/build-api'
export {
  type BuildCachePrune,
  type BuildCachePruned,
  type BuildCacheView,
  buildCachePrune,
  buildCachePruned,
  buildCacheView,
} from './agent/build-cache'
export { type BuildOutput, buildOutput, imageMediaTypes, layerCompression } from './agent/build-output'
export {
  type BuildOp,
  type BuildPlan,
  type BuildVertex,
  buildPlan,
  buildVertex,
  type ImageConfig,
  imageConfig,
} from './agent/build-plan'
export {
  type BuildPolicy,
  type BuildPolicyPreview,
  type BuildPolicyView,
  buildPolicy,
  buildPolicyPreview,
  buildPolicyView,
  samePolicy,
} from './agent/build-policy'
export {
  type ContextMissing,
  contextCommitted,
  contextDigest,
  contextIncomplete,
  contextMissing,
  contextStored,
} from './agent/context-api'
export { CONTEXT_LIMITS, encodeTree, OBJECTS_HEAD, type TreeEntry } from './agent/context-tree'
export { type ImageArchiveFormat, imageArchiveFormat } from './agent/image-output'
export { type LayerListing, layerListing, MAX_LAYER_LISTING, MAX_LAYER_LISTING_TEXT } from './agent/layer-listing'
export { MAX_SOURCE_DATE_EPOCH } from './agent/source-date-epoch'
export {
  BUILD_TYPE,
  type BuildParameters,
  buildParameters,
  IN_TOTO_TYPE,
  MAX_ATTESTATION,
  PREDICATE_TYPE,
  type ProvenanceStatement,
  provenanceStatement,
  SLSA_PROVENANCE,
  SPDX_TYPE,
  type SpdxDocument,
  spdxDocument,
  UPLOADED_CONTEXT,
} from './attestations'
export { type DeploymentSettings, deploymentSettings } from './deployment-settings'
export {
  type DetectedApp,
  type DockerfileOrigin,
  dockerfileOrigin,
  type InspectionResult,
  inspectionResult,
  KEPT_DOCKERFILE_LIMIT,
  type KeptDockerfile,
  keptDockerfile,
} from './dockerfiles'
export * as inputs from './inputs'
export { channels, type JobData, type JobName, jobs, OVER } from './jobs/index'
export {
  BASE_ORGANIZATION,
  BUILD_CACHE_TAG,
  OWN_REGISTRY_HOST,
  REGISTRY_SERVICE,
  type RegistryAccess,
  type RegistryToken,
  registryAccess,
  registryToken,
} from './registry-token'
export { allowedByGrants, coversRepository, ROBOT_ACTIONS, type RobotAction, type RobotGrant, robotGrants } from './robots'
export { type SshAnswer, type SshRequest, sshAnswer, sshRequest } from './ssh-forward'
export type * as views from './views'
export type * from './views'
