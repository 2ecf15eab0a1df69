/** Rules of tags, and what they say to a push or a delete; asked in the transaction that changes the tag. */
import {
  attachedByTag,
  effectiveRole,
  globMatches,
  isBuildCache,
  may,
  newId,
  refusingRule,
  type TagChange,
  type TagRuleFacts,
} from '@slipway/core'
import { standingsOnRepositories } from './access.repo'
import type { Tx } from './client'
import { Prisma, type TagRule, type TagRuleKind } from './generated/client'

export interface TagRefusal extends Pick<TagChange, 'tag' | 'deed'> {
  rule: TagRuleFacts
}

/** Thrown in the transaction of the push or delete, which ends with it. */
export class TagRuleError extends Error {
  constructor(readonly refusal: TagRefusal) {
    super(`the ${refusal.rule.kind} tag ${refusal.tag}`)
  }
}

interface RuleRow {
  id: string
  kind: TagRuleKind
  tags: string
  builds: boolean
  ofOrganization: boolean
}

/** Those of the repository and those of its organization that are for it, the repository's own first. */
export const rulesOfRepository = async (db: Tx, repositoryId: string): Promise<RuleRow[]> =>
  (await rulesOfRepositories(db, [repositoryId])).get(repositoryId) ?? []

/** The same of each; those without a rule are left out. */
export async function rulesOfRepositories(db: Tx, repositoryIds: readonly string[]): Promise<Map<string, RuleRow[]>> {
  const rows = await db.$queryRaw<(RuleRow & { repositoryId: string; repositories: string; name: string })[]>`
    SELECT t."id", t."kind"::text AS kind, t."tags", t."builds", t."repositoryId" IS NULL AS "ofOrganization", t."repositories",
      r."id" AS "repositoryId", r."name"
    FROM "Repository" r JOIN "TagRule" t ON t."organizationId" = r."organizationId"
    WHERE r."id" = ANY(${[...repositoryIds]}) AND (t."repositoryId" IS NULL OR t."repositoryId" = r."id")
    ORDER BY t."repositoryId" NULLS LAST, t."id"`
  const rules = new Map<string, RuleRow[]>()
  for (const { repositoryId, repositories, name, ...rule } of rows) {
    if (rule.ofOrganization && !globMatches(repositories, name)) continue
    rules.set(repositoryId, [...(rules.get(repositoryId) ?? []), rule])
  }
  return rules
}

/**
 * Who the subject of a token is to the rules: an owner or admin (of the organization or by a grant), the worker (for builds), or anybody else.
 * Robots and share links are nobody's admin.
 */
export async function standing(db: Tx, repositoryId: string, subject: string): Promise<TagChange['by']> {
  // What another registry holds is nobody's word here: a rule that keeps people from a tag keeps replication from it.
  if (subject === 'system:replication') return 'other'
  if (subject.startsWith('system:')) return 'build'
  const at = await db.repository.findUnique({
    where: { id: repositoryId },
    select: { name: true, organization: { select: { slug: true } } },
  })
  if (!at) return 'other'
  const path = `${at.organization.slug}/${at.name}`
  const found = (await standingsOnRepositories(db, subject, [{ organization: at.organization.slug, name: at.name }])).get(path)
  return found && may(effectiveRole(found, true), 'manage access') ? 'admin' : 'other'
}

export interface TagsToSet {
  repositoryId: string
  tags: readonly string[]
  /** Of the manifest that they shall name. */
  digest: string
  artifactType: string | undefined
  /** Of the token. */
  sub: string
}

/** Throws TagRuleError for the first tag that may not be set so. The caller has locked the repository: of two pushes of one new tag the second finds it. */
export async function assertTagsMaySet(tx: Tx, { repositoryId, tags, digest, artifactType, sub }: TagsToSet): Promise<void> {
  const rules = tags.length === 0 ? [] : await rulesOfRepository(tx, repositoryId)
  if (!rules.some((rule) => tags.some((tag) => globMatches(rule.tags, tag)))) return
  const now = await tx.tag.findMany({
    where: { repositoryId, name: { in: [...tags] } },
    select: { name: true, manifest: { select: { digest: true, artifactType: true, pushedBy: true } } },
  })
  const by = await standing(tx, repositoryId, sub)
  for (const tag of tags) {
    const before = now.find((row) => row.name === tag)?.manifest
    if (before?.digest === digest) continue
    // A second signature is added by moving the tag of the first. What verifies one does not believe the tag.
    if (attachedByTag(tag) !== undefined) continue
    // Builds leave a new cache each time, under a name of their own; it is no image.
    if (isBuildCache({ artifactType, pushedBy: sub }) && (!before || isBuildCache(before))) continue
    const deed = before ? 'set' : 'make'
    const rule = refusingRule(rules, { tag, deed, by })
    if (rule) throw new TagRuleError({ rule, tag, deed })
  }
}

/** Throws TagRuleError for the first of these tags that `sub` may not delete. */
export async function assertTagsMayGo(tx: Tx, repositoryId: string, tags: readonly string[], sub: string): Promise<void> {
  const rules = tags.length === 0 ? [] : await rulesOfRepository(tx, repositoryId)
  if (!rules.some((rule) => tags.some((tag) => globMatches(rule.tags, tag)))) return
  const by = await standing(tx, repositoryId, sub)
  for (const tag of tags) {
    const rule = refusingRule(rules, { tag, deed: 'delete', by })
    if (rule) throw new TagRuleError({ rule, tag, deed: 'delete' })
  }
}

/** The same for a manifest: of the tags that name it, and of those that name an index which it is a part of. */
export const assertManifestMayGo = async (tx: Tx, repositoryId: string, digest: string, sub: string): Promise<void> =>
  assertTagsMayGo(tx, repositoryId, await tagsThatNeed(tx, repositoryId, digest), sub)

async function tagsThatNeed(tx: Tx, repositoryId: string, digest: string): Promise<string[]> {
  const rows = await tx.$queryRaw<{ name: string }[]>`
    WITH RECURSIVE needs("id", "digest") AS (
      SELECT m."id", m."digest" FROM "Manifest" m WHERE m."repositoryId" = ${repositoryId} AND m."digest" = ${digest}
      UNION
      SELECT p."id", p."digest" FROM needs n JOIN "ManifestChild" c ON c."digest" = n."digest"
      JOIN "Manifest" p ON p."id" = c."manifestId" AND p."repositoryId" = ${repositoryId}
    )
    SELECT t."name" FROM "Tag" t JOIN needs n ON n."id" = t."manifestId" WHERE t."repositoryId" = ${repositoryId} ORDER BY t."name"`
  return rows.map((row) => row.name)
}

/** Of the organization (`repositoryId` null) or of one repository. */
export const listTagRules = (db: Tx, organizationId: string, repositoryId: string | null): Promise<TagRule[]> =>
  db.tagRule.findMany({ where: { organizationId, repositoryId }, orderBy: { id: 'asc' } })

export const createTagRule = (
  tx: Tx,
  data: { organizationId: string; repositoryId: string | null; kind: TagRuleKind; repositories: string; tags: string; builds: boolean },
): Promise<TagRule> => tx.tagRule.create({ data: { id: newId('tagRule'), ...data } })

/** Of the organization (`repositoryId` null) or of that repository only; null: it has no such rule. */
export async function deleteTagRule(tx: Tx, organizationId: string, repositoryId: string | null, id: string): Promise<TagRule | null> {
  const rule = await tx.tagRule.findFirst({ where: { id, organizationId, repositoryId } })
  if (rule) await tx.tagRule.delete({ where: { id } })
  return rule
}

/** How many tags of how many repositories a rule would hold, for its preview. */
export async function tagsMatching(
  db: Tx,
  organizationId: string,
  rule: { repositoryId: string | null; repositories: string; tags: string },
) {
  const like = Prisma.sql`${likeOf(rule.tags)}`
  const rows = await db.$queryRaw<{ tags: bigint; repositories: bigint }[]>`
    SELECT count(*) AS tags, count(DISTINCT r."id") AS repositories FROM "Tag" t JOIN "Repository" r ON r."id" = t."repositoryId"
    WHERE r."organizationId" = ${organizationId} AND t."name" LIKE ${like}
      AND ${rule.repositoryId === null ? Prisma.sql`r."name" LIKE ${likeOf(rule.repositories)}` : Prisma.sql`r."id" = ${rule.repositoryId}`}`
  return { tags: Number(rows[0]?.tags ?? 0), repositories: Number(rows[0]?.repositories ?? 0) }
}

/** The same pattern in SQL's signs. */
const likeOf = (glob: string) =>
  glob
    .replace(/[\\%_]/g, '\\$&')
    .replaceAll('*', '%')
    .replaceAll('?', '_')
