import { newId, type Role } from '@slipway/core'
import type { Tx } from './client'
import type { Prisma } from './generated/client'

const detail = {
  team: { select: { id: true, slug: true, name: true } },
  organization: { select: { slug: true, name: true } },
} satisfies Prisma.InvitationInclude
export type InvitationRow = Prisma.InvitationGetPayload<{ include: typeof detail }>

/** Neither used, revoked nor over. */
const open = (now: Date) => ({ acceptedAt: null, revokedAt: null, expiresAt: { gt: now } }) satisfies Prisma.InvitationWhereInput

export interface NewInvitation {
  tokenHash: string
  email: string | null
  role: Role
  teamId: string | null
  createdBy: string
  expiresAt: Date
}
export const createInvitation = (tx: Tx, organizationId: string, data: NewInvitation): Promise<InvitationRow> =>
  tx.invitation.create({ data: { id: newId('invitation'), organizationId, ...data }, include: detail })

export const listOpenInvitations = (db: Tx, organizationId: string, now = new Date()): Promise<InvitationRow[]> =>
  db.invitation.findMany({ where: { organizationId, ...open(now) }, include: detail, orderBy: { createdAt: 'desc' }, take: 200 })

export const countOpenInvitations = (db: Tx, organizationId: string, now = new Date()) =>
  db.invitation.count({ where: { organizationId, ...open(now) } })

/** By the hash of its token; only one that can be taken. */
export const findOpenInvitation = (db: Tx, tokenHash: string, now = new Date()): Promise<InvitationRow | null> =>
  db.invitation.findFirst({ where: { tokenHash, ...open(now) }, include: detail })

/** False when somebody was faster, or it was revoked meanwhile. */
export const takeInvitation = async (tx: Tx, id: string, acceptedBy: string, now = new Date()): Promise<boolean> =>
  (await tx.invitation.updateMany({ where: { id, ...open(now) }, data: { acceptedAt: now, acceptedBy } })).count === 1

/** Null when there is no open one of this id. */
export async function revokeInvitation(tx: Tx, organizationId: string, id: string, now = new Date()): Promise<InvitationRow | null> {
  const { count } = await tx.invitation.updateMany({ where: { id, organizationId, ...open(now) }, data: { revokedAt: now } })
  return count === 1 ? tx.invitation.findUnique({ where: { id }, include: detail }) : null
}
