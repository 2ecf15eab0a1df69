/**
 * Our registry as another one's mirror. containerd says whose (`?ns=docker.io`); docker's `registry-mirrors` takes an address without
 * a path and says nothing, so that one has a port of its own, where every name is docker.io's.
 */
import { upstreamHost, upstreamNamespace } from '@slipway/core'

/** `/v2/library/nginx/…` → `/v2/docker.io/library/nginx/…`; everything else as it is. */
export function mirrored(url: string, mirrorOf: string | undefined): string {
  const question = url.indexOf('?')
  const path = question === -1 ? url : url.slice(0, question)
  const query = question === -1 ? '' : url.slice(question)
  if (path === '/token') return mirrorOf === undefined ? url : path + mirroredScopes(query, mirrorOf)
  if (!path.startsWith('/v2/') || path === '/v2/' || path.startsWith('/v2/_')) return url
  const host = mirrorOf ?? namedIn(query)
  if (host === undefined) return url
  const namespace = upstreamNamespace(host)
  return path.startsWith(`/v2/${namespace}/`) ? url : `/v2/${namespace}/${path.slice('/v2/'.length)}${query}`
}

function namedIn(query: string): string | undefined {
  if (!query.includes('ns=')) return undefined
  const host = new URLSearchParams(query).get('ns') ?? ''
  return upstreamHost(upstreamNamespace(host))
}

/** docker asks for a token for the name that it knows. */
function mirroredScopes(query: string, host: string): string {
  const parameters = new URLSearchParams(query)
  const scopes = parameters.getAll('scope')
  parameters.delete('scope')
  const prefix = `repository:${upstreamNamespace(host)}/`
  for (const scope of scopes.flatMap((text) => text.split(' ')))
    parameters.append('scope', scope.startsWith(prefix) ? scope : scope.replace(/^repository:/, prefix))
  return `?${parameters}`
}
