import { newId } from '@slipway/core'
import type { Tx } from './client'
import type { Prisma } from './generated/client'

const detail = {
  members: {
    include: { member: { select: { id: true, role: true, user: { select: { name: true, email: true } } } } },
    orderBy: { createdAt: 'asc' },
  },
  grants: { include: { repository: { select: { name: true } }, project: { select: { slug: true, name: true } } }, orderBy: { id: 'asc' } },
} satisfies Prisma.TeamInclude
export type TeamRow = Prisma.TeamGetPayload<{ include: typeof detail }>

export const listTeams = (db: Tx, organizationId: string): Promise<TeamRow[]> =>
  db.team.findMany({ where: { organizationId }, include: detail, orderBy: [{ name: 'asc' }, { id: 'asc' }] })

export const findTeam = (db: Tx, organizationId: string, slug: string): Promise<TeamRow | null> =>
  db.team.findFirst({ where: { organizationId, slug }, include: detail })

export const countTeams = (db: Tx, organizationId: string) => db.team.count({ where: { organizationId } })

export const createTeam = (tx: Tx, organizationId: string, data: { slug: string; name: string }) =>
  tx.team.create({ data: { id: newId('team'), organizationId, ...data } })

/** With its grants and its members' places. */
export const deleteTeam = (tx: Tx, organizationId: string, id: string) => tx.team.deleteMany({ where: { id, organizationId } })

export const addToTeam = (tx: Tx, organizationId: string, teamId: string, userId: string) =>
  tx.teamMember.upsert({
    where: { teamId_userId: { teamId, userId } },
    create: { teamId, userId, organizationId },
    update: {},
  })

export const removeFromTeam = async (tx: Tx, organizationId: string, teamId: string, userId: string): Promise<boolean> =>
  (await tx.teamMember.deleteMany({ where: { organizationId, teamId, userId } })).count === 1
