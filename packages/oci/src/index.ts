export { cachedReference, originalReference } from './cached-names'
export { type FetchedManifest, RegistryClient, type RegistryClientOptions } from './client'
export type { RegistryCredentials } from './client-auth'
export { type DigestAlgorithm, digestOf, isDigest, type ParsedDigest, parseDigest, verifyDigest } from './digest'
export { type ImageConfigFile, imageConfigFile, parseImageConfig } from './image-config'
export { type LayerWithStep, pairLayers } from './layers'
export {
  type Descriptor,
  descriptor,
  type ImageIndex,
  type ImageManifest,
  imageIndex,
  imageManifest,
  type ParsedManifest,
  parseManifest,
} from './manifest'
export {
  DOCKER_CONFIG,
  DOCKER_LAYER_GZIP,
  DOCKER_LIST,
  DOCKER_MANIFEST,
  isImageConfigType,
  isIndexType,
  isManifestType,
  isNonDistributable,
  MANIFEST_TYPES,
  type ManifestMediaType,
  namesManifest,
  OCI_CONFIG,
  OCI_EMPTY,
  OCI_INDEX,
  OCI_LAYER_GZIP,
  OCI_LAYER_TAR,
  OCI_LAYER_ZSTD,
  OCI_MANIFEST,
} from './media-types'
export {
  assertRepositoryName,
  DEFAULT_TAG,
  DOCKER_HUB,
  familiarReference,
  formatReference,
  isRepositoryName,
  isTag,
  parseReference,
  type Reference,
  referenceTarget,
} from './reference'
export { signRegistryToken, type TokenAccess, type TokenRequest } from './registry-token'
