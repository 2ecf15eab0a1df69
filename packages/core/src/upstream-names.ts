/**
 * What images of other registries are called in ours. The first part of the name is the other registry's host, a colon written as
 * `_`: `registry.lan:5000/team/api` → `slipway.local/registry.lan_5000/team/api`. Slugs of organizations have neither dot nor `_`, so
 * no organization can ever be mistaken for an upstream, nor an upstream for an organization.
 */
const HOST = /^[a-z0-9]+(?:[.-][a-z0-9]+)*(?::[1-9]\d{0,4})?$/
const MAX_HOST = 100

/** `docker.io`, `registry.lan:5000`, `localhost:5000`: as image names begin that name a registry. No IPv6 addresses, which our names cannot hold. */
export const isUpstreamHost = (host: string): boolean => host.length <= MAX_HOST && /[.:]/.test(host) && HOST.test(host)

/** `registry.lan:5000` → `registry.lan_5000`. */
export const upstreamNamespace = (host: string): string => host.replace(':', '_')

/** The host behind the first part of a name in our registry; undefined: that part is an organization's slug. */
export function upstreamHost(namespace: string): string | undefined {
  const host = namespace.replace('_', ':')
  return isUpstreamHost(host) ? host : undefined
}
