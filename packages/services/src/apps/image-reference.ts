import { BASE_ORGANIZATION, OWN_REGISTRY_HOST } from '@slipway/contracts'
import { AppError, effectiveRole } from '@slipway/core'
import { findOwnImage, standingsOnRepositories } from '@slipway/db'
import { formatReference, originalReference, parseReference, type Reference } from '@slipway/oci'
import { type Deps, registryHost } from '../deps'
import type { Scope } from '../scope'

/**
 * The complete name of an image that this organization may run, with its digest when it is in our own registry.
 * `localhost:5000/acme/api` (as docker push writes it) and `slipway.local/acme/api` are the same image.
 */
export async function resolveImage(deps: Deps, scope: Scope, written: string): Promise<{ reference: string; digest: string | null }> {
  const reference = ownReference(deps, written)
  if (reference.registry !== OWN_REGISTRY_HOST) return { reference: formatReference(reference), digest: reference.digest ?? null }
  const [organization = '', ...name] = reference.repository.split('/')
  const found = await findOwnImage(deps.db, {
    organization,
    repository: name.join('/'),
    reference: reference.digest ?? reference.tag ?? 'latest',
  })
  // Images of other organizations are as unknown as ones that are not there, unless every account may pull them.
  const own = organization === scope.organization && !scope.outside
  if (!found || !(own || organization === BASE_ORGANIZATION || found.isOpen || (await mayPull(deps, scope, organization, name.join('/')))))
    throw new AppError({
      kind: 'not-found',
      code: 'IMAGE_NOT_FOUND',
      message: `There is no image ${formatReference(reference)}. Push it first, or check the name and the tag.`,
    })
  return { reference: formatReference(reference), digest: found.digest }
}

/** Who is no member runs what they may pull themselves, and nothing else of the organization. */
async function mayPull({ db }: Deps, { actor, outside }: Scope, organization: string, name: string): Promise<boolean> {
  if (!outside) return false
  const standing = (await standingsOnRepositories(db, actor.userId, [{ organization, name }])).get(`${organization}/${name}`)
  return standing !== undefined && effectiveRole(standing, true) !== null
}

/** `localhost:5000/acme/api` as `slipway.local/acme/api`, a copy by the name of what it is a copy of; every other name as it is. */
export function ownReference(deps: Deps, written: string): Reference {
  const reference = parseReference(written)
  const port = deps.config.registryPort
  const own = [registryHost(deps.config), `localhost:${port}`, `127.0.0.1:${port}`]
  const ours = own.includes(reference.registry) ? { ...reference, registry: OWN_REGISTRY_HOST } : reference
  return originalReference(ours, OWN_REGISTRY_HOST)
}
