import { type Db, knownBlobs, type StoreCount, writeStoreCount } from '@slipway/db'
import type { BlobStore } from './store'

const BATCH = 500

/** Counts what lies in the store, and how much of it no row names; the storage page shows the last count. */
export async function countStore(db: Db, store: BlobStore, kind: string): Promise<StoreCount> {
  const count = { blobs: 0, blobBytes: 0, strays: 0, strayBytes: 0, uploads: 0, uploadBytes: 0, quarantined: 0, quarantinedBytes: 0 }
  let group: { digest: string; size: number }[] = []
  const compare = async () => {
    const known = await knownBlobs(
      db,
      group.map((blob) => blob.digest),
    )
    for (const { digest, size } of group) {
      count.blobs++
      count.blobBytes += size
      if (known.has(digest)) continue
      count.strays++
      count.strayBytes += size
    }
    group = []
  }
  for await (const blob of store.blobs()) {
    group.push(blob)
    if (group.length >= BATCH) await compare()
  }
  await compare()
  for await (const { size } of store.uploads()) {
    count.uploads++
    count.uploadBytes += size
  }
  for await (const { size } of store.quarantined()) {
    count.quarantined++
    count.quarantinedBytes += size
  }
  const space = await store.space?.()
  const counted = { kind, freeBytes: space?.free ?? null, totalBytes: space?.total ?? null, ...count }
  await writeStoreCount(db, counted)
  return counted
}
