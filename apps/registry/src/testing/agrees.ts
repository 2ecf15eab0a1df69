import { buffer } from 'node:stream/consumers'
import type { Db } from '@slipway/db'
import { isNonDistributable, namesManifest, parseManifest } from '@slipway/oci'
import { digestBytes } from '@slipway/oci/node'
import { expect } from 'vitest'
import type { BlobStore } from '../store/store'

/**
 * Every blob that a manifest names has a link, a row and a file with its bytes, and every row has a file. Answers what lies there and what
 * manifests need, in order, so that a test can say that nothing else is left.
 */
export async function storeAgrees({ db }: { db: Db }, store: BlobStore, hint: string): Promise<{ files: string[]; needed: string[] }> {
  const needed = new Set<string>()
  for (const { content, mediaType, repositoryId, digest } of await db.manifest.findMany()) {
    expect(digestBytes(content), hint).toBe(digest)
    const parsed = parseManifest(Buffer.from(content), mediaType)
    const { manifest } = parsed
    for (const blob of 'manifests' in manifest ? manifest.manifests : [manifest.config, ...manifest.layers]) {
      if (isNonDistributable(blob.mediaType) || namesManifest(blob.mediaType)) continue
      needed.add(blob.digest)
      const link = await db.repositoryBlob.findUnique({ where: { repositoryId_digest: { repositoryId, digest: blob.digest } } })
      expect(link, `${hint}: link of ${blob.digest}`).not.toBeNull()
    }
  }
  const files: string[] = []
  for await (const { digest } of store.blobs()) files.push(digest)
  for (const { digest, size } of await db.blob.findMany()) {
    const stream = await store.open(digest)
    const bytes = stream && (await buffer(stream))
    expect(bytes && [digestBytes(bytes), bytes.byteLength], `${hint}: file of ${digest}`).toEqual([digest, Number(size)])
  }
  for (const digest of needed) expect(files, `${hint}: ${digest}`).toContain(digest)
  return { files: files.sort(), needed: [...needed].sort() }
}
