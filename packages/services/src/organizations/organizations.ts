import { AppError, notFound } from '@slipway/core'
import {
  addMember,
  countsOf,
  createOrganization,
  findMembership,
  findOrganization,
  findUserByEmail,
  isUniqueViolation,
  listMembers,
  listMemberships,
  writeAudit,
} from '@slipway/db'
import { audit } from '../audit'
import { announce, type Deps, registryHost, registryIsPlain } from '../deps'
import { assertMay } from '../roles'
import type { OrganizationsService } from '../services'
import { knownHostMethods } from './known-hosts'
import { searchIn } from './search'
import { freeOrganizationSlug, isReservedSlug } from './slug'

export const createOrganizations = (deps: Deps): OrganizationsService => ({
  ...knownHostMethods(deps),
  async me(identity) {
    const memberships = await listMemberships(deps.db, identity.userId)
    return {
      id: identity.userId,
      name: identity.name,
      email: identity.email,
      organizations: memberships
        .filter(({ organization }) => !identity.organization || organization.slug === identity.organization)
        .map(({ organization, role }) => ({ slug: organization.slug, name: organization.name, role })),
    }
  },

  async scope(actor, organization) {
    if (actor.organization && actor.organization !== organization) throw notFound('organization', 'ORGANIZATION_NOT_FOUND')
    const membership = actor.userId ? await findMembership(deps.db, organization, actor.userId) : null
    if (!membership) throw notFound('organization', 'ORGANIZATION_NOT_FOUND')
    return { organizationId: membership.organizationId, organization, role: membership.role, actor }
  },

  async create(actor, input) {
    const { userId } = actor
    if (!userId) throw notFound('account')
    if (input.slug && isReservedSlug(input.slug))
      throw new AppError({
        kind: 'conflict',
        code: 'ORGANIZATION_NAME_RESERVED',
        message: `“${input.slug}” is an address of the panel itself. Choose another name.`,
      })
    try {
      return await deps.db.$transaction(async (tx) => {
        const slug = input.slug ?? (await freeOrganizationSlug(tx, input.name))
        const organization = await createOrganization(tx, { slug, name: input.name, ownerUserId: userId })
        await writeAudit(tx, organization.id, {
          actorUserId: userId,
          actorLabel: actor.label,
          action: 'organization.create',
          targetType: 'organization',
          targetId: organization.id,
          targetLabel: organization.name,
          ipAddress: actor.ip,
        })
        return { slug }
      })
    } catch (cause) {
      if (!isUniqueViolation(cause, 'slug')) throw cause
      throw new AppError({
        kind: 'conflict',
        code: 'ORGANIZATION_NAME_TAKEN',
        message: 'An organization with this name is there already. Choose another one.',
        cause,
      })
    }
  },

  async get(scope) {
    const [organization, counts] = await Promise.all([
      findOrganization(deps.db, scope.organizationId),
      countsOf(deps.db, scope.organizationId),
    ])
    if (!organization) throw notFound('organization', 'ORGANIZATION_NOT_FOUND')
    return {
      slug: organization.slug,
      name: organization.name,
      role: scope.role,
      registryHost: registryHost(deps.config),
      registryIsPlain: registryIsPlain(deps.config),
      counts,
    }
  },

  async members(scope) {
    const rows = await listMembers(deps.db, scope.organizationId)
    return rows.map(({ id, user, role, createdAt }) => ({ id, name: user.name, email: user.email, role, joinedAt: createdAt }))
  },

  async addMember(scope, input) {
    assertMay(scope, 'manage members')
    if (input.role === 'owner') assertMay(scope, 'make owners')
    const user = await findUserByEmail(deps.db, input.email)
    if (!user)
      throw new AppError({
        kind: 'not-found',
        code: 'USER_UNKNOWN',
        message: `Nobody has an account with ${input.email} on this installation. Check the address.`,
      })
    try {
      const member = await deps.db.$transaction(async (tx) => {
        const added = await addMember(tx, scope.organizationId, user.id, input.role)
        await audit(tx, scope, 'member.add', { type: 'member', id: added.id, label: user.email }, { role: input.role })
        return added
      })
      announce(deps, { organizationId: scope.organizationId })
      return { id: member.id, name: user.name, email: user.email, role: member.role, joinedAt: member.createdAt }
    } catch (cause) {
      if (!isUniqueViolation(cause)) throw cause
      throw new AppError({ kind: 'conflict', code: 'MEMBER_EXISTS', message: `${input.email} is a member already.`, cause })
    }
  },

  search: (scope, input) => searchIn(deps.db, scope, input.query),
})
