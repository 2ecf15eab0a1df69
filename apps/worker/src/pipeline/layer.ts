/**
 * What is inside a layer, once for all images that hold it.
 * Takes: the digest of a layer's blob. Gives: its listing, the names in it and its packages, written to its row.
 */
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { ReadableStream } from 'node:stream/web'
import { isAppError, toAppError } from '@slipway/core'
import { failLayerIndex, layerToRead, saveLayerIndex } from '@slipway/db'
import { RegistryClient } from '@slipway/oci'
import { VerifyStream } from '@slipway/oci/node'
import { namesOf, readDocument } from '@slipway/services'
import type { Deps } from '../deps'
import { systemToken } from './registry-access'

/** `layer`: the digest with a dash for its colon. */
export async function readLayer(deps: Deps, layer: string, deadline: AbortSignal): Promise<void> {
  const digest = layer.replace('-', ':')
  const blob = await layerToRead(deps.db, digest)
  if (!blob) return
  const signal = AbortSignal.any([deadline, deps.stopping])
  try {
    const packed = await list(deps, blob, digest, signal)
    const document = await readDocument(packed)
    await saveLayerIndex(deps.db, digest, {
      entries: document.length,
      bytes: BigInt(document.bytes),
      document: packed,
      names: await namesOf(document),
      packages: document.packages.map((one) => ({ ...one, path: withoutNul(one.path) })),
    })
  } catch (cause) {
    if (deps.stopping.aborted) return // the sweep finds it
    const error = toAppError(cause)
    const isRefused = isAppError(cause) && cause.code === 'LAYER_REFUSED'
    if (!isRefused) deps.log.warn({ err: cause, layer: digest }, 'a layer could not be read; the sweep tries again')
    await failLayerIndex(deps.db, digest, isRefused ? 'refused' : 'failed', withoutNul(error.message).slice(0, 500))
  }
}

async function list(
  deps: Deps,
  { repository, size }: { repository: string; size: number },
  digest: string,
  signal: AbortSignal,
): Promise<Buffer<ArrayBuffer>> {
  const bearer = await systemToken(deps, [{ type: 'repository', name: repository, actions: ['pull'] }])
  const registry = new RegistryClient({ baseUrl: deps.env.SLIPWAY_REGISTRY_URL, credentials: { bearer } })
  const blob = Readable.fromWeb((await registry.streamBlob(repository, digest)) as ReadableStream<Uint8Array>)
  const checked = new VerifyStream(digest, size)
  // Its failure is the reader's, who sees the stream break off.
  pipeline(blob, checked, { signal }).catch(() => undefined)
  return Buffer.from(await deps.agent.layers.listing(checked, signal))
}

/** NUL is no text to Postgres. */
const withoutNul = (text: string) => text.replaceAll('\0', '\uFFFD')
