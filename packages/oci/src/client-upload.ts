/** Blobs into a registry: whether it has one, a mount from another of its repositories, an upload of bytes or of a stream. */
import type { RegistryClient } from './client'
import { unreachable } from './client'

const BYTES = { 'content-type': 'application/octet-stream' }

/** Bytes that it has; undefined: none. For who pushes: a registry may say no more to who only reads. */
export async function blobSize(client: RegistryClient, repository: string, digest: string): Promise<number | undefined> {
  const answer = await client.request('HEAD', repository, `blobs/${digest}`, {}, { alsoFine: [404], push: true })
  if (answer.status === 404) return undefined
  return Number(answer.headers.get('content-length') ?? 0)
}

/**
 * Begins an upload, or is spared it: undefined when the registry took the blob from `from`, another of its repositories
 * (distribution-spec "Mounting a blob"). Otherwise where the bytes go.
 */
export async function beginUpload(
  client: RegistryClient,
  repository: string,
  mount?: { digest: string; from: string },
): Promise<URL | undefined> {
  const query = mount ? `?mount=${mount.digest}&from=${encodeURIComponent(mount.from)}` : ''
  const begun = await client.request('POST', repository, `blobs/uploads/${query}`, {}, { push: true, ...(mount && { from: mount.from }) })
  await begun.body?.cancel()
  return begun.status === 201 && mount ? undefined : locationOf(client, repository, begun)
}

/** Streams all of a blob into an upload and closes it; the registry checks the digest. */
export async function uploadStream(
  client: RegistryClient,
  repository: string,
  { at, digest, body }: { at: URL; digest: string; body: ReadableStream<Uint8Array> },
): Promise<void> {
  const sent = await client.request('PATCH', repository, at.href, BYTES, { push: true, body })
  await sent.body?.cancel()
  await close(client, repository, locationOf(client, repository, sent, at), digest)
}

export async function uploadBytes(
  client: RegistryClient,
  repository: string,
  digest: string,
  bytes: Uint8Array<ArrayBuffer>,
): Promise<void> {
  const at = await beginUpload(client, repository)
  if (at) await close(client, repository, at, digest, bytes)
}

/** What was begun and will not be ended; whether the registry heard of it does not matter. */
export async function abandonUpload(client: RegistryClient, repository: string, at: URL): Promise<void> {
  await client.request('DELETE', repository, at.href, {}, { push: true }).then(
    (answer) => answer.body?.cancel(),
    () => undefined,
  )
}

async function close(client: RegistryClient, repository: string, at: URL, digest: string, body?: Uint8Array<ArrayBuffer>): Promise<void> {
  const url = new URL(at)
  url.searchParams.set('digest', digest)
  const put = await client.request('PUT', repository, url.href, BYTES, { push: true, ...(body && { body }) })
  await put.body?.cancel()
}

function locationOf(client: RegistryClient, repository: string, answer: Response, before?: URL): URL {
  const base = `${client.baseUrl}/v2/${repository}/blobs/uploads/`
  const told = answer.headers.get('location')
  const location = told === null && before ? before : new URL(told ?? '', base)
  // Behind a proxy that encrypts, many registries do not know that they are reached so.
  if (base.startsWith('https:') && location.protocol === 'http:') location.protocol = 'https:'
  // A token must not follow a registry's word to another host.
  if (location.origin !== new URL(base).origin) throw unreachable(client.baseUrl, `upload to ${location.origin}`)
  return location
}
