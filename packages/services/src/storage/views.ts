import type { views } from '@slipway/contracts'
import type { VerificationRow } from '@slipway/db'

/** The collector's grace times (apps/registry/src/gc.ts). */
const HOUR_MS = 3_600_000
export const goesAt = (seenAt: Date): Date => new Date(seenAt.getTime() + HOUR_MS)
export const uploadGoesAt = (updatedAt: Date): Date => new Date(updatedAt.getTime() + 24 * HOUR_MS)

export const verificationView = (row: VerificationRow): views.VerificationView => ({
  id: row.id,
  requestedBy: row.requestedBy,
  repair: row.repair,
  state: row.state,
  phase: row.phase as views.VerificationView['phase'],
  blobs: row.blobs,
  bytes: Number(row.bytes),
  manifests: row.manifests,
  files: row.files,
  totalBlobs: row.totalBlobs,
  totalBytes: Number(row.totalBytes),
  totalManifests: row.totalManifests,
  found: row.found,
  repaired: row.repaired,
  problems: row.problems as unknown as views.VerificationView['problems'],
  error: row.error,
  createdAt: row.createdAt,
  finishedAt: row.finishedAt,
})
