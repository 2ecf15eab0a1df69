/** `artifactType` of a build cache in a registry (apps/agent/crates/build/src/shared_cache.rs): a manifest that is no image. */
export const BUILD_CACHE_ARTIFACT = 'application/vnd.slipway.build-cache.v1'
