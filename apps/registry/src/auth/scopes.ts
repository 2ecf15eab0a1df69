/**
 * What a token may do: the scopes asked for, cut down to what the caller has.
 *
 * | | |
 * |---|---|
 * | account | its roles, by the table of core's access.ts |
 * | API key that only reads | pull, where its user may |
 * | API key of one organization | there what its user may, elsewhere what anybody may |
 * | robot | in its organization what its grants say, everywhere what anybody may |
 * | share link | its image, and what anybody may |
 *
 * Of another registry's images, of which we keep copies: pull, for whom the upstream is set up.
 */
import { allowedByGrants, BASE_ORGANIZATION, type RegistryAccess } from '@slipway/contracts'
import { effectiveRole, may, upstreamHost } from '@slipway/core'
import { type CatalogScope, type Db, type Puller, pullableUpstreams, standingsOnRepositories } from '@slipway/db'
import { isRepositoryName } from '@slipway/oci'
import { repositoryPath } from '../http/route'
import type { Principal } from './principal'

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

export async function grantScopes(db: Db, principal: Principal, wanted: readonly RegistryAccess[]): Promise<RegistryAccess[]> {
  const repositories = wanted.filter((scope) => scope.type === 'repository')
  const allowedOn = await allowedTo(
    db,
    principal,
    repositories.map((scope) => scope.name),
  )
  const granted: RegistryAccess[] = []
  for (const scope of repositories) {
    const asked = scope.actions.includes('*') ? ACTIONS : scope.actions
    const allowed = allowedOn(scope.name)
    const actions = asked.filter((action) => action !== '*' && allowed.includes(action))
    if (actions.length > 0) granted.push({ type: 'repository', name: scope.name, actions })
    else if (principal.kind === 'share' && scope.name === principal.name && asked.includes('pull'))
      granted.push({ type: 'image', name: scope.name, actions: ['pull'], digest: principal.digest })
  }
  const catalog = wanted.find((scope) => scope.type === 'registry' && scope.actions.includes('*'))
  if (catalog && catalogScope(principal)) granted.push({ type: 'registry', name: 'catalog', actions: ['*'] })
  return granted
}

async function allowedTo(db: Db, principal: Principal, all: readonly string[]): Promise<(name: string) => readonly Action[]> {
  const hostOf = (name: string) => upstreamHost(repositoryPath(name).organization)
  const copies = all.filter((name) => hostOf(name) !== undefined)
  if (copies.length === 0) return allowedHere(db, principal, all)
  const upstreams = await pullableUpstreams(db, pullerOf(principal), [...new Set(copies.flatMap((name) => hostOf(name) ?? []))])
  const allowed = await allowedHere(
    db,
    principal,
    all.filter((name) => hostOf(name) === undefined),
  )
  return (name) => {
    const host = hostOf(name)
    // Nobody's repositories here, so no role says anything about them.
    return host === undefined ? allowed(name) : upstreams.has(host) ? ['pull'] : []
  }
}

function pullerOf(principal: Principal): Puller {
  if (principal.kind === 'user') return { userId: principal.userId, organization: principal.organization }
  return principal.kind === 'robot' ? 'account' : 'nobody'
}

async function allowedHere(db: Db, principal: Principal, names: readonly string[]): Promise<(name: string) => readonly Action[]> {
  if (principal.kind === 'user') {
    const { userId, writes, organization } = principal
    const inside = (name: string) => organization === null || repositoryPath(name).organization === organization
    const outside = names.filter((name) => !inside(name))
    const allowed = await allowedToUser(db, userId, names.filter(inside))
    const open = outside.length > 0 ? await allowedToUser(db, null, outside) : allowed
    return (name) => ((inside(name) ? allowed : open).get(name) ?? []).filter((action) => writes || action === 'pull')
  }
  const open = await allowedToUser(db, null, names)
  return (full) => {
    const { organization, name } = repositoryPath(full)
    const own = principal.kind === 'robot' && organization === principal.organization && organization !== BASE_ORGANIZATION
    return [...(open.get(full) ?? []), ...(own ? allowedByGrants(principal.grants, name) : [])]
  }
}

/** Whose repositories a catalog lists; undefined for those who get none. */
export function catalogScope(principal: Principal): CatalogScope | undefined {
  const common = { baseOrganization: BASE_ORGANIZATION }
  if (principal.kind === 'user')
    return { ...common, userId: principal.userId, ...(principal.organization !== null && { organization: principal.organization }) }
  if (principal.kind !== 'robot') return undefined
  const patterns = principal.grants.filter(({ actions }) => actions.includes('pull')).map(({ pattern }) => pattern)
  return { ...common, userId: null, robot: { organization: principal.organization, patterns } }
}
