/** Changes of memberships. Those that could take the last owner away lock the organization's row first. */
import type { Role } from '@slipway/core'
import type { Tx } from './client'
import type { Prisma } from './generated/client'

const person = { user: { select: { id: true, name: true, email: true } } } satisfies Prisma.MemberInclude
export type MemberRow = Prisma.MemberGetPayload<{ include: typeof person }>

/** Holds the organization's row until the transaction ends: two owners who demote each other wait for one another. */
export const lockOrganization = (tx: Tx, organizationId: string) =>
  tx.$queryRaw`SELECT "id" FROM "Organization" WHERE "id" = ${organizationId} FOR UPDATE`

export const findMember = (db: Tx, organizationId: string, id: string): Promise<MemberRow | null> =>
  db.member.findFirst({ where: { id, organizationId }, include: person })

export const findMemberOfUser = (db: Tx, organizationId: string, userId: string): Promise<MemberRow | null> =>
  db.member.findFirst({ where: { userId, organizationId }, include: person })

export const countOwners = (db: Tx, organizationId: string) => db.member.count({ where: { organizationId, role: 'owner' } })

export const setMemberRole = (tx: Tx, organizationId: string, id: string, role: Role) =>
  tx.member.updateMany({ where: { id, organizationId }, data: { role } })

/** With every other way in that they had: teams (by reference) and grants of their own. */
export async function removeMember(tx: Tx, organizationId: string, member: { id: string; userId: string }) {
  await tx.grant.deleteMany({ where: { organizationId, userId: member.userId } })
  return tx.member.deleteMany({ where: { id: member.id, organizationId } })
}
