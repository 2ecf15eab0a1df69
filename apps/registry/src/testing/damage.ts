import { Readable } from 'node:stream'
import { newId } from '@slipway/core'
import type { BlobStore } from '../store/store'

/** Bytes as a sealed upload, not yet placed. */
export async function storeBytes(store: BlobStore, content: string, digest: string): Promise<{ uploadId: string; size: number }> {
  const uploadId = newId('upload')
  await store.append(uploadId, Readable.from([Buffer.from(content)]), 1024 ** 3)
  const { size } = await store.seal(uploadId, digest)
  return { uploadId, size }
}
