/** What a repository says of itself, its name and whose it is. */
import type { Tx } from './client'
import { Prisma } from './generated/client'

export const findAbout = (db: Tx, repositoryId: string) => db.repositoryAbout.findUnique({ where: { repositoryId } })

export async function setAbout(
  tx: Tx,
  repositoryId: string,
  data: { description?: string; readme?: string; labels?: Record<string, string>; updatedBy: string },
): Promise<void> {
  await tx.repositoryAbout.upsert({ where: { repositoryId }, create: { repositoryId, ...data }, update: data })
}

/** The app whose builds go into this repository by its name; null when there is none. */
export const appBuildingInto = (db: Tx, organizationId: string, name: string) =>
  db.app.findFirst({ where: { organizationId, slug: name, deletedAt: null, source: { not: 'image' } }, select: { slug: true } })

/** Apps that serve, are about to serve, or were last served an image of this repository, by its reference. */
export async function appsNeeding(db: Tx, ownReference: string): Promise<string[]> {
  const rows = await db.app.findMany({
    where: {
      deletedAt: null,
      OR: [
        { imageReference: { startsWith: `${ownReference}:` } },
        { imageReference: { startsWith: `${ownReference}@` } },
        {
          deployments: {
            some: {
              state: { in: ['queued', 'starting', 'checking', 'switching', 'serving'] },
              imageReference: { startsWith: `${ownReference}@` },
            },
          },
        },
        {
          deployments: {
            some: {
              state: { in: ['queued', 'starting', 'checking', 'switching', 'serving'] },
              imageReference: { startsWith: `${ownReference}:` },
            },
          },
        },
      ],
    },
    select: { slug: true },
    orderBy: { slug: 'asc' },
  })
  return rows.map((row) => row.slug)
}

/** The old name leads here from now on, until a repository takes it. */
export async function setRepositoryName(
  tx: Tx,
  repository: { id: string; organizationId: string; name: string },
  name: string,
): Promise<void> {
  await tx.repositoryRedirect.deleteMany({ where: { organizationId: repository.organizationId, name } })
  await tx.repository.update({ where: { id: repository.id }, data: { name } })
  await redirect(tx, repository)
}

/** What apps are deployed from, and what deployments go back to, by the new name: `slipway.local/acme/old:1` → `slipway.local/acme/new:1`. */
export async function renameReferences(tx: Tx, from: string, to: string): Promise<void> {
  for (const end of [':', '@']) {
    const start = `${from}${end}`
    await tx.$executeRaw`UPDATE "App" SET "imageReference" = ${to} || substr("imageReference", ${from.length + 1}::int)
      WHERE starts_with("imageReference", ${start})`
    await tx.$executeRaw`UPDATE "Deployment" SET "imageReference" = ${to} || substr("imageReference", ${from.length + 1}::int)
      WHERE starts_with("imageReference", ${start})`
  }
}

/** With everything in it, its old names too. Its blobs go with the next collection, unless others have them. False: it is gone. */
export async function deleteRepository(tx: Tx, repositoryId: string): Promise<boolean> {
  return (await tx.repository.deleteMany({ where: { id: repositoryId } })).count > 0
}

/** All of them, so that rules are asked about each. */
export const tagNames = async (tx: Tx, repositoryId: string): Promise<string[]> =>
  (await tx.tag.findMany({ where: { repositoryId }, select: { name: true }, orderBy: { name: 'asc' } })).map((tag) => tag.name)

async function redirect(tx: Tx, { id, organizationId, name }: { id: string; organizationId: string; name: string }): Promise<void> {
  const to = { repositoryId: id, createdAt: new Date() }
  await tx.repositoryRedirect.upsert({
    where: { organizationId_name: { organizationId, name } },
    create: { organizationId, name, ...to },
    update: to,
  })
}

/**
 * To another organization, with everything in it. What was given there is not: project, grants, links and rules of its own stay behind, and it is
 * private. Throws the quota's refusal.
 */
export async function moveRepository(tx: Tx, repository: { id: string; organizationId: string; name: string }, to: string): Promise<void> {
  const { id } = repository
  await tx.share.deleteMany({ where: { repositoryId: id } })
  await tx.grant.deleteMany({ where: { repositoryId: id } })
  await tx.tagRule.deleteMany({ where: { repositoryId: id } })
  await tx.retentionPolicy.deleteMany({ where: { repositoryId: id } })
  await tx.repositoryRedirect.deleteMany({ where: { organizationId: to, name: repository.name } })
  // Every table that says whose a row is, and which repository it is of.
  const tables = await tx.$queryRaw<{ name: string }[]>`
    SELECT a.table_name AS name FROM information_schema.columns a JOIN information_schema.columns b
      ON b.table_schema = a.table_schema AND b.table_name = a.table_name AND b.column_name = 'repositoryId'
    WHERE a.table_schema = current_schema() AND a.column_name = 'organizationId' AND a.table_name <> 'RepositoryRedirect'`
  await tx.repository.update({ where: { id }, data: { organizationId: to, projectId: null, visibility: 'private' } })
  for (const { name } of tables)
    await tx.$executeRaw`UPDATE ${Prisma.raw(`"${name.replaceAll('"', '""')}"`)} SET "organizationId" = ${to} WHERE "repositoryId" = ${id}`
  await redirect(tx, repository)
}
