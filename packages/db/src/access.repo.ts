/** What somebody holds on repositories, projects and apps; core's access.ts tells what may be done with it. */
import type { Role, Standing, Visibility } from '@slipway/core'
import type { Tx } from './client'
import { Prisma } from './generated/client'
import type { RepositoryPath } from './registry.repo'

/** The strongest grant of the account, its own or of a team of its; the enum has the strongest role first. */
const grantedTo = (userId: string | null, on: Prisma.Sql): Prisma.Sql => Prisma.sql`
  (SELECT min(g."role") FROM "Grant" g WHERE ${on}
    AND (g."userId" = ${userId} OR g."teamId" IN (SELECT t."teamId" FROM "TeamMember" t WHERE t."userId" = ${userId})))`
/** Of repository `r`: its own, and those of its project. */
const ON_REPOSITORY = Prisma.sql`(g."repositoryId" = r."id" OR g."projectId" = r."projectId")`
const memberOf = (userId: string | null): Prisma.Sql =>
  Prisma.sql`(SELECT m."role" FROM "Member" m WHERE m."organizationId" = o."id" AND m."userId" = ${userId})`

export interface RepositoryStanding extends Standing {
  organizationId: string
  /** Null: the organization has no such repository (yet). */
  repositoryId: string | null
}

/**
 * By path, for those whose organization exists. Asked at every token, so it is one statement whatever is asked for.
 * `userId` null: nobody is signed in.
 */
export async function standingsOnRepositories(
  db: Tx,
  userId: string | null,
  paths: readonly RepositoryPath[],
): Promise<Map<string, RepositoryStanding>> {
  if (paths.length === 0) return new Map()
  const rows = await db.$queryRaw<({ path: string } & RepositoryStanding)[]>`
    SELECT o."slug" || '/' || w.name AS path, o."id" AS "organizationId", r."id" AS "repositoryId", r."visibility",
      ${memberOf(userId)} AS member, ${grantedTo(userId, ON_REPOSITORY)} AS granted
    FROM unnest(${paths.map((path) => path.organization)}::text[], ${paths.map((path) => path.name)}::text[]) AS w(organization, name)
    JOIN "Organization" o ON o."slug" = w.organization
    LEFT JOIN "Repository" r ON r."organizationId" = o."id" AND r."name" = w.name`
  return new Map(rows.map(({ path, ...standing }) => [path, standing]))
}

export interface ProjectStanding {
  organizationId: string
  projectId: string
  member: Role | null
  granted: Role | null
}

/** On the project of an app; null when there is no such app. */
export async function standingOnApp(db: Tx, userId: string, organization: string, app: string): Promise<ProjectStanding | null> {
  const [row] = await db.$queryRaw<ProjectStanding[]>`
    SELECT o."id" AS "organizationId", a."projectId", ${memberOf(userId)} AS member,
      ${grantedTo(userId, Prisma.sql`g."projectId" = a."projectId"`)} AS granted
    FROM "Organization" o JOIN "App" a ON a."organizationId" = o."id" AND a."slug" = ${app} AND a."deletedAt" IS NULL
    WHERE o."slug" = ${organization}`
  return row ?? null
}

/** Null when there is no such project. */
export async function standingOnProject(db: Tx, userId: string, organization: string, project: string): Promise<ProjectStanding | null> {
  const [row] = await db.$queryRaw<ProjectStanding[]>`
    SELECT o."id" AS "organizationId", p."id" AS "projectId", ${memberOf(userId)} AS member,
      ${grantedTo(userId, Prisma.sql`g."projectId" = p."id"`)} AS granted
    FROM "Organization" o JOIN "Project" p ON p."organizationId" = o."id" AND p."slug" = ${project}
    WHERE o."slug" = ${organization}`
  return row ?? null
}

/** Whether an account may read repository `r` of organization `o`; `baseOrganization` is everybody's. Sets that are the same for all rows. */
export const readableBy = (userId: string, baseOrganization: string): Prisma.Sql => {
  const grants = Prisma.sql`FROM "Grant" g
    WHERE g."userId" = ${userId} OR g."teamId" IN (SELECT t."teamId" FROM "TeamMember" t WHERE t."userId" = ${userId})`
  return Prisma.sql`(r."visibility" IN ('public', 'internal') OR o."slug" = ${baseOrganization}
    OR o."id" IN (SELECT m."organizationId" FROM "Member" m WHERE m."userId" = ${userId})
    OR r."id" IN (SELECT g."repositoryId" ${grants}) OR r."projectId" IN (SELECT g."projectId" ${grants}))`
}

export interface SharedRepositoryRow {
  organization: string
  organizationName: string
  name: string
  visibility: Visibility
  granted: Role | null
  lastPushedAt: Date | null
}

export interface SharedPage {
  organization?: string | undefined
  query?: string | undefined
  /** Path of the last one of the page before. */
  cursor?: string | null | undefined
  limit: number
}

/**
 * Repositories of organizations that the account is no member of, by their path: with a grant, internal or public. What may be seen is
 * told by sets that are the same for all rows; the role is looked up only for those of the page.
 */
export const repositoriesSharedWith = (db: Tx, userId: string, baseOrganization: string, page: SharedPage) =>
  db.$queryRaw<SharedRepositoryRow[]>`
    WITH held AS MATERIALIZED (
      SELECT g."role", g."repositoryId", g."projectId" FROM "Grant" g
      WHERE g."userId" = ${userId} OR g."teamId" IN (SELECT t."teamId" FROM "TeamMember" t WHERE t."userId" = ${userId})
    ), shown AS (
      SELECT r."id", r."projectId", o."slug" AS organization, o."name" AS "organizationName", r."name", r."visibility", r."lastPushedAt",
        (o."slug" || '/' || r."name") COLLATE "C" AS path
      FROM "Repository" r JOIN "Organization" o ON o."id" = r."organizationId"
      WHERE o."id" NOT IN (SELECT m."organizationId" FROM "Member" m WHERE m."userId" = ${userId}) AND o."slug" <> ${baseOrganization}
        AND (r."visibility" IN ('public', 'internal')
          OR r."id" IN (SELECT h."repositoryId" FROM held h) OR r."projectId" IN (SELECT h."projectId" FROM held h))
        AND (${page.organization ?? null}::text IS NULL OR o."slug" = ${page.organization ?? null})
        AND (${page.query ?? ''} = '' OR position(lower(${page.query ?? ''}) IN lower(o."slug" || '/' || r."name")) > 0)
        AND (o."slug" || '/' || r."name") COLLATE "C" > ${page.cursor ?? ''}
      ORDER BY path LIMIT ${page.limit}
    )
    SELECT s.organization, s."organizationName", s."name", s."visibility", s."lastPushedAt", LEAST(own."role", project."role") AS granted
    FROM shown s
    LEFT JOIN (SELECT h."repositoryId" AS id, min(h."role") AS "role" FROM held h GROUP BY 1) AS own ON own.id = s."id"
    LEFT JOIN (SELECT h."projectId" AS id, min(h."role") AS "role" FROM held h GROUP BY 1) AS project ON project.id = s."projectId"
    ORDER BY s.path`

/** Apps of projects that the account has a grant on, in organizations that it is no member of. */
export const appsSharedWith = (db: Tx, userId: string, organization: string | null, take: number) =>
  db.$queryRaw<{ organization: string; organizationName: string; slug: string; name: string; project: string; granted: Role }[]>`
    SELECT * FROM (
      SELECT o."slug" AS organization, o."name" AS "organizationName", a."slug", a."name", p."name" AS project,
        ${grantedTo(userId, Prisma.sql`g."projectId" = p."id"`)} AS granted
      FROM "App" a JOIN "Project" p ON p."id" = a."projectId" JOIN "Organization" o ON o."id" = a."organizationId"
      WHERE a."deletedAt" IS NULL AND ${memberOf(userId)} IS NULL AND (${organization}::text IS NULL OR o."slug" = ${organization})
        AND p."id" IN (SELECT g."projectId" FROM "Grant" g WHERE g."userId" = ${userId}
          OR g."teamId" IN (SELECT t."teamId" FROM "TeamMember" t WHERE t."userId" = ${userId}))
    ) AS s WHERE s.granted IS NOT NULL ORDER BY s.organization, s."name" LIMIT ${take}`
