/** Names that repositories had. A repository that has the name now goes first: a redirect only answers where there is none. */
import type { Tx } from './client'
import { directly, statement } from './direct'
import type { RepositoryPath } from './registry.repo'

export interface MovedRepository extends RepositoryPath {
  repositoryId: string
  organizationId: string
}

/** The same as a type, not an interface, as rows are. */
type MovedRow = Pick<MovedRepository, keyof MovedRepository> & { old: string }

/** Where the repositories of these names are now, by `<organization>/<name>`; those that did not move are not in it. */
export async function movedRepositories(db: Tx, paths: readonly RepositoryPath[]): Promise<Map<string, MovedRepository>> {
  if (paths.length === 0) return new Map()
  // Asked for every blob that a push finds missing.
  const rows = await directly(db).query<MovedRow>(statement`
    SELECT o."slug" || '/' || d."name" AS old, r."id" AS "repositoryId", r."organizationId", n."slug" AS organization, r."name"
    FROM "RepositoryRedirect" d JOIN "Organization" o ON o."id" = d."organizationId"
    JOIN "Repository" r ON r."id" = d."repositoryId" JOIN "Organization" n ON n."id" = r."organizationId"
    WHERE (o."slug", d."name") IN (SELECT * FROM UNNEST(${paths.map((p) => p.organization)}::text[], ${paths.map((p) => p.name)}::text[]))
      AND NOT EXISTS (SELECT 1 FROM "Repository" x WHERE x."organizationId" = d."organizationId" AND x."name" = d."name")`)
  return new Map(rows.map(({ old, ...moved }) => [old, moved]))
}

export const movedRepository = async (db: Tx, path: RepositoryPath): Promise<MovedRepository | null> =>
  (await movedRepositories(db, [path])).values().next().value ?? null

/** The names that a repository had and still answers to. */
export const redirectsOf = (db: Tx, repositoryId: string) =>
  db.repositoryRedirect.findMany({
    where: { repositoryId },
    select: { name: true, createdAt: true, organization: { select: { slug: true } } },
    orderBy: { createdAt: 'desc' },
  })

/** False: the repository does not answer to that name. */
export const deleteRedirect = async (tx: Tx, repositoryId: string, { organization, name }: RepositoryPath): Promise<boolean> =>
  (await tx.repositoryRedirect.deleteMany({ where: { repositoryId, name, organization: { slug: organization } } })).count > 0
