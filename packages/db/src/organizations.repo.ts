import { newId } from '@slipway/core'
import type { Db, Tx } from './client'
import type { Role } from './generated/client'

export const countUsers = (db: Tx) => db.user.count()

/** The one loader of a membership: what every organization-scoped request starts with. */
export const findMembership = (db: Tx, organizationSlug: string, userId: string) =>
  db.member.findFirst({ where: { userId, organization: { slug: organizationSlug } }, include: { organization: true } })

export const listMemberships = (db: Tx, userId: string) =>
  db.member.findMany({ where: { userId }, include: { organization: true }, orderBy: { createdAt: 'asc' } })

export const findOrganization = (db: Tx, organizationId: string) => db.organization.findUnique({ where: { id: organizationId } })

export const findOrganizationBySlug = (db: Tx, slug: string) => db.organization.findUnique({ where: { slug } })

/** The one that the set-up made: its owners run the installation. The one of the base images is older, and nobody's. */
export const firstOrganizationId = async (db: Tx) =>
  (
    await db.organization.findFirst({
      where: { members: { some: {} } },
      orderBy: [{ createdAt: 'asc' }, { id: 'asc' }],
      select: { id: true },
    })
  )?.id ?? null

export async function createOrganization(tx: Tx, data: { slug: string; name: string; ownerUserId: string }) {
  const organization = await tx.organization.create({ data: { id: newId('organization'), slug: data.slug, name: data.name } })
  await addMember(tx, organization.id, data.ownerUserId, 'owner')
  return organization
}

export const organizationSlugTaken = async (db: Tx, slug: string) => (await db.organization.count({ where: { slug } })) > 0

export const findUserEmail = async (db: Tx, userId: string) =>
  (await db.user.findUnique({ where: { id: userId }, select: { email: true } }))?.email ?? null

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

/** One at a time in the whole installation, so that two people with the one-time link make one first account. */
export const withSetupLock = <T>(db: Db, work: (tx: Tx) => Promise<T>): Promise<T> =>
  db.$transaction(async (tx) => {
    await tx.$executeRaw`SELECT pg_advisory_xact_lock(7365747570)`
    return work(tx)
  })

/** A user with a password, as better-auth's credential provider expects it. */
export async function createFirstUser(tx: Tx, data: { id: string; name: string; email: string; passwordHash: string }) {
  const user = await tx.user.create({ data: { id: data.id, name: data.name, email: data.email, emailVerified: true } })
  await tx.account.create({
    data: { id: crypto.randomUUID(), accountId: user.id, providerId: 'credential', userId: user.id, password: data.passwordHash },
  })
  return user
}

/** One short text that differs whenever a row that lists and counts show was added, removed or changed its state. */
export async function organizationFingerprint(db: Tx, organizationId: string): Promise<string> {
  const [row] = await db.$queryRaw<{ fingerprint: string }[]>`
    SELECT concat_ws('|',
      (SELECT concat(count(*), max("updatedAt")) FROM "App" WHERE "organizationId" = ${organizationId}),
      (SELECT concat(max("id"), max("startedAt"), max("finishedAt")) FROM "Build" WHERE "organizationId" = ${organizationId}),
      (SELECT concat(max("id"), max("startedAt"), max("servingAt"), max("finishedAt")) FROM "Deployment" WHERE "organizationId" = ${organizationId}),
      (SELECT string_agg(concat("id", "state"), ',' ORDER BY "id") FROM "Container" WHERE "organizationId" = ${organizationId} AND "state" <> 'removed'),
      (SELECT concat(count(*), max("lastPushedAt")) FROM "Repository" WHERE "organizationId" = ${organizationId}),
      (SELECT max("id") FROM "AuditEvent" WHERE "organizationId" = ${organizationId})) AS fingerprint`
  return row?.fingerprint ?? ''
}
