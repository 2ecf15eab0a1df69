/** Grants on one repository or one project, and who holds them. */
import { type GrantableRole, newId, type Visibility } from '@slipway/core'
import type { Tx } from './client'
import type { Prisma } from './generated/client'

export type GrantedOn = { repositoryId: string } | { projectId: string }
export type GrantedTo = { userId: string } | { teamId: string }

const holder = {
  user: { select: { id: true, name: true, email: true } },
  team: { select: { slug: true, name: true, _count: { select: { members: true } } } },
} satisfies Prisma.GrantInclude
export type GrantRow = Prisma.GrantGetPayload<{ include: typeof holder }>

export const listGrants = (db: Tx, organizationId: string, on: GrantedOn): Promise<GrantRow[]> =>
  db.grant.findMany({ where: { organizationId, ...on }, include: holder, orderBy: [{ createdAt: 'asc' }, { id: 'asc' }], take: 500 })

export const countGrants = (db: Tx, organizationId: string, on: GrantedOn) => db.grant.count({ where: { organizationId, ...on } })

/** Two people who change the roles on one thing wait for each other. */
async function lockThing(tx: Tx, organizationId: string, on: GrantedOn): Promise<void> {
  if ('repositoryId' in on)
    await tx.$queryRaw`SELECT "id" FROM "Repository" WHERE "id" = ${on.repositoryId} AND "organizationId" = ${organizationId} FOR UPDATE`
  else await tx.$queryRaw`SELECT "id" FROM "Project" WHERE "id" = ${on.projectId} AND "organizationId" = ${organizationId} FOR UPDATE`
}

/** Makes it, or changes its role. `before`: the role it had. */
export async function putGrant(
  tx: Tx,
  organizationId: string,
  on: GrantedOn,
  to: GrantedTo,
  role: GrantableRole,
): Promise<{ id: string; before: string | null }> {
  await lockThing(tx, organizationId, on)
  const found = await tx.grant.findFirst({ where: { organizationId, ...on, ...to }, select: { id: true, role: true } })
  if (!found) {
    const { id } = await tx.grant.create({ data: { id: newId('grant'), organizationId, ...on, ...to, role } })
    return { id, before: null }
  }
  await tx.grant.update({ where: { id: found.id }, data: { role } })
  return { id: found.id, before: found.role }
}

/** Null when there is no such grant on that thing. */
export async function deleteGrant(tx: Tx, organizationId: string, on: GrantedOn, id: string): Promise<GrantRow | null> {
  await lockThing(tx, organizationId, on)
  const row = await tx.grant.findFirst({ where: { id, organizationId, ...on }, include: holder })
  if (row) await tx.grant.delete({ where: { id } })
  return row
}

/** Gives the visibility it had. */
export async function setVisibility(
  tx: Tx,
  organizationId: string,
  repositoryId: string,
  visibility: Visibility,
): Promise<Visibility | null> {
  const rows = await tx.$queryRaw<{ visibility: Visibility }[]>`
    SELECT "visibility" FROM "Repository" WHERE "id" = ${repositoryId} AND "organizationId" = ${organizationId} FOR UPDATE`
  await tx.repository.updateMany({ where: { id: repositoryId, organizationId }, data: { visibility } })
  return rows[0]?.visibility ?? null
}

/** How many members have each role. */
export async function countMembersByRole(db: Tx, organizationId: string) {
  const rows = await db.member.groupBy({ by: ['role'], where: { organizationId }, _count: { _all: true } })
  return rows.map((row) => ({ role: row.role, count: row._count._all }))
}

export const isMember = async (db: Tx, organizationId: string, userIds: readonly string[]) =>
  new Set(
    (await db.member.findMany({ where: { organizationId, userId: { in: [...userIds] } }, select: { userId: true } })).map((m) => m.userId),
  )

export const findProjectOfRepository = (db: Tx, organizationId: string, projectId: string) =>
  db.project.findFirst({ where: { id: projectId, organizationId }, select: { id: true, slug: true, name: true } })
