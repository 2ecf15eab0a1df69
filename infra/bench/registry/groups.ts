/** Apart from what measures them, which needs the database client. Memory last: at rest is after work, not after the start. */
export const REGISTRY_GROUPS = ['manifests', 'blobs', 'pushes', 'lists', 'docker', 'memory'] as const
export type RegistryGroup = (typeof REGISTRY_GROUPS)[number]
