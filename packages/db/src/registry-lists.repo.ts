/** What the registry service lists: tags, repositories, referrers. */
import { readableBy } from './access.repo'
import type { Tx } from './client'
import { Prisma } from './generated/client'

/** Names in byte order, after `last`. */
export async function listTagNames(db: Tx, repositoryId: string, take: number, last?: string): Promise<string[]> {
  // One row with all of them: ten thousand rows take the client several times as long as the database.
  const rows = await db.$queryRaw<{ names: string[] | null }[]>`
    SELECT array_agg("name" ORDER BY "name" COLLATE "C") AS names FROM (
      SELECT "name" FROM "Tag" WHERE "repositoryId" = ${repositoryId} AND "name" COLLATE "C" > ${last ?? ''}
      ORDER BY "name" COLLATE "C" LIMIT ${take}
    ) AS page`
  return rows[0]?.names ?? []
}

export interface CatalogScope {
  /** Null: the system itself, which sees all. */
  userId: string | null
  /** Organization whose images every account may read. */
  baseOrganization: string
  /** Slug: only of this organization, beside what anybody reads (an API key's limit). */
  organization?: string
  /** Not an account's but a robot's: what its patterns cover in its organization, and what anybody reads. */
  robot?: { organization: string; patterns: readonly string[] }
}

/** Whether the caller may read repository `r` of organization `o`. */
function readable(scope: CatalogScope): Prisma.Sql {
  const { organization, robot, baseOrganization } = scope
  const anybodys = Prisma.sql`(r."visibility" = 'public' OR o."slug" = ${baseOrganization})`
  if (robot) {
    const starred = robot.patterns.filter((pattern) => pattern.endsWith('*')).map((pattern) => pattern.slice(0, -1))
    return Prisma.sql`(${anybodys} OR (o."slug" = ${robot.organization}
      AND (r."name" = ANY(${[...robot.patterns]}) OR EXISTS (SELECT 1 FROM unnest(${starred}::text[]) AS s(start) WHERE starts_with(r."name", s.start)))))`
  }
  const account = readableByAccount(scope)
  return organization === undefined ? account : Prisma.sql`(${anybodys} OR (o."slug" = ${organization} AND ${account}))`
}

/** Whether the account may read repository `r` of organization `o`. */
const readableByAccount = ({ userId, baseOrganization }: CatalogScope): Prisma.Sql =>
  userId === null ? Prisma.sql`true` : readableBy(userId, baseOrganization)

/** Paths `<organization>/<repository>` that the account may pull, in byte order, after `last`. */
export async function listCatalog(db: Tx, scope: CatalogScope, take: number, last?: string): Promise<string[]> {
  const rows = await db.$queryRaw<{ path: string }[]>`
    SELECT path FROM (
      SELECT o."slug" || '/' || r."name" AS path FROM "Repository" r JOIN "Organization" o ON o."id" = r."organizationId" WHERE ${readable(scope)}
    ) AS c WHERE path COLLATE "C" > ${last ?? ''} ORDER BY path COLLATE "C" LIMIT ${take}`
  return rows.map((row) => row.path)
}

/** Paths of repositories that link the blob and that the account may pull, in byte order. */
export async function repositoriesWithBlob(db: Tx, scope: CatalogScope, digest: string, take: number): Promise<string[]> {
  const rows = await db.$queryRaw<{ path: string }[]>`
    SELECT path FROM (
      SELECT o."slug" || '/' || r."name" AS path FROM "RepositoryBlob" l
      JOIN "Repository" r ON r."id" = l."repositoryId" JOIN "Organization" o ON o."id" = r."organizationId"
      WHERE l."digest" = ${digest} AND ${readable(scope)}
    ) AS c ORDER BY path COLLATE "C" LIMIT ${take}`
  return rows.map((row) => row.path)
}

export interface ReferrersPage {
  /** Only of this type; of images, whose rows have none, when `untyped` is set. */
  artifactType?: { is: string; untyped: boolean }
  take: number
  /** The last one of the page before. */
  after?: string
}

/** Manifests whose `subject` is this digest, in the order of their digests. */
export const listReferrers = (db: Tx, repositoryId: string, subjectDigest: string, { artifactType, take, after }: ReferrersPage) =>
  db.manifest.findMany({
    where: {
      repositoryId,
      subjectDigest,
      ...(after === undefined ? {} : { digest: { gt: after } }),
      ...(artifactType ? { OR: [{ artifactType: artifactType.is }, ...(artifactType.untyped ? [{ artifactType: null }] : [])] } : {}),
    },
    select: { id: true, repositoryId: true, digest: true, mediaType: true, size: true, artifactType: true, annotations: true },
    orderBy: { digest: 'asc' },
    take,
  })
