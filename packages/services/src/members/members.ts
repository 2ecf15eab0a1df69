import type { views } from '@slipway/contracts'
import { AppError, notFound } from '@slipway/core'
import {
  countOwners,
  findMember,
  findMemberOfUser,
  lockOrganization,
  type MemberRow,
  removeMember,
  setMemberRole,
  type Tx,
} from '@slipway/db'
import { audit } from '../audit'
import { announce, type Deps } from '../deps'
import { assertMay } from '../roles'
import type { Scope } from '../scope'
import type { MembersService } from './service'

const viewOf = ({ id, user, role, createdAt }: MemberRow): views.MemberView => ({
  id,
  name: user.name,
  email: user.email,
  role,
  joinedAt: createdAt,
})
const targetOf = ({ id, user }: MemberRow) => ({ type: 'member', id, label: user.email })

/** Under the organization's lock, so that two owners cannot both be the one who goes. */
async function keepAnOwner(tx: Tx, scope: Scope, member: MemberRow): Promise<void> {
  if (member.role !== 'owner' || (await countOwners(tx, scope.organizationId)) > 1) return
  throw new AppError({
    kind: 'conflict',
    code: 'LAST_OWNER',
    message: `${member.user.name} is the only owner of ${scope.organization}. Make somebody else owner first.`,
  })
}

async function load(tx: Tx, scope: Scope, id: string): Promise<MemberRow> {
  await lockOrganization(tx, scope.organizationId)
  const member = await findMember(tx, scope.organizationId, id)
  if (!member) throw notFound('member', 'MEMBER_NOT_FOUND')
  // Admins manage everybody but those above them.
  if (member.role === 'owner') assertMay(scope, 'make owners')
  return member
}

export const createMembers = (deps: Deps): MembersService => ({
  async setRole(scope, { id, role }) {
    assertMay(scope, 'manage members')
    if (role === 'owner') assertMay(scope, 'make owners')
    const view = await deps.db.$transaction(async (tx) => {
      const member = await load(tx, scope, id)
      if (member.role === role) return viewOf(member)
      await keepAnOwner(tx, scope, member)
      await setMemberRole(tx, scope.organizationId, id, role)
      await audit(tx, scope, 'member.setRole', targetOf(member), { before: member.role, role })
      return viewOf({ ...member, role })
    })
    announce(deps, { organizationId: scope.organizationId })
    return view
  },

  async remove(scope, { id }) {
    assertMay(scope, 'manage members')
    const gone = await deps.db.$transaction(async (tx) => {
      const member = await load(tx, scope, id)
      await keepAnOwner(tx, scope, member)
      await removeMember(tx, scope.organizationId, { id, userId: member.userId })
      await audit(tx, scope, 'member.remove', targetOf(member), { role: member.role })
      return viewOf(member)
    })
    announce(deps, { organizationId: scope.organizationId })
    return gone
  },

  async leave(scope) {
    const left = await deps.db.$transaction(async (tx) => {
      await lockOrganization(tx, scope.organizationId)
      const member = scope.actor.userId ? await findMemberOfUser(tx, scope.organizationId, scope.actor.userId) : null
      if (!member) throw notFound('member', 'MEMBER_NOT_FOUND')
      await keepAnOwner(tx, scope, member)
      await removeMember(tx, scope.organizationId, { id: member.id, userId: member.userId })
      await audit(tx, scope, 'member.leave', { type: 'organization', id: scope.organizationId, label: scope.organization })
      return { left: scope.organization }
    })
    announce(deps, { organizationId: scope.organizationId })
    return left
  },
})
