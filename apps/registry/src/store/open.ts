import { FilesystemStore } from './filesystem'
import type { StoreSettings } from './settings'
import type { BlobStore } from './store'

export async function openStore(settings: StoreSettings): Promise<BlobStore> {
  if (settings.kind === 'filesystem') return new FilesystemStore(settings.root)
  // Only now: the SDK is memory that a registry on a disk need not have.
  const { S3Store } = await import('./s3')
  return new S3Store(settings)
}
