/** Registries that ours keeps copies from. */
export interface UpstreamView {
  id: string
  /** `docker.io`, as image names begin. */
  host: string
  /** `slipway.local/docker.io`: what its images are called here. */
  prefix: string
  enabled: boolean
  /** Only the organizations it is shared with may pull. */
  credentials: boolean
  /** What only those see who may change it; null for the others. */
  managed: ManagedUpstream | null
}

export interface ManagedUpstream {
  url: string
  username: string
  allowPrivate: boolean
  anonymous: boolean
  limitBytes: number
  revalidateMinutes: number
  shares: { slug: string; name: string }[]
  kept: { repositories: number; tags: number; manifests: number; blobs: number; bytes: number }
  hits: number
  misses: number
  fetchedBytes: number
  lastContactAt: Date | null
  lastError: { message: string; at: Date } | null
}

export interface UpstreamsView {
  /** Whether the caller may add, change and remove them. */
  mayManage: boolean
  /** Where docker and containerd reach the registry from this machine: `localhost:5000`. */
  registryHost: string
  items: UpstreamView[]
}

export interface UpstreamTestView {
  /** Null: it answers, and takes the credentials if there are any. */
  problem: string | null
  milliseconds: number
}
