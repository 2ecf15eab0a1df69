/** Names of other registries' images, and of the copies that our own registry keeps of them (core's upstream-names.ts). */
import { isUpstreamHost, upstreamHost, upstreamNamespace } from '@slipway/core'
import type { Reference } from './reference'

/** `docker.io/library/nginx:1` → `<own>/docker.io/library/nginx:1`. Undefined: the registry has no name among ours. */
export const cachedReference = (reference: Reference, own: string): Reference | undefined =>
  reference.registry !== own && isUpstreamHost(reference.registry)
    ? { ...reference, registry: own, repository: `${upstreamNamespace(reference.registry)}/${reference.repository}` }
    : undefined

/** And back; what is no copy stays as it is. */
export function originalReference(reference: Reference, own: string): Reference {
  if (reference.registry !== own) return reference
  const slash = reference.repository.indexOf('/')
  const registry = slash === -1 ? undefined : upstreamHost(reference.repository.slice(0, slash))
  return registry === undefined ? reference : { ...reference, registry, repository: reference.repository.slice(slash + 1) }
}
