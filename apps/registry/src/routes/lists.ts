/** Tags, catalog and referrers (distribution-spec "Content Discovery", "Listing Referrers"). */
import type { ServerResponse } from 'node:http'
import { BASE_ORGANIZATION, type RegistryToken } from '@slipway/contracts'
import { findRepositoryByPath, listCatalog, listReferrers, listTagNames } from '@slipway/db'
import { type Descriptor, isImageConfigType, isIndexType, OCI_INDEX, parseDigest, parseManifest } from '@slipway/oci'
import { principalOf } from '../auth/principal'
import { catalogScope } from '../auth/scopes'
import { isSystem } from '../auth/verify'
import type { Registry } from '../context'
import { nameUnknown, RegistryError } from '../errors'
import { sendJson } from '../http/respond'
import { repositoryPath } from '../http/route'
import { movedTo } from '../moved'
import { content } from './manifests'

/** Also the page when the client does not ask for a size: old clients do not follow links, so it is generous. */
const MAX_PAGE = 10_000
const MAX_REFERRERS = 1000

function pageOf(query: URLSearchParams, max = MAX_PAGE): { n: number; last: string | undefined } {
  const last = query.get('last')?.slice(0, 512) || undefined
  if (last?.includes('\0')) throw new RegistryError('UNSUPPORTED', 'The name ?last= has a NUL in it.')
  const text = query.get('n')
  if (text === null) return { n: max, last }
  if (!/^\d{1,9}$/.test(text)) throw new RegistryError('UNSUPPORTED', 'The page size ?n= is not a number.')
  return { n: Math.min(Number(text), max), last }
}

/** One item more than the page tells whether there is a next one. */
async function page(path: string, query: URLSearchParams, fetch: (take: number, last?: string) => Promise<string[]>) {
  const { n, last } = pageOf(query)
  const found = n === 0 ? [] : await fetch(n + 1, last)
  const items = found.slice(0, n)
  const end = items.at(-1)
  const more = found.length > n && end !== undefined
  const headers: Record<string, string> = more ? { link: `<${path}?n=${n}&last=${encodeURIComponent(end)}>; rel="next"` } : {}
  return { items, headers }
}

export async function listTags({ db }: Registry, response: ServerResponse, name: string, query: URLSearchParams): Promise<void> {
  const repository = await findRepositoryByPath(db, repositoryPath(name))
  if (!repository) throw nameUnknown()
  const { items, headers } = await page(`/v2/${name}/tags/list`, query, (take, last) => listTagNames(db, repository.id, take, last))
  sendJson(response, 200, { name, tags: items }, headers)
}

export async function catalog({ db }: Registry, response: ServerResponse, token: RegistryToken, query: URLSearchParams): Promise<void> {
  const scope = isSystem(token) ? { userId: null, baseOrganization: BASE_ORGANIZATION } : catalogScope(await principalOf(db, token))
  if (!scope) return sendJson(response, 200, { repositories: [] })
  const { items, headers } = await page('/v2/_catalog', query, (take, last) => listCatalog(db, scope, take, last))
  sendJson(response, 200, { repositories: items }, headers)
}

export async function referrers(
  registry: Registry,
  response: ServerResponse,
  { name, digest }: { name: string; digest: string },
  query: URLSearchParams,
): Promise<void> {
  parseDigest(digest)
  const { n, last } = pageOf(query, MAX_REFERRERS)
  const wanted = query.get('artifactType') || undefined
  const repository = await findRepositoryByPath(registry.db, repositoryPath(name))
  // The specification: never 404 here; but a repository that has moved is asked under its new name.
  if (!repository && (await movedTo(registry.db, name))) throw nameUnknown()
  const found = !repository
    ? [] // A subject that was not pushed yet has no referrers.
    : await listReferrers(registry.db, repository.id, digest, {
        take: n + 1,
        after: last,
        ...(wanted === undefined ? {} : { artifactType: { is: wanted, untyped: isImageConfigType(wanted) } }),
      })
  const rows = found.slice(0, n)
  const manifests: Descriptor[] = []
  for (const row of rows) {
    const artifactType = row.artifactType ?? (await configType(registry, row))
    if (wanted !== undefined && artifactType !== wanted) continue
    manifests.push({
      mediaType: row.mediaType,
      digest: row.digest,
      size: row.size,
      ...(artifactType === undefined ? {} : { artifactType }),
      ...(row.annotations ? { annotations: row.annotations as Record<string, string> } : {}),
    })
  }
  const end = rows.at(-1)?.digest
  const parameters = new URLSearchParams({ ...(wanted === undefined ? {} : { artifactType: wanted }), n: String(n), last: end ?? '' })
  sendJson(
    response,
    200,
    { schemaVersion: 2, mediaType: OCI_INDEX, manifests },
    {
      'content-type': OCI_INDEX,
      ...(wanted === undefined ? {} : { 'oci-filters-applied': 'artifactType' }),
      ...(found.length > n && end !== undefined ? { link: `</v2/${name}/referrers/${digest}?${parameters}>; rel="next"` } : {}),
    },
  )
}

/** What is listed for an image without a type of its own: that of its configuration. Indexes have none. */
async function configType(registry: Registry, row: { id: string; digest: string; mediaType: string }): Promise<string | undefined> {
  if (isIndexType(row.mediaType)) return undefined
  const parsed = parseManifest(await content(registry, row), row.mediaType)
  return parsed.kind === 'image' ? parsed.manifest.config.mediaType : undefined
}
