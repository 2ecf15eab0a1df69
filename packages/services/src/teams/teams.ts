import type { views } from '@slipway/contracts'
import { AppError, type GrantableRole, notFound, slugify } from '@slipway/core'
import {
  addToTeam,
  countTeams,
  createTeam,
  deleteTeam,
  findMember,
  findTeam,
  isUniqueViolation,
  listTeams,
  removeFromTeam,
  type TeamRow,
  type Tx,
} from '@slipway/db'
import { audit } from '../audit'
import { announce, type Deps } from '../deps'
import { assertMay } from '../roles'
import type { Scope } from '../scope'
import type { TeamsService } from './service'

const MAX_TEAMS = 100

const viewOf = ({ slug, name, members, grants, createdAt }: TeamRow): views.TeamView => ({
  slug,
  name,
  createdAt,
  members: members.map(({ member }) => ({ id: member.id, name: member.user.name, email: member.user.email, role: member.role })),
  grants: grants.flatMap(({ role, repository, project }): views.TeamView['grants'] => {
    if (repository) return [{ role: role as GrantableRole, on: { kind: 'repository', name: repository.name } }]
    return project ? [{ role: role as GrantableRole, on: { kind: 'project', slug: project.slug, name: project.name } }] : []
  }),
})
const targetOf = ({ id, name }: { id: string; name: string }) => ({ type: 'team', id, label: name })

async function load(tx: Tx, scope: Scope, slug: string): Promise<TeamRow> {
  const team = await findTeam(tx, scope.organizationId, slug)
  if (!team) throw notFound('team', 'TEAM_NOT_FOUND')
  return team
}

export function createTeams(deps: Deps): TeamsService {
  /** A change of one team's members, told in the audit log under `action`. */
  async function changeMembers(
    scope: Scope,
    input: { team: string; member: string },
    action: string,
    change: (tx: Tx, team: TeamRow, userId: string) => Promise<unknown>,
  ): Promise<views.TeamView> {
    assertMay(scope, 'manage members')
    const view = await deps.db.$transaction(async (tx) => {
      const team = await load(tx, scope, input.team)
      const member = await findMember(tx, scope.organizationId, input.member)
      if (!member) throw notFound('member', 'MEMBER_NOT_FOUND')
      await change(tx, team, member.userId)
      await audit(tx, scope, action, targetOf(team), { member: member.user.email })
      return viewOf(await load(tx, scope, input.team))
    })
    announce(deps, { organizationId: scope.organizationId })
    return view
  }

  return {
    list: async (scope) => (await listTeams(deps.db, scope.organizationId)).map(viewOf),

    async create(scope, input) {
      assertMay(scope, 'manage members')
      if ((await countTeams(deps.db, scope.organizationId)) >= MAX_TEAMS)
        throw new AppError({ kind: 'conflict', code: 'TOO_MANY_TEAMS', message: `An organization has at most ${MAX_TEAMS} teams.` })
      try {
        const view = await deps.db.$transaction(async (tx) => {
          const slug = slugify(input.name) || 'team'
          const team = await createTeam(tx, scope.organizationId, { slug, name: input.name })
          await audit(tx, scope, 'team.create', targetOf(team))
          return viewOf(await load(tx, scope, slug))
        })
        announce(deps, { organizationId: scope.organizationId })
        return view
      } catch (cause) {
        if (!isUniqueViolation(cause)) throw cause
        throw new AppError({
          kind: 'conflict',
          code: 'TEAM_NAME_TAKEN',
          message: 'A team of this name is there already. Choose another name.',
          cause,
        })
      }
    },

    async delete(scope, input) {
      assertMay(scope, 'manage members')
      const gone = await deps.db.$transaction(async (tx) => {
        const team = await load(tx, scope, input.team)
        await deleteTeam(tx, scope.organizationId, team.id)
        await audit(tx, scope, 'team.delete', targetOf(team), { members: team.members.length, grants: team.grants.length })
        return viewOf(team)
      })
      announce(deps, { organizationId: scope.organizationId })
      return gone
    },

    addMember: (scope, input) =>
      changeMembers(scope, input, 'team.addMember', (tx, team, userId) => addToTeam(tx, scope.organizationId, team.id, userId)),
    removeMember: (scope, input) =>
      changeMembers(scope, input, 'team.removeMember', async (tx, team, userId) => {
        if (!(await removeFromTeam(tx, scope.organizationId, team.id, userId))) throw notFound('member', 'MEMBER_NOT_FOUND')
      }),
  }
}
