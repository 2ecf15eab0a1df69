/** What is copied from where to where, and what is told meanwhile. */
import type { RegistryClient } from '../client'

export interface Side {
  client: RegistryClient
  repository: string
}

export interface CopyProgress {
  /** Blobs whose turn has come, of all that the manifests name, as far as these were read. */
  blobs: number
  bytes: number
  moved: { blobs: number; bytes: number }
  /** Was there, or was taken from another repository of the target. */
  skipped: { blobs: number; bytes: number }
}

export interface CopyOptions {
  signal: AbortSignal
  /** Blobs of one image at a time; by default 3. */
  concurrency?: number
  /** A few times a second at most is for the listener to see to: called with each piece. */
  onProgress?: (progress: CopyProgress) => void
  /** A blob that the target has now. */
  onBlob?: (digest: string) => void
  /** Another repository of the target that may have this blob; it is tried, and costs nothing when it has not. */
  mountFrom?: (digest: string) => Promise<string | undefined> | string | undefined
  /** Pauses before the second, third … attempt at one request or blob. */
  pauses?: readonly number[]
  /** SBOMs, signatures and whatever else refers to what is copied; by default they come along. */
  referrers?: boolean
  /** Only these of an index, as `linux/amd64` or `linux/arm/v7`; empty: all. */
  platforms?: readonly string[]
}

export interface CopyResult extends CopyProgress {
  /** Under the target's tag now. */
  digest: string
  /** Manifests that were put, with indexes and what refers to them. */
  manifests: number
}
