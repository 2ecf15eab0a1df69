/** A token of a share link, or of a deployment, opens one image: its manifest by digest, the images of an index, their configurations and layers. */
import type { RegistryToken } from '@slipway/contracts'
import { type Db, isPartOfImage } from '@slipway/db'
import { type RepositoryRoute, repositoryPath } from '../http/route'

/** The digest that may be pulled from the repository, when the token is for one image of it. */
export const sharedDigest = (token: RegistryToken, name: string): string | undefined =>
  token.access.find((a) => a.type === 'image' && a.name === name && a.actions.includes('pull'))?.digest

/** Tags are not opened, nor lists of anything: what a tag names today is not what was shared. */
export async function opensShared(db: Db, token: RegistryToken, route: RepositoryRoute): Promise<boolean> {
  const root = sharedDigest(token, route.name)
  if (root === undefined) return false
  const digest = route.kind === 'manifest' ? route.reference : route.kind === 'blob' ? route.digest : undefined
  if (digest === undefined || !digest.includes(':')) return false
  return digest === root || isPartOfImage(db, repositoryPath(route.name), root, digest)
}
