/** Where every byte of the registry is. Each blob is counted once in each group of numbers, so that they add up. */

export interface ByteCountView {
  blobs: number
  bytes: number
}

/** single: images of one repository; shared: images of several; cache: build caches only; unused: no image names it. */
export type BlobUseView = 'single' | 'shared' | 'cache' | 'unused'

export interface StorageRepositoryView {
  name: string
  blobs: number
  /** Everything it links. */
  bytes: number
  /** What no other repository of the organization links. */
  only: number
  /** What no image of it names. */
  unused: number
}

export interface SharedLayerView {
  digest: string
  size: number
  repositories: number
  images: number
  /** The Dockerfile step that made it. */
  step: string | null
  /** One of the repositories. */
  example: string
}

export interface CollectableView {
  digest: string
  size: number
  /** One that still links it, of so many. */
  repository: string
  repositories: number
  /** When the collector may take it. */
  goesAt: Date
}

export interface DamagedBlobView {
  digest: string
  size: number
  damagedAt: Date
  repository: string
  images: number
}

export interface VerificationView {
  id: string
  requestedBy: string
  repair: boolean
  state: 'queued' | 'running' | 'done' | 'failed' | 'cancelled'
  phase: 'blobs' | 'records' | 'manifests' | 'files'
  blobs: number
  bytes: number
  manifests: number
  files: number
  totalBlobs: number
  totalBytes: number
  totalManifests: number
  found: number
  repaired: number
  problems: { kind: string; subject: string; text: string; repaired: boolean }[]
  error: string | null
  createdAt: Date
  finishedAt: Date | null
}

export interface StorageView {
  /** When it was counted. */
  asOf: Date
  /** As the organization's limit counts: its blobs once each, and its manifests. */
  total: ByteCountView
  uses: Record<BlobUseView, ByteCountView>
  /** What repositories would take together if none shared a blob. */
  withoutSharing: number
  repositories: number
  /** They lie in the database, beside the blobs. */
  manifests: { count: number; bytes: number }
  uploads: { count: number; bytes: number }
  sharedLayers: SharedLayerView[]
  largest: { repository: string; tag: string; digest: string; size: number; pushedAt: Date }[]
  damaged: DamagedBlobView[]
  /** Of the whole store; what it found elsewhere is not told. */
  lastVerified: Date | null
  /** May look at the whole store and have it verified. */
  runsStore: boolean
}

export interface OpenUploadView {
  id: string
  repository: string
  bytes: number
  startedAt: Date
  updatedAt: Date
  /** When the collector takes it, if nobody writes to it until then. */
  goesAt: Date
}

/** What the collector would take of the organization, largest first. */
export interface CollectablesView {
  total: ByteCountView
  items: CollectableView[]
  uploads: OpenUploadView[]
}

/** The whole store, for those who run the installation. */
export interface InstallationStorageView {
  asOf: Date
  /** Of blobs. */
  total: ByteCountView
  /** In the database. */
  manifests: { count: number; bytes: number }
  /** Linked by several organizations; counted in each one's bytes, and once here. */
  shared: ByteCountView
  unlinked: ByteCountView
  unused: ByteCountView
  organizations: { slug: string; name: string; repositories: number; bytes: number; only: number }[]
  store: {
    kind: string
    freeBytes: number | null
    totalBytes: number | null
    strays: number
    strayBytes: number
    uploads: number
    uploadBytes: number
    quarantined: number
    quarantinedBytes: number
    countedAt: Date
  } | null
  damages: {
    id: string
    digest: string
    size: number
    foundBy: string
    foundAt: Date
    keptAs: string | null
    repairedAt: Date | null
    repairedBy: string | null
  }[]
  verifications: VerificationView[]
}
