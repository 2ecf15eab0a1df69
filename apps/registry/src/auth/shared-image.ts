/** A token of a share link, or of a deployment, opens one image: its manifest by digest, the images of an index, their configurations and layers. */
import type { RegistryToken } from '@slipway/contracts'
import { isPartOfImage } from '@slipway/db'
import { isDigest } from '@slipway/oci'
import type { Registry } from '../context'
import { type RepositoryRoute, repositoryPath } from '../http/route'

/** The digest that may be pulled from the repository, when the token is for one image of it. */
export const sharedDigest = (token: RegistryToken, name: string): string | undefined =>
  token.access.find((a) => a.type === 'image' && a.name === name && a.actions.includes('pull'))?.digest

/** Tags are not opened, nor lists of anything: what a tag names today is not what was shared. */
export async function opensShared({ db, upstreams }: Registry, token: RegistryToken, route: RepositoryRoute): Promise<boolean> {
  const root = sharedDigest(token, route.name)
  if (root === undefined || (route.kind !== 'manifest' && route.kind !== 'blob')) return false
  const digest = route.kind === 'manifest' ? route.reference : route.digest
  if (!isDigest(digest)) return false
  if (digest === root) return true
  const path = repositoryPath(route.name)
  const wanted = { digest, kind: route.kind }
  if (await isPartOfImage(db, path, root, wanted)) return true
  // Of a copy, not all that says what the image is made of is here perhaps.
  const remote = await upstreams.remoteOf(path)
  return remote !== undefined && upstreams.isPart(remote, path, root, wanted)
}
