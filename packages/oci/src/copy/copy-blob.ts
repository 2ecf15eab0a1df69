/**
 * One blob: asked for first, then taken from another repository of the target, then streamed. In memory are only the pieces that are
 * on their way. The digest is checked here while it streams, and by the target when the upload is closed.
 */
import { Readable } from 'node:stream'
import type { ReadableStream as NodeStream } from 'node:stream/web'
import { AppError } from '@slipway/core'
import { abandonUpload, beginUpload, blobSize, uploadStream } from '../client-upload'
import type { Descriptor } from '../manifest'
import { VerifyStream } from '../node'
import { isPassing, retried } from './retry'
import type { CopyOptions, Side } from './types'

export type BlobOutcome = 'there' | 'mounted' | 'moved'

export async function copyBlob(
  source: Side,
  target: Side,
  blob: Descriptor,
  options: CopyOptions,
  onBytes: (bytes: number) => void,
): Promise<BlobOutcome> {
  let from = await options.mountFrom?.(blob.digest)
  if (from === target.repository) from = undefined
  let moved = 0
  return retried(async () => {
    // What an attempt that failed had moved is no part of the blob.
    onBytes(-moved)
    moved = 0
    const there = await blobSize(target.client, target.repository, blob.digest)
    if (there !== undefined) return 'there'
    if (from !== undefined) {
      const mounted = await mount(target, blob.digest, from)
      from = undefined
      if (mounted === true) return 'mounted'
      if (mounted) return move(mounted)
    }
    const at = await beginUpload(target.client, target.repository)
    return at ? move(at) : 'there'
  }, options)

  async function move(at: URL): Promise<BlobOutcome> {
    try {
      const body = await source.client.streamBlob(source.repository, blob.digest)
      const count = (bytes: number) => {
        moved += bytes
        onBytes(bytes)
      }
      await uploadStream(target.client, target.repository, { at, digest: blob.digest, body: checked(body, blob, count) })
      return 'moved'
    } catch (error) {
      if (!options.signal.aborted) await abandonUpload(target.client, target.repository, at)
      throw error
    }
  }
}

/** True: mounted. A URL: the registry would rather have the bytes there. Undefined: it says no, perhaps to the other repository only. */
async function mount({ client, repository }: Side, digest: string, from: string): Promise<true | URL | undefined> {
  try {
    return (await beginUpload(client, repository, { digest, from })) ?? true
  } catch (error) {
    if (isPassing(error)) throw error
    return undefined
  }
}

function checked(
  body: ReadableStream<Uint8Array>,
  { digest, size }: Descriptor,
  onBytes: (bytes: number) => void,
): ReadableStream<Uint8Array> {
  const source = Readable.fromWeb(body as NodeStream<Uint8Array>)
  const verify = new VerifyStream(digest, size)
  source.on('data', (chunk: Uint8Array) => onBytes(chunk.byteLength))
  source.pause()
  source.once('error', (cause) => verify.destroy(broken(cause)))
  verify.once('close', () => source.destroy())
  source.pipe(verify)
  return Readable.toWeb(verify) as ReadableStream<Uint8Array>
}

const broken = (cause: unknown) =>
  cause instanceof AppError
    ? cause
    : new AppError({
        kind: 'unavailable',
        code: 'BLOB_BROKEN_OFF',
        message: 'The source stopped in the middle of a layer. Try again.',
        cause,
      })
