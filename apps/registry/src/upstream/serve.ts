/** Requests for what an upstream has: first it is fetched, then the same code answers that answers for our own images. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { isDigest, OCI_INDEX } from '@slipway/oci'
import * as z from 'zod'
import type { Caller, Registry } from '../context'
import { RegistryError } from '../errors'
import { sendJson } from '../http/respond'
import { type RepositoryRoute, repositoryPath } from '../http/route'
import { blobHeaders, getBlob, headBlob } from '../routes/blobs'
import { listTags, referrers } from '../routes/lists'
import { assertReference, getManifest } from '../routes/manifests'
import { STALE } from './cached-manifests'
import type { Remote } from './remote'

const MAX_LIST = 4 * 1024 * 1024
const tagList = z.object({ tags: z.array(z.string().max(128)).nullable() })
const index = z.object({ manifests: z.array(z.record(z.string(), z.unknown())).max(10_000) })

interface Asked {
  request: IncomingMessage
  response: ServerResponse
  route: RepositoryRoute
  query: URLSearchParams
  caller: Caller
}

export async function fromUpstream(registry: Registry, remote: Remote, { request, response, route, query, caller }: Asked): Promise<void> {
  const { method } = request
  const { host } = remote.row
  if (method !== 'GET' && method !== 'HEAD')
    throw new RegistryError('DENIED', `This is a copy of what ${host} has; nothing is pushed to it or deleted here.`, { status: 403 })
  const path = repositoryPath(route.name)
  const { upstreams } = registry
  switch (route.kind) {
    case 'manifest': {
      assertReference(route.reference)
      const { warning } = await upstreams.manifest(remote, path, route.reference)
      if (warning !== undefined) response.setHeader('warning', warning)
      return getManifest(registry, request, response, route, caller)
    }
    case 'blob':
      if (await upstreams.blob(remote, path, route.digest, request, response, blobHeaders(route.digest))) return
      return method === 'HEAD' ? headBlob(registry, response, route, caller) : getBlob(registry, request, response, route)
    case 'tags':
      return orKept(
        registry,
        response,
        remote,
        () => tagsOf(remote, route.name, path.name, query, response),
        () => listTags(registry, response, route.name, query),
      )
    case 'referrers':
      return orKept(
        registry,
        response,
        remote,
        () => referrersOf(remote, path.name, route.digest, query, response),
        () => referrers(registry, response, route, query),
      )
    default:
      throw new RegistryError('UNSUPPORTED', 'There is nothing at this address.', { status: 404 })
  }
}

/** What the upstream says, or what is kept of it when it does not answer. */
async function orKept(
  registry: Registry,
  response: ServerResponse,
  remote: Remote,
  ask: () => Promise<boolean>,
  kept: () => Promise<void>,
) {
  try {
    if (await ask()) return
  } catch (error) {
    if (response.headersSent || (error instanceof RegistryError && error.status === 404)) throw error
    registry.log.warn({ err: error, upstream: remote.row.host }, 'listing what is kept, as the upstream cannot be asked')
    response.setHeader('warning', STALE)
  }
  return kept()
}

async function tagsOf(remote: Remote, ours: string, theirs: string, query: URLSearchParams, response: ServerResponse): Promise<boolean> {
  const page = new URLSearchParams()
  for (const name of ['n', 'last']) {
    const value = query.get(name)
    if (value !== null) page.set(name, value.slice(0, 512))
  }
  const answer = await remote.ask('GET', theirs, `tags/list${page.size > 0 ? `?${page}` : ''}`)
  if (answer.status !== 200) {
    await answer.body?.cancel()
    return false
  }
  const { tags } = tagList.parse(await json(answer))
  // Of their link only what it says about the page; the address is ours.
  const next = /<([^>]+)>\s*;\s*rel="?next"?/i.exec(answer.headers.get('link') ?? '')?.[1]
  const more = next === undefined || !URL.canParse(next, remote.row.url) ? undefined : new URL(next, remote.row.url).searchParams
  const link = more && new URLSearchParams([...more].filter(([name]) => name === 'n' || name === 'last'))
  sendJson(response, 200, { name: ours, tags: tags ?? [] }, link ? { link: `</v2/${ours}/tags/list?${link}>; rel="next"` } : {})
  return true
}

async function referrersOf(
  remote: Remote,
  name: string,
  digest: string,
  query: URLSearchParams,
  response: ServerResponse,
): Promise<boolean> {
  if (!isDigest(digest)) return false
  const type = query.get('artifactType')
  const answer = await remote.ask('GET', name, `referrers/${digest}${type ? `?artifactType=${encodeURIComponent(type)}` : ''}`)
  if (answer.status !== 200) {
    await answer.body?.cancel()
    // No such list there: clients look under the fallback tag when they get none here either.
    throw new RegistryError('UNSUPPORTED', `${remote.row.host} keeps no list of referrers.`, { status: 404 })
  }
  const { manifests } = index.parse(await json(answer))
  const filtered: Record<string, string> = answer.headers.get('oci-filters-applied') ? { 'oci-filters-applied': 'artifactType' } : {}
  sendJson(response, 200, { schemaVersion: 2, mediaType: OCI_INDEX, manifests }, { 'content-type': OCI_INDEX, ...filtered })
  return true
}

async function json(answer: Response): Promise<unknown> {
  const pieces: Uint8Array[] = []
  let length = 0
  for await (const piece of answer.body ?? []) {
    length += piece.byteLength
    if (length > MAX_LIST) throw new Error('a list of more than 4 MiB')
    pieces.push(piece)
  }
  return JSON.parse(Buffer.concat(pieces, length).toString('utf8'))
}
