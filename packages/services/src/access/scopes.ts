import { BASE_ORGANIZATION } from '@slipway/contracts'
import { effectiveRole, highestRole, notFound, type Role } from '@slipway/core'
import { type Db, type ProjectStanding, standingOnApp, standingOnProject, standingsOnRepositories } from '@slipway/db'
import type { Actor, Scope } from '../scope'
import type { AccessService } from './service'

export const scopeMethods = (db: Db): Pick<AccessService, 'repositoryScope' | 'appScope' | 'projectScope'> => ({
  async repositoryScope(actor, organization, repository) {
    const path = { organization, name: repository }
    const standing = mayAsk(actor, organization)
      ? (await standingsOnRepositories(db, actor.userId, [path])).get(`${organization}/${repository}`)
      : undefined
    const role = standing?.repositoryId
      ? highestRole(effectiveRole(standing, true), organization === BASE_ORGANIZATION ? 'guest' : null)
      : // Members hear which of the two it is that is not there.
        (standing?.member ?? null)
    return scopeOf(actor, organization, standing, role, { repository }, 'repository')
  },

  async appScope(actor, organization, app) {
    const standing = mayAsk(actor, organization) ? await standingOnApp(db, actor.userId, organization, app) : null
    return scopeOf(actor, organization, standing, roleIn(standing), { app }, 'app')
  },

  async projectScope(actor, organization, project) {
    const standing = mayAsk(actor, organization) ? await standingOnProject(db, actor.userId, organization, project) : null
    return scopeOf(actor, organization, standing, roleIn(standing), { project }, 'project')
  },
})

/** To a key that is limited to one organization every other one is not there. */
const mayAsk = (actor: Actor, organization: string): actor is Actor & { userId: string } =>
  actor.userId !== null && (!actor.organization || actor.organization === organization)

const roleIn = (standing: ProjectStanding | null) => highestRole(standing?.member, standing?.granted)

function scopeOf(
  actor: Actor,
  organization: string,
  standing: { organizationId: string; member: Role | null } | null | undefined,
  role: Role | null,
  within: NonNullable<Scope['within']>,
  what: 'repository' | 'app' | 'project',
): Scope {
  if (!standing || !role) throw notFound(what, `${what.toUpperCase()}_NOT_FOUND`)
  const { organizationId } = standing
  return { organizationId, organization, role, actor, within, ...(!standing.member && { outside: true as const }) }
}
