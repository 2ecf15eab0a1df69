/** From a request to its handler: route, token, action, errors. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { RegistryToken } from '@slipway/contracts'
import { tagRefusal } from '@slipway/core'
import { ImageInUseError, TagRuleError } from '@slipway/db'
import { insufficientScope, requireToken } from './auth/challenge'
import { keySet } from './auth/keys'
import { opensShared, sharedDigest } from './auth/shared-image'
import { issueToken } from './auth/token-endpoint'
import { type Action, allows, allowsCatalog, isSystem } from './auth/verify'
import type { Caller, Registry } from './context'
import { RegistryError, toRegistryError } from './errors'
import { health } from './health'
import { addressOf } from './http/address'
import { sendError, sendJson } from './http/respond'
import { parseRoute, type RepositoryRoute, repositoryPath } from './http/route'
import { movedTo } from './moved'
import { refuseOverQuota } from './quota'
import { deleteBlob, getBlob, headBlob } from './routes/blobs'
import { catalog, listTags, referrers } from './routes/lists'
import { storeManifest } from './routes/manifest-put'
import { getManifest, removeManifest } from './routes/manifests'
import { cancelUpload, finishUpload, patchUpload, startUpload, uploadStatus } from './routes/uploads'
import { mirrored } from './upstream/mirror'
import { fromUpstream } from './upstream/serve'

export type Handler = (request: IncomingMessage, response: ServerResponse) => void

/** `mirrorOf`: an upstream whose names all names are, as docker's `registry-mirrors` has it. */
export function createHandler(registry: Registry, mirrorOf?: string): Handler {
  return (request, response) => {
    response.setHeader('docker-distribution-api-version', 'registry/2.0')
    response.setHeader('x-content-type-options', 'nosniff')
    response.once('finish', () => endUnread(request, registry.patience.formMs))
    handle(registry, request, response, mirrorOf).catch((thrown: unknown) => fail(registry, request, response, thrown))
  }
}

/** What is left of a body after its answer, as of a GET that has one, is read by Node itself, however slowly it comes. */
function endUnread(request: IncomingMessage, deadlineMs: number): void {
  if (request.complete) return
  const timer = setTimeout(() => request.complete || request.socket.destroy(), deadlineMs)
  timer.unref()
  request.once('close', () => clearTimeout(timer))
}

async function handle(registry: Registry, request: IncomingMessage, response: ServerResponse, mirrorOf?: string): Promise<void> {
  const found = parseRoute(request.method ?? 'GET', mirrored(request.url ?? '/', mirrorOf))
  if (!found) throw new RegistryError('UNSUPPORTED', 'There is nothing at this address.', { status: 404 })
  const { route, query } = found
  switch (route.kind) {
    case 'health':
      return health(registry, response)
    case 'token':
      return issueToken(request, response, query, registry)
    case 'jwks':
      return sendJson(response, 200, keySet(registry.keys), { 'cache-control': 'public, max-age=300' })
    case 'base':
      await requireToken(request, registry, undefined)
      return sendJson(response, 200, {})
    case 'catalog': {
      const token = await requireToken(request, registry, 'registry:catalog:*', allowsCatalog)
      return catalog(registry, response, token, query)
    }
    default:
      return inRepository(registry, request, response, route, query)
  }
}

/** What the caller must be allowed for this request. Looking at an upload is part of pushing. */
export function actionOf(method: string, route: RepositoryRoute): Action {
  if (route.kind === 'upload' || route.kind === 'upload-start') return 'push'
  if (method === 'GET' || method === 'HEAD') return 'pull'
  return method === 'DELETE' ? 'delete' : 'push'
}

const SCOPE: Record<Action, string> = { pull: 'pull', push: 'pull,push', delete: 'delete' }

async function inRepository(
  registry: Registry,
  request: IncomingMessage,
  response: ServerResponse,
  route: RepositoryRoute,
  query: URLSearchParams,
): Promise<void> {
  const method = request.method ?? 'GET'
  const action = actionOf(method, route)
  const scope = `repository:${route.name}:${SCOPE[action]}`
  const mayOpen = (token: RegistryToken, name: string) =>
    allows(token, name, action) || (action === 'pull' && sharedDigest(token, name) !== undefined)
  let at = route
  const token = await requireToken(request, registry, scope, async (t) => {
    if (mayOpen(t, route.name)) return true
    const to = await movedTo(registry.db, route.name)
    if (to === undefined || !mayOpen(t, to)) return false
    at = { ...route, name: to }
    return true
  })
  const opens = async (name: string) =>
    allows(token, name, action) || (action === 'pull' && (await opensShared(registry, token, { ...route, name })))
  if (!(await opens(at.name))) {
    // A part of an image is looked for under the name that its repository has now.
    const to = await movedTo(registry.db, route.name)
    if (to === undefined || !(await opens(to))) throw insufficientScope(request, registry, scope)
    at = { ...route, name: to }
  }
  const caller = { token, address: addressOf(request, registry.trustedProxies) }
  count(registry, response, route, method, caller)
  const remote = await registry.upstreams.remoteOf(repositoryPath(route.name))
  if (remote) return fromUpstream(registry, remote, { request, response, route, query, caller })
  try {
    await dispatch(registry, request, response, at, query, caller)
  } catch (thrown) {
    const to = at === route && isUnknown(thrown) ? await movedTo(registry.db, route.name) : undefined
    if (to === undefined) throw await refusal(registry, at, thrown)
    if (!(await opens(to))) throw insufficientScope(request, registry, scope)
    await dispatch(registry, request, response, { ...at, name: to }, query, caller).catch(async (again: unknown) => {
      throw await refusal(registry, { ...at, name: to }, again)
    })
  }
}

const isUnknown = (thrown: unknown) => thrown instanceof RegistryError && thrown.status === 404

/** A rule of the organization that said no, as the sentence for the person at the client. */
async function refusal({ db }: Registry, { name }: RepositoryRoute, thrown: unknown): Promise<unknown> {
  if (thrown instanceof ImageInUseError) {
    const where = thrown.apps.length > 0 ? thrown.apps.join(', ') : 'an app'
    const message = `This image runs in ${where}. Deploy another one there first, then delete it.`
    return new RegistryError('DENIED', message, { status: 409, detail: { apps: thrown.apps }, cause: thrown })
  }
  if (thrown instanceof TagRuleError) {
    const { rule, tag, deed } = thrown.refusal
    const detail = { tag, rule: rule.tags, kind: rule.kind }
    return new RegistryError('DENIED', tagRefusal(rule, { tag, deed }, name), { status: 403, detail, cause: thrown })
  }
  return refuseOverQuota(db, repositoryPath(name).organization, thrown)
}

async function dispatch(
  registry: Registry,
  request: IncomingMessage,
  response: ServerResponse,
  route: RepositoryRoute,
  query: URLSearchParams,
  caller: Caller,
): Promise<void> {
  const method = request.method ?? 'GET'
  switch (route.kind) {
    case 'blob':
      if (method === 'DELETE') return deleteBlob(registry, response, route, caller)
      return method === 'HEAD' ? headBlob(registry, response, route, caller) : getBlob(registry, request, response, route)
    case 'upload-start':
      return startUpload(registry, request, response, route.name, query, caller)
    case 'upload':
      if (method === 'PATCH') return patchUpload(registry, request, response, route)
      if (method === 'PUT') return finishUpload(registry, request, response, route, query)
      return method === 'DELETE' ? cancelUpload(registry, response, route) : uploadStatus(registry, response, route)
    case 'manifest':
      if (method === 'PUT') return storeManifest(registry, request, response, route, query, caller)
      return method === 'DELETE'
        ? removeManifest(registry, response, route, caller)
        : getManifest(registry, request, response, route, caller)
    case 'tags':
      return listTags(registry, response, route.name, query)
    case 'referrers':
      return referrers(registry, response, route, query)
  }
}

/** A pull is a manifest that is got; looking whether it is there costs nobody anything. Our own parts are not counted. */
function count({ limiters }: Registry, response: ServerResponse, route: RepositoryRoute, method: string, { token, address }: Caller): void {
  if (isSystem(token)) return
  if (route.kind === 'manifest' && method === 'GET') limiters.manifests.take(token.sub, address, response)
  else if (route.kind === 'upload-start') limiters.uploads.take(token.sub, address, response)
}

function fail(registry: Registry, request: IncomingMessage, response: ServerResponse, thrown: unknown): void {
  const context = { method: request.method, path: request.url?.split('?')[0]?.slice(0, 300) }
  if (request.socket.destroyed) {
    registry.log.debug({ ...context, err: thrown }, 'the client went away')
    return
  }
  const error = toRegistryError(thrown)
  if (error.status >= 500) registry.log.error({ ...context, code: error.code, err: error.cause ?? error }, error.message)
  else registry.log.debug({ ...context, code: error.code, err: error.cause }, error.message)
  // After the head there is no other way to say that the body is not whole.
  if (response.headersSent) return void response.destroy()
  sendError(response, error)
}
