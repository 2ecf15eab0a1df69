import { BASE_ORGANIZATION, type views } from '@slipway/contracts'
import { AppError, type GrantableRole, notFound } from '@slipway/core'
import {
  appsSharedWith,
  countGrants,
  countMembersByRole,
  deleteGrant,
  findOrganizationBySlug,
  findProject,
  findProjectOfRepository,
  findTeam,
  findUserByEmail,
  type GrantedOn,
  type GrantRow,
  isMember,
  listGrants,
  putGrant,
  repositoriesSharedWith,
  type SharedPage,
  setVisibility,
  type Tx,
} from '@slipway/db'
import { audit } from '../audit'
import { announce, type Deps } from '../deps'
import { loadRepository } from '../images/load'
import { assertMay, mayIn } from '../roles'
import type { Actor, Scope } from '../scope'
import { scopeMethods } from './scopes'
import type { AccessService } from './service'

/** More would be what teams are for. */
const MAX_GRANTS = 200
const MAX_APPS = 200

/** A thing that grants are given on, as the audit log names it. */
interface Thing {
  on: GrantedOn
  target: { type: 'repository' | 'project'; id: string; label: string }
}

export function createAccess(deps: Deps): AccessService {
  const { db } = deps

  async function grantViews(scope: Scope, rows: GrantRow[]): Promise<views.GrantView[]> {
    const members = await isMember(
      db,
      scope.organizationId,
      rows.flatMap((row) => (row.user ? [row.user.id] : [])),
    )
    return rows.flatMap(({ id, role, user, team, createdAt }): views.GrantView[] => {
      // The table's checks allow no owner by grant.
      const made = { id, role: role as GrantableRole, createdAt }
      if (user) return [{ ...made, to: { kind: 'user', name: user.name, email: user.email, member: members.has(user.id) } }]
      return team ? [{ ...made, to: { kind: 'team', slug: team.slug, name: team.name, members: team._count.members } }] : []
    })
  }

  async function repositoryThing(scope: Scope, name: string): Promise<Thing & { row: Awaited<ReturnType<typeof loadRepository>> }> {
    const row = await loadRepository(db, scope, name)
    return { row, on: { repositoryId: row.id }, target: { type: 'repository', id: row.id, label: row.name } }
  }
  async function projectThing(scope: Scope, slug: string): Promise<Thing & { row: { slug: string; name: string } }> {
    const row = isWithin(scope, slug) ? await findProject(db, scope.organizationId, slug) : null
    if (!row) throw notFound('project', 'PROJECT_NOT_FOUND')
    return { row, on: { projectId: row.id }, target: { type: 'project', id: row.id, label: row.name } }
  }
  const isWithin = ({ within }: Scope, project: string) => !within || ('project' in within && within.project === project)

  async function repositoryView(scope: Scope, name: string): Promise<views.RepositoryAccessView> {
    const { row, on } = await repositoryThing(scope, name)
    const mayManage = mayIn(scope, 'manage access')
    // Who else is here is nothing that a stranger is told, unless it is theirs to say.
    const told = mayManage || !scope.outside
    const project = told && row.projectId ? await findProjectOfRepository(db, scope.organizationId, row.projectId) : null
    return {
      visibility: row.visibility,
      role: scope.role,
      mayManage,
      project: project && {
        slug: project.slug,
        name: project.name,
        grants: scope.outside ? [] : await grantViews(scope, await listGrants(db, scope.organizationId, { projectId: project.id })),
      },
      members: scope.outside ? null : await countMembersByRole(db, scope.organizationId),
      grants: told ? await grantViews(scope, await listGrants(db, scope.organizationId, on)) : [],
    }
  }
  async function projectView(scope: Scope, slug: string): Promise<views.ProjectAccessView> {
    const { row, on } = await projectThing(scope, slug)
    const mayManage = mayIn(scope, 'manage access')
    const grants = mayManage || !scope.outside ? await grantViews(scope, await listGrants(db, scope.organizationId, on)) : []
    return { slug: row.slug, name: row.name, role: scope.role, mayManage, grants }
  }

  async function grant(scope: Scope, { on, target }: Thing, to: GrantTo, role: GrantableRole): Promise<void> {
    assertMay(scope, 'manage access')
    await db.$transaction(async (tx) => {
      const holder = await findHolder(tx, scope, to)
      if ((await countGrants(tx, scope.organizationId, on)) >= MAX_GRANTS) throw tooManyGrants()
      const { before } = await putGrant(tx, scope.organizationId, on, holder.to, role)
      if (before === role) return
      await audit(tx, scope, 'access.grant', target, { to: holder.label, role, ...(before && { before }) })
    })
    announce(deps, { organizationId: scope.organizationId })
  }
  async function revoke(scope: Scope, { on, target }: Thing, id: string): Promise<void> {
    assertMay(scope, 'manage access')
    await db.$transaction(async (tx) => {
      const gone = await deleteGrant(tx, scope.organizationId, on, id)
      if (!gone) throw notFound('grant', 'GRANT_NOT_FOUND')
      await audit(tx, scope, 'access.revoke', target, { from: gone.user?.email ?? gone.team?.name ?? '', role: gone.role })
    })
    announce(deps, { organizationId: scope.organizationId })
  }

  async function sharedView(actor: Actor, page: SharedPage): Promise<views.SharedView> {
    const userId = actor.userId ?? ''
    const [found, apps] = await Promise.all([
      repositoriesSharedWith(db, userId, BASE_ORGANIZATION, { ...page, limit: page.limit + 1 }),
      page.cursor ? [] : appsSharedWith(db, userId, page.organization ?? null, MAX_APPS),
    ])
    const rows = found.slice(0, page.limit)
    const last = rows.at(-1)
    return {
      repositories: rows.map((row) => ({
        organization: { slug: row.organization, name: row.organizationName },
        name: row.name,
        visibility: row.visibility,
        role: row.granted as GrantableRole | null,
        lastPushedAt: row.lastPushedAt,
      })),
      next: found.length > page.limit && last ? `${last.organization}/${last.name}` : null,
      apps: apps.map((row) => ({
        organization: { slug: row.organization, name: row.organizationName },
        slug: row.slug,
        name: row.name,
        project: row.project,
        role: row.granted as GrantableRole,
      })),
    }
  }

  return {
    ...scopeMethods(db),
    repository: (scope, input) => repositoryView(scope, input.repository),

    async setVisibility(scope, input) {
      assertMay(scope, 'manage access')
      const { row, target } = await repositoryThing(scope, input.repository)
      if (input.visibility === 'public' && row.visibility !== 'public' && input.confirm !== row.name)
        throw new AppError({
          kind: 'bad-input',
          code: 'CONFIRMATION_NEEDED',
          message: `Everybody could pull ${row.name} without an account. Type its name to confirm.`,
        })
      await db.$transaction(async (tx) => {
        const before = await setVisibility(tx, scope.organizationId, row.id, input.visibility)
        if (before === input.visibility) return
        await audit(tx, scope, 'repository.setVisibility', target, { before, visibility: input.visibility })
      })
      announce(deps, { organizationId: scope.organizationId })
      return repositoryView(scope, input.repository)
    },

    async grantOnRepository(scope, input) {
      await grant(scope, await repositoryThing(scope, input.repository), input.to, input.role)
      return repositoryView(scope, input.repository)
    },
    async revokeOnRepository(scope, input) {
      await revoke(scope, await repositoryThing(scope, input.repository), input.id)
      return repositoryView(scope, input.repository)
    },
    project: (scope, input) => projectView(scope, input.project),
    async grantOnProject(scope, input) {
      await grant(scope, await projectThing(scope, input.project), input.to, input.role)
      return projectView(scope, input.project)
    },
    async revokeOnProject(scope, input) {
      await revoke(scope, await projectThing(scope, input.project), input.id)
      return projectView(scope, input.project)
    },

    shared: (actor, input) => sharedView(actor, input),
    async outside(actor, organization) {
      const found = await findOrganizationBySlug(db, organization)
      const shared = found ? await sharedView(actor, { organization, limit: 100 }) : null
      if (!found || !shared || shared.repositories.length + shared.apps.length === 0)
        throw notFound('organization', 'ORGANIZATION_NOT_FOUND')
      return { slug: found.slug, name: found.name, ...shared }
    },
  }
}

type GrantTo = { kind: 'user'; email: string } | { kind: 'team'; team: string }

async function findHolder(tx: Tx, scope: Scope, to: GrantTo) {
  if (to.kind === 'team') {
    const team = await findTeam(tx, scope.organizationId, to.team)
    // An admin by a grant, who is no member, knows no teams.
    if (!team || scope.outside) throw notFound('team', 'TEAM_NOT_FOUND')
    return { to: { teamId: team.id }, label: team.name }
  }
  const user = await findUserByEmail(tx, to.email)
  if (!user)
    throw new AppError({
      kind: 'not-found',
      code: 'USER_UNKNOWN',
      message: `Nobody has an account with ${to.email} on this installation. Check the address, or invite them first.`,
    })
  return { to: { userId: user.id }, label: user.email }
}

const tooManyGrants = () =>
  new AppError({
    kind: 'conflict',
    code: 'TOO_MANY_GRANTS',
    message: `At most ${MAX_GRANTS} people and teams can have a role here. Make a team of them, and give the role to the team.`,
  })
