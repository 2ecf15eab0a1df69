/**
 * Repositories that have another name or organization now. The old name is only looked up where it has no repository, and what
 * may be done is what the token allows under the new name: tokens for the old name are made out for both.
 */
import type { RegistryAccess } from '@slipway/contracts'
import { type Db, movedRepositories } from '@slipway/db'
import { repositoryPath } from './http/route'

/** `acme/api` → `acme/backend`; undefined when it is where it was, or was never anywhere. */
export async function movedTo(db: Db, name: string): Promise<string | undefined> {
  const moved = (await movedRepositories(db, [repositoryPath(name)])).get(name)
  return moved && `${moved.organization}/${moved.name}`
}

/** What was asked for, and the same under the new names of what has moved. Granted is each of them as if it were asked for alone. */
export async function withNewNames(db: Db, wanted: readonly RegistryAccess[]): Promise<RegistryAccess[]> {
  const repositories = wanted.filter((scope) => scope.type === 'repository')
  const moved = await movedRepositories(
    db,
    repositories.map((scope) => repositoryPath(scope.name)),
  )
  if (moved.size === 0) return [...wanted]
  const more = repositories.flatMap((scope) => {
    const to = moved.get(scope.name)
    return to ? [{ ...scope, name: `${to.organization}/${to.name}` }] : []
  })
  return [...wanted, ...more]
}
