import type { Tx } from './client'

/** At most `take` of each kind, by a part of the name; case does not matter. */
export async function searchOrganization(db: Tx, organizationId: string, text: string, take = 6) {
  const contains = { contains: text, mode: 'insensitive' as const }
  const [apps, projects, repositories] = await Promise.all([
    db.app.findMany({
      where: {
        organizationId,
        deletedAt: null,
        OR: [{ name: contains }, { slug: contains }, { domains: { some: { hostname: contains } } }],
      },
      include: { project: { select: { name: true } } },
      orderBy: { updatedAt: 'desc' },
      take,
    }),
    db.project.findMany({
      where: { organizationId, OR: [{ name: contains }, { slug: contains }] },
      include: { _count: { select: { apps: { where: { deletedAt: null } } } } },
      take,
    }),
    db.repository.findMany({
      where: { organizationId, OR: [{ name: contains }, { about: { description: contains } }] },
      include: { about: { select: { description: true } } },
      orderBy: { lastPushedAt: 'desc' },
      take,
    }),
  ])
  return { apps, projects, repositories }
}

/** Builds by number (`12`) or by the start of a commit's sha. */
export const searchBuilds = (db: Tx, organizationId: string, text: string, take = 6) => {
  const number = /^#?(\d{1,7})$/.exec(text)?.[1]
  const sha = /^[0-9a-f]{4,40}$/.test(text) ? text : null
  if (!number && !sha) return Promise.resolve([])
  return db.build.findMany({
    where: {
      organizationId,
      app: { deletedAt: null },
      OR: [...(number ? [{ number: Number(number) }] : []), ...(sha ? [{ commitSha: { startsWith: sha } }] : [])],
    },
    include: { app: { select: { slug: true, name: true } } },
    orderBy: { id: 'desc' },
    take,
  })
}
