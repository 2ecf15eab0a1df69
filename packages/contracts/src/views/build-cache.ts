/** Of an organization's part of the build cache. Sizes in bytes. */
export interface BuildCacheEntryView {
  id: string
  kind: 'layer' | 'mount'
  /** The instruction, or the id of the cache mount; null for what older agents made. */
  text: string | null
  /** Repository of the image that was built, without the registry: `acme/shop`. */
  repository: string | null
  /** Of disk. */
  bytes: number
  createdAt: Date
  lastUsedAt: Date
  /** Builds that took it from the cache; for a mount, steps that had it. */
  uses: number
  /** A step has it right now: it stays. */
  inUse: boolean
  /** Images of the organization that have the layer too: its bytes stay with them. */
  keptBy: string[]
}

export interface BuildCacheView {
  /** What only the cache keeps. */
  bytes: number
  layers: number
  mounts: number
  /** What the host keeps of all organizations together. */
  maxBytes: number
  /** Longer unused goes; null: never. */
  unusedDays: number | null
  /** Most recently used first. */
  entries: BuildCacheEntryView[]
  /** How many are not in `entries`. */
  more: number
}

/** What a clean-up takes, or took. */
export interface BuildCacheClearedView {
  count: number
  bytes: number
  entries: BuildCacheEntryView[]
  more: number
}
