/** The registry's whole interface as one union (distribution-spec "Endpoints"), read from the method and the path. */
import { isRepositoryName } from '@slipway/oci'
import { RegistryError } from '../errors'

export type Route =
  | { kind: 'base' }
  | { kind: 'health' }
  | { kind: 'token' }
  | { kind: 'jwks' }
  | { kind: 'catalog' }
  | { kind: 'blob'; name: string; digest: string }
  | { kind: 'upload-start'; name: string }
  | { kind: 'upload'; name: string; uploadId: string }
  | { kind: 'manifest'; name: string; reference: string }
  | { kind: 'tags'; name: string }
  | { kind: 'referrers'; name: string; digest: string }

export type RepositoryRoute = Extract<Route, { name: string }>

export const METHODS: Record<Route['kind'], readonly string[]> = {
  base: ['GET', 'HEAD'],
  health: ['GET', 'HEAD'],
  token: ['GET', 'POST'],
  jwks: ['GET', 'HEAD'],
  catalog: ['GET', 'HEAD'],
  blob: ['GET', 'HEAD', 'DELETE'],
  'upload-start': ['POST'],
  upload: ['GET', 'PATCH', 'PUT', 'DELETE'],
  manifest: ['GET', 'HEAD', 'PUT', 'DELETE'],
  tags: ['GET', 'HEAD'],
  referrers: ['GET', 'HEAD'],
}

const MAX_URL = 8192

/** Undefined: no such route. Throws `NAME_INVALID`, and 405 for a method that the route does not have. */
export function parseRoute(method: string, url: string): { route: Route; query: URLSearchParams } | undefined {
  if (url.length > MAX_URL) throw new RegistryError('UNSUPPORTED', 'The address is too long.', { status: 414 })
  const question = url.indexOf('?')
  const route = parsePath(decode(question === -1 ? url : url.slice(0, question)))
  if (!route) return undefined
  if (!METHODS[route.kind].includes(method)) {
    const allow = METHODS[route.kind].join(', ')
    throw new RegistryError('UNSUPPORTED', `${method} does not exist here; ${allow} do.`, { status: 405, headers: { allow } })
  }
  return { route, query: new URLSearchParams(question === -1 ? '' : url.slice(question + 1)) }
}

function decode(path: string): string {
  if (!path.includes('%')) return path
  try {
    return decodeURIComponent(path)
  } catch (cause) {
    throw new RegistryError('UNSUPPORTED', 'The address is not valid percent-encoding.', { cause })
  }
}

function parsePath(path: string): Route | undefined {
  if (path === '/v2/' || path === '/v2') return { kind: 'base' }
  if (path === '/healthz') return { kind: 'health' }
  if (path === '/token') return { kind: 'token' }
  if (path === '/.well-known/jwks.json') return { kind: 'jwks' }
  if (path === '/v2/_catalog') return { kind: 'catalog' }
  if (!path.startsWith('/v2/')) return undefined
  const parts = path.slice('/v2/'.length).split('/')
  const last = parts.at(-1) ?? ''
  const named = (tail: number) => repositoryName(parts.slice(0, -tail).join('/'))
  // Longest endings first: repositories may themselves be called "tags" or "blobs".
  if (parts.at(-3) === 'blobs' && parts.at(-2) === 'uploads') {
    const name = named(3)
    return last === '' ? { kind: 'upload-start', name } : { kind: 'upload', name, uploadId: last }
  }
  if (parts.at(-2) === 'blobs')
    return last === 'uploads' ? { kind: 'upload-start', name: named(2) } : { kind: 'blob', name: named(2), digest: last }
  if (parts.at(-2) === 'manifests') return { kind: 'manifest', name: named(2), reference: last }
  if (parts.at(-2) === 'tags' && last === 'list') return { kind: 'tags', name: named(2) }
  if (parts.at(-2) === 'referrers') return { kind: 'referrers', name: named(2), digest: last }
  return undefined
}

function repositoryName(name: string): string {
  if (!isRepositoryName(name))
    throw new RegistryError('NAME_INVALID', 'The repository name is not valid: lower-case letters, digits, and . _ - between them.')
  if (!name.includes('/')) throw new RegistryError('NAME_INVALID', `Image names here start with an organization: <organization>/${name}.`)
  return name
}

/** `acme/team/api` → organization `acme`, name `team/api`. */
export function repositoryPath(name: string): { organization: string; name: string } {
  const slash = name.indexOf('/')
  return { organization: name.slice(0, slash), name: name.slice(slash + 1) }
}
