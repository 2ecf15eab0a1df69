/** What was asked for, cut down to what the person may: the permission matrix of the registry. */
import { BASE_ORGANIZATION, type RegistryAccess } from '@slipway/contracts'
import { type Db, publicRepositories, rolesInOrganizations } from '@slipway/db'
import { isRepositoryName } from '@slipway/oci'
import { repositoryPath } from '../http/route'

type Actions = RegistryAccess['actions']
type Role = 'owner' | 'admin' | 'developer' | 'guest'

/**
 * | | pull | push | delete |
 * |---|---|---|---|
 * | owner, admin, developer of the organization | yes | yes | yes |
 * | guest | yes | | |
 * | any account, repository of `base` | yes | | |
 * | anybody, public repository | yes | | |
 */
const BY_ROLE: Record<Role, readonly ('pull' | 'push' | 'delete')[]> = {
  owner: ['pull', 'push', 'delete'],
  admin: ['pull', 'push', 'delete'],
  developer: ['pull', 'push', 'delete'],
  guest: ['pull'],
}
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

/** `userId` null: nobody logged in. */
export async function grantScopes(db: Db, userId: string | null, wanted: readonly RegistryAccess[]): Promise<RegistryAccess[]> {
  const repositories = wanted.filter((scope) => scope.type === 'repository')
  const paths = repositories.map((scope) => repositoryPath(scope.name))
  const roles =
    userId === null ? new Map<string, Role>() : await rolesInOrganizations(db, userId, [...new Set(paths.map((p) => p.organization))])
  const strangers = paths.filter((path) => !roles.has(path.organization))
  const open = await publicRepositories(db, strangers)
  const granted: RegistryAccess[] = []
  for (const scope of repositories) {
    const { organization } = repositoryPath(scope.name)
    const role = roles.get(organization)
    const isBase = organization === BASE_ORGANIZATION
    // Base images are the system's: even an owner of that organization pushes none, and anybody reads them, since
    // `docker run slipway.local/base/busybox` is the first thing that one tries.
    const may = isBase ? ['pull' as const] : role ? BY_ROLE[role] : []
    const allowed = new Set<string>(open.has(scope.name) ? [...may, 'pull'] : may)
    const asked = scope.actions.includes('*') ? (['pull', 'push', 'delete'] as const) : scope.actions
    const actions = asked.filter((action) => allowed.has(action))
    if (actions.length > 0) granted.push({ type: 'repository', name: scope.name, actions })
  }
  const catalog = wanted.find((scope) => scope.type === 'registry' && scope.actions.includes('*'))
  if (catalog && userId !== null) granted.push({ type: 'registry', name: 'catalog', actions: ['*'] })
  return granted
}
