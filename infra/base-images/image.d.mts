/** An image in a folder: its blobs are files there. */
export interface Image {
  folder: string
  manifest: string
  digest: string
  blobs: { digest: string; size: number }[]
}
export function blobFile(folder: string, digest: string): string
