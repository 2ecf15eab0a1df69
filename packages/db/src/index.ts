export { findPasswordLogin, type PasswordLogin, rolesInOrganizations } from './accounts.repo'
export { createApiKey, listApiKeys, revokeApiKey, useApiKey } from './api-keys.repo'
export {
  type AppRow,
  appSlugTaken,
  countsOfApp,
  createApp,
  deletedApps,
  findApp,
  findAppToConverge,
  hostnameTaken,
  listApps,
  listVariables,
  lockApp,
  purgeApp,
  replaceVariables,
  type SealedVariable,
  updateApp,
} from './apps.repo'
export { type AuditInput, listAudit, writeAudit } from './audit.repo'
export {
  appendBuildLogs,
  type BuildClaim,
  type BuildRunRow,
  type BuildStepInput,
  claimBuild,
  finishBuild,
  heartbeatBuild,
  type LogChunkInput,
  lastBuildLogSeq,
  openBuilds,
  type RunError,
  replaceBuildSteps,
  requeueBuild,
  updateBuildStep,
  updateRunningBuild,
} from './build-run.repo'
export {
  type BuildRow,
  type BuildSummaryRow,
  cancelBuildsOfApp,
  createBuild,
  findBuild,
  latestBuilds,
  listBuilds,
  type NewBuild,
  queuePosition,
  readBuildLogs,
  requestBuildCancel,
} from './builds.repo'
export { createDb, type Db, type Tx } from './client'
export {
  type ContainerState,
  containersOfApp,
  containersOfDeployment,
  containersOnHost,
  createContainer,
  listRoutes,
  type NewContainer,
  type RouteRow,
  updateContainer,
} from './containers.repo'
export {
  claimDeployment,
  type DeploymentClaim,
  type DeploymentRunRow,
  finishDeployment,
  heartbeatDeployment,
  moveDeployment,
  openDeployments,
  requeueDeployment,
  setHop,
  switchServing,
  updateDeployment,
} from './deployment-run.repo'
export {
  cancelDeploymentsOfApp,
  createDeployment,
  type DeploymentRow,
  deploymentNumbers,
  findDeployment,
  findDeploymentById,
  findDeploymentOfBuild,
  findDeploymentsById,
  latestDeployments,
  listDeployments,
  type NewDeployment,
  newestRetired,
  requestDeploymentCancel,
} from './deployments.repo'
export { isNoRow, isUniqueViolation } from './errors'
export type * from './generated/client'
export { Prisma } from './generated/client'
export { type HostFacts, listHosts, markHostOffline, upsertHost } from './hosts.repo'
export {
  appsServing,
  buildsOfDigests,
  digestsOfRepositories,
  findChildManifests,
  findManifest,
  findRepositoryByName,
  layerHolders,
  listRepositories,
  listTags,
  type ManifestRow,
  manifestsByDigest,
  type RepositoryRow,
  removeImageManifest,
  removeImageTag,
  repositorySizes,
} from './images.repo'
export {
  addMember,
  countsOf,
  countUsers,
  createOrganization,
  findMembership,
  findOrganization,
  findUserByEmail,
  listMembers,
  listMemberships,
  organizationSlugTaken,
} from './organizations.repo'
export type { PageRequest, RowPage } from './page'
export { nextQueuedBuild, nextQueuedDeployment, repositoryVisibility, servingDeployments, servingNumber } from './pipeline.repo'
export { createProject, findProject, listProjects } from './projects.repo'
export {
  abandonedUploads,
  type BlobCommit,
  type BlobUnlink,
  commitBlob,
  createUpload,
  deleteUpload,
  ensureRepository,
  ensureSystemOrganization,
  findLinkedBlob,
  findRepositoryByPath,
  findUpload,
  keepBlobLink,
  knownUploads,
  type LinkedBlob,
  linkedBlobSizes,
  mountBlob,
  type PullCount,
  type RepositoryPath,
  type RepositoryRef,
  recordPulls,
  touchUpload,
  unlinkBlob,
} from './registry.repo'
export {
  eraseWithoutRow,
  forgetBlob,
  knownBlobs,
  releaseLooseLinks,
  repositoriesWithLooseLinks,
  unlinkedBlobs,
} from './registry-gc.repo'
export {
  type CatalogScope,
  deleteManifest,
  deleteTag,
  listCatalog,
  listReferrers,
  listTagNames,
  type ManifestHead,
  manifestContent,
  type NewManifest,
  type PutManifest,
  publicRepositories,
  putManifest,
  resolveManifest,
} from './registry-manifests.repo'
export { searchBuilds, searchOrganization } from './search.repo'
export { readSetting, readWorkerHeartbeat, writeSetting, writeWorkerHeartbeat } from './settings.repo'
export {
  countRefusedSince,
  createDelivery,
  createWebhook,
  findWebhook,
  findWebhookOfApp,
  KEPT_DELIVERIES,
  type NewDelivery,
  rotateWebhookSecret,
  setDeliveryOutcome,
  trimDeliveries,
} from './webhooks.repo'
