import { newId } from '@slipway/core'
import type { Tx } from './client'
import type { Role } from './generated/client'

export const countUsers = (db: Tx) => db.user.count()

/** The one loader of a membership: what every organization-scoped request starts with. */
export const findMembership = (db: Tx, organizationSlug: string, userId: string) =>
  db.member.findFirst({ where: { userId, organization: { slug: organizationSlug } }, include: { organization: true } })

export const listMemberships = (db: Tx, userId: string) =>
  db.member.findMany({ where: { userId }, include: { organization: true }, orderBy: { createdAt: 'asc' } })

export const findOrganization = (db: Tx, organizationId: string) => db.organization.findUnique({ where: { id: organizationId } })

export async function createOrganization(tx: Tx, data: { slug: string; name: string; ownerUserId: string }) {
  const organization = await tx.organization.create({ data: { id: newId('organization'), slug: data.slug, name: data.name } })
  await addMember(tx, organization.id, data.ownerUserId, 'owner')
  return organization
}

export const organizationSlugTaken = async (db: Tx, slug: string) => (await db.organization.count({ where: { slug } })) > 0

export const findUserByEmail = (db: Tx, email: string) => db.user.findUnique({ where: { email: email.toLowerCase() } })

export const addMember = (tx: Tx, organizationId: string, userId: string, role: Role) =>
  tx.member.create({ data: { id: newId('member'), organizationId, userId, role }, include: { user: true } })

export const listMembers = (db: Tx, organizationId: string) =>
  db.member.findMany({ where: { organizationId }, include: { user: true }, orderBy: { createdAt: 'asc' } })

/** Counts of the rail. */
export async function countsOf(db: Tx, organizationId: string) {
  const [apps, activeBuilds, repositories, hosts, projects, members] = await Promise.all([
    db.app.count({ where: { organizationId, deletedAt: null } }),
    db.build.count({ where: { organizationId, state: { in: ['queued', 'running'] } } }),
    db.repository.count({ where: { organizationId } }),
    db.host.count(),
    db.project.count({ where: { organizationId } }),
    db.member.count({ where: { organizationId } }),
  ])
  return { apps, activeBuilds, repositories, hosts, projects, members }
}
