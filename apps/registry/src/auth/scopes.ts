/** What a token may do: the scopes asked for, cut down to what the account, or nobody, has (core's access.ts has the table). */
import { BASE_ORGANIZATION, type RegistryAccess } from '@slipway/contracts'
import { effectiveRole, may } from '@slipway/core'
import { type Db, standingsOnRepositories } from '@slipway/db'
import { isRepositoryName } from '@slipway/oci'
import { repositoryPath } from '../http/route'

type Actions = RegistryAccess['actions']
export type Action = 'pull' | 'push' | 'delete'

const ACTIONS = ['pull', 'push', 'delete'] as const
const MAX_SCOPES = 50

/** `repository:acme/api:pull,push`, several in one value separated by spaces. What cannot be read is left out, as nothing is granted for it. */
export function parseScopes(values: readonly string[]): RegistryAccess[] {
  const scopes: RegistryAccess[] = []
  for (const text of values.flatMap((value) => value.split(' ')).slice(0, MAX_SCOPES)) {
    const match = /^(repository|registry)(?:\([a-z]+\))?:([^:]+):([a-z*,]+)$/.exec(text)
    if (!match) continue
    const [, type, name = '', list = ''] = match
    const actions = list.split(',').filter((a): a is Actions[number] => ['pull', 'push', 'delete', '*'].includes(a))
    if (type === 'registry' ? name === 'catalog' : isRepositoryName(name) && name.includes('/')) {
      scopes.push({ type: type === 'registry' ? 'registry' : 'repository', name, actions })
    }
  }
  return scopes
}

/** What an account may do on each of these repositories, by path; nothing for those that are missing. `userId` null: nobody logged in. */
export async function allowedToUser(db: Db, userId: string | null, names: readonly string[]): Promise<Map<string, readonly Action[]>> {
  const standings = await standingsOnRepositories(db, userId, names.map(repositoryPath))
  const allowed = new Map<string, readonly Action[]>()
  for (const name of names) {
    const standing = standings.get(name)
    // Base images are the system's: even an owner of that organization pushes none, and anybody reads them, since
    // `docker run slipway.local/base/busybox` is the first thing that one tries.
    if (repositoryPath(name).organization === BASE_ORGANIZATION) allowed.set(name, ['pull'])
    else if (standing) {
      const role = effectiveRole(standing, userId !== null)
      allowed.set(
        name,
        ACTIONS.filter((action) => may(role, action)),
      )
    }
  }
  return allowed
}

export async function grantScopes(db: Db, userId: string | null, wanted: readonly RegistryAccess[]): Promise<RegistryAccess[]> {
  const repositories = wanted.filter((scope) => scope.type === 'repository')
  const allowed = await allowedToUser(
    db,
    userId,
    repositories.map((scope) => scope.name),
  )
  const granted: RegistryAccess[] = []
  for (const scope of repositories) {
    const asked = scope.actions.includes('*') ? ACTIONS : scope.actions
    const actions = asked.filter((action) => action !== '*' && allowed.get(scope.name)?.includes(action))
    if (actions.length > 0) granted.push({ type: 'repository', name: scope.name, actions })
  }
  const catalog = wanted.find((scope) => scope.type === 'registry' && scope.actions.includes('*'))
  if (catalog && userId !== null) granted.push({ type: 'registry', name: 'catalog', actions: ['*'] })
  return granted
}
