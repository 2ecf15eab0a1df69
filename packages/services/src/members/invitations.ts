import { createHash, randomBytes } from 'node:crypto'
import type { views } from '@slipway/contracts'
import { AppError, newId, notFound } from '@slipway/core'
import {
  addMember,
  addToTeam,
  countOpenInvitations,
  createFirstUser,
  createInvitation,
  findMemberOfUser,
  findOpenInvitation,
  findTeam,
  findUserByEmail,
  findUserEmail,
  type InvitationRow,
  isUniqueViolation,
  listOpenInvitations,
  revokeInvitation,
  type Tx,
  takeInvitation,
  writeAudit,
} from '@slipway/db'
import { hashPassword } from 'better-auth/crypto'
import { audit } from '../audit'
import { announce, type Deps } from '../deps'
import { assertMay } from '../roles'
import type { Actor } from '../scope'
import type { InvitationsService } from './service'

const LIFETIME_MS = 7 * 24 * 60 * 60_000
const MAX_OPEN = 200

const hashOf = (token: string) => createHash('sha256').update(token).digest('hex')

const viewOf = ({ id, role, email, team, createdBy, createdAt, expiresAt }: InvitationRow): views.InvitationView => ({
  id,
  role,
  email,
  team: team && { slug: team.slug, name: team.name },
  createdBy,
  createdAt,
  expiresAt,
})
const labelOf = ({ email, role }: { email: string | null; role: string }) => email ?? `a ${role}`

export function createInvitations(deps: Deps): InvitationsService {
  const { db, config } = deps

  async function find(token: string): Promise<InvitationRow> {
    // Looked up by its SHA-256: nothing of the token is compared byte by byte with a secret.
    const row = await findOpenInvitation(db, hashOf(token))
    if (row) return row
    throw new AppError({
      kind: 'not-found',
      code: 'INVITATION_NOT_FOUND',
      message: 'This invitation is not good any more: it was used, withdrawn, or is over a week old. Ask for a new link.',
    })
  }

  /** Membership, team and audit event, in one transaction with the invitation's only use. */
  async function take(tx: Tx, row: InvitationRow, actor: Actor & { userId: string }, email: string): Promise<void> {
    if (!(await takeInvitation(tx, row.id, email))) throw notFound('invitation', 'INVITATION_NOT_FOUND')
    const member = await addMember(tx, row.organizationId, actor.userId, row.role)
    if (row.team) await addToTeam(tx, row.organizationId, row.team.id, actor.userId)
    await writeAudit(tx, row.organizationId, {
      actorUserId: actor.userId,
      actorLabel: actor.label,
      action: 'invitation.accept',
      targetType: 'member',
      targetId: member.id,
      targetLabel: email,
      ipAddress: actor.ip,
      data: { role: row.role, invitedBy: row.createdBy, ...(row.team && { team: row.team.name }) },
    })
  }

  return {
    async list(scope) {
      assertMay(scope, 'manage members')
      return (await listOpenInvitations(db, scope.organizationId)).map(viewOf)
    },

    async create(scope, input) {
      assertMay(scope, 'manage members')
      if (input.role === 'owner') assertMay(scope, 'make owners')
      const team = input.team ? await findTeam(db, scope.organizationId, input.team) : null
      if (input.team && !team) throw notFound('team', 'TEAM_NOT_FOUND')
      if ((await countOpenInvitations(db, scope.organizationId)) >= MAX_OPEN)
        throw new AppError({
          kind: 'conflict',
          code: 'TOO_MANY_INVITATIONS',
          message: `${MAX_OPEN} invitations are open. Withdraw some of them first.`,
        })
      const token = randomBytes(32).toString('base64url')
      const row = await db.$transaction(async (tx) => {
        const made = await createInvitation(tx, scope.organizationId, {
          tokenHash: hashOf(token),
          email: input.email?.toLowerCase() ?? null,
          role: input.role,
          teamId: team?.id ?? null,
          createdBy: scope.actor.label,
          expiresAt: new Date(Date.now() + LIFETIME_MS),
        })
        const target = { type: 'invitation', id: made.id, label: labelOf(made) }
        await audit(tx, scope, 'invitation.create', target, { role: made.role, ...(team && { team: team.name }) })
        return made
      })
      announce(deps, { organizationId: scope.organizationId })
      // No organization can be called `-`.
      return { url: `${config.webUrl}/-/invite/${token}`, view: viewOf(row) }
    },

    async revoke(scope, { id }) {
      assertMay(scope, 'manage members')
      const row = await db.$transaction(async (tx) => {
        const gone = await revokeInvitation(tx, scope.organizationId, id)
        if (!gone) throw notFound('invitation', 'INVITATION_NOT_FOUND')
        await audit(tx, scope, 'invitation.revoke', { type: 'invitation', id, label: labelOf(gone) }, { role: gone.role })
        return gone
      })
      announce(deps, { organizationId: scope.organizationId })
      return viewOf(row)
    },

    async look({ token }) {
      const { organization, role, email, team, createdBy, expiresAt } = await find(token)
      return {
        organization: { slug: organization.slug, name: organization.name },
        role,
        email,
        team: team?.name ?? null,
        createdBy,
        expiresAt,
      }
    },

    async accept(actor, { token }) {
      const row = await find(token)
      const { userId } = actor
      if (!userId) throw notFound('account')
      if (await findMemberOfUser(db, row.organizationId, userId)) throw memberAlready(row)
      try {
        const email = (await findUserEmail(db, userId)) ?? actor.label
        await db.$transaction((tx) => take(tx, row, { ...actor, userId }, email))
      } catch (cause) {
        if (isUniqueViolation(cause)) throw memberAlready(row, cause)
        throw cause
      }
      announce(deps, { organizationId: row.organizationId })
      return { organization: row.organization.slug }
    },

    async join(input, ip) {
      const row = await find(input.token)
      const email = input.email.toLowerCase()
      if (await findUserByEmail(db, email)) throw accountThere(email)
      const passwordHash = await hashPassword(input.password)
      const userId = newId('user')
      try {
        await db.$transaction(async (tx) => {
          await createFirstUser(tx, { id: userId, name: input.name, email, passwordHash })
          await take(tx, row, { userId, label: input.name, ip }, email)
        })
      } catch (cause) {
        if (isUniqueViolation(cause, 'email')) throw accountThere(email, cause)
        throw cause
      }
      announce(deps, { organizationId: row.organizationId })
      return { organization: row.organization.slug }
    },
  }
}

const memberAlready = (row: InvitationRow, cause?: unknown) =>
  new AppError({
    kind: 'conflict',
    code: 'MEMBER_EXISTS',
    message: `You are a member of ${row.organization.name} already. The link is still good for somebody else.`,
    details: { organization: row.organization.slug },
    cause,
  })

const accountThere = (email: string, cause?: unknown) =>
  new AppError({
    kind: 'conflict',
    code: 'ACCOUNT_EXISTS',
    message: `${email} has an account here already. Sign in with it and open the link again.`,
    cause,
  })
