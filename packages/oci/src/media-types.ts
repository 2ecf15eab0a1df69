/** Media types of OCI image-spec 1.1 and Docker's schema 2, and the questions asked about them. */
export const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json'
export const OCI_INDEX = 'application/vnd.oci.image.index.v1+json'
export const OCI_CONFIG = 'application/vnd.oci.image.config.v1+json'
export const OCI_EMPTY = 'application/vnd.oci.empty.v1+json'
export const OCI_LAYER_TAR = 'application/vnd.oci.image.layer.v1.tar'
export const OCI_LAYER_GZIP = 'application/vnd.oci.image.layer.v1.tar+gzip'
export const OCI_LAYER_ZSTD = 'application/vnd.oci.image.layer.v1.tar+zstd'
export const DOCKER_MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json'
export const DOCKER_LIST = 'application/vnd.docker.distribution.manifest.list.v2+json'
export const DOCKER_CONFIG = 'application/vnd.docker.container.image.v1+json'
export const DOCKER_LAYER_GZIP = 'application/vnd.docker.image.rootfs.diff.tar.gzip'

export const MANIFEST_TYPES = [OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST] as const
export type ManifestMediaType = (typeof MANIFEST_TYPES)[number]

export const isManifestType = (type: string): type is ManifestMediaType => (MANIFEST_TYPES as readonly string[]).includes(type)
export const isIndexType = (type: string): boolean => type === OCI_INDEX || type === DOCKER_LIST
export const isImageConfigType = (type: string): boolean => type === OCI_CONFIG || type === DOCKER_CONFIG

/**
 * Whether an index's entry of this type is a manifest; else it is a blob, as in BuildKit's caches. Manifests of kinds that are not known
 * here (schema 1, artifact manifests) are told by their name: an index may have entries that a registry cannot read.
 */
export const namesManifest = (type: string): boolean => isManifestType(type) || /\.(?:manifest|index)\b/.test(type)

/** Layers that may lie elsewhere (`urls`); a registry does not demand their blob. */
export const isNonDistributable = (type: string): boolean =>
  type.startsWith('application/vnd.oci.image.layer.nondistributable.') ||
  type === 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip'
