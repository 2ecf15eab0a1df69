/** Manifests that the store has a record of, and the database does not know: what the collector spares, and `verify` makes again. */
import { type Db, lostManifests } from '@slipway/db'
import { isNonDistributable, namesManifest, type ParsedManifest } from '@slipway/oci'
import type { BlobStore } from '../store/store'
import { parseRecordKey } from './keys'
import { readManifestRecord } from './record'

const BATCH = 500

/**
 * Digests of the blobs that lost manifests need. A database that was put back to an older state has no row of what was pushed since; its
 * files must not go before somebody has had it repaired.
 */
export async function blobsOfLostManifests(context: { db: Db; store: BlobStore }): Promise<Set<string>> {
  const digests = new Set<string>()
  let group: { repositoryId: string; digest: string }[] = []
  const look = async () => {
    for (const { repositoryId, digest } of await lostManifests(context.db, group)) {
      // Read after the database was asked: one that was deleted meanwhile has no record any more.
      const record = await readManifestRecord(context.store, repositoryId, digest)
      for (const blob of record ? neededBlobs(record.parsed) : []) digests.add(blob.digest)
    }
    group = []
  }
  for await (const key of context.store.records()) {
    const name = parseRecordKey(key)
    if (name?.kind === 'manifest') group.push(name)
    if (group.length >= BATCH) await look()
  }
  await look()
  return digests
}

/** What must lie in the store for the image to be whole. */
export const neededBlobs = ({ kind, manifest }: ParsedManifest) =>
  (kind === 'image' ? [manifest.config, ...manifest.layers] : manifest.manifests.filter((entry) => !namesManifest(entry.mediaType))).filter(
    (blob) => !isNonDistributable(blob.mediaType),
  )
