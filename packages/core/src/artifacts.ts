/** `artifactType` of a build cache in a registry (apps/agent/crates/build/src/shared_cache.rs): a manifest that is no image. */
export const BUILD_CACHE_ARTIFACT = 'application/vnd.slipway.build-cache.v1'

/**
 * Whether a manifest is what a build left, told by its type and by the subject of the token that pushed it: a client writes any type into
 * any manifest, and what replication brings was written elsewhere. `isBuildCache` of packages/db says the same in SQL.
 */
export const isBuildCache = ({ artifactType, pushedBy }: { artifactType?: string | null | undefined; pushedBy: string }): boolean =>
  artifactType === BUILD_CACHE_ARTIFACT && pushedBy.startsWith('system:') && pushedBy !== 'system:replication'

const ATTACHED_BY_TAG = /^sha256-([0-9a-f]{64})(?:\.(?:sig|att|sbom))?$/

/**
 * Digest of what is attached to by this tag (cosign's `sha256-<hex>.sig`, and the tag schema of OCI 1.1); undefined for a tag that names
 * a version. The column `Tag.attachedTo` says the same.
 */
export const attachedByTag = (tag: string): string | undefined => {
  const hex = ATTACHED_BY_TAG.exec(tag)?.[1]
  return hex === undefined ? undefined : `sha256:${hex}`
}
