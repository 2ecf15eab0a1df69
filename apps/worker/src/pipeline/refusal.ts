/** What a rule or a limit of the registry said no to, as the build page tells it: what happened, what is kept, what to do. */
import { AppError, formatBytes, isAppError, type QuotaRefusal, refusingRule, type TagRuleFacts } from '@slipway/core'
import { type Db, findManifest, findRepositoryByName, quotaRefusedSince, rulesOfRepository } from '@slipway/db'

export interface Push {
  organizationId: string
  /** `acme/shop` */
  path: string
  tag: string
  /** Tags of this build that the registry has taken already. */
  taken: readonly string[]
  since: Date
}

/**
 * The engine hands on a sentence of the registry in words of its own around it, so the cause is asked where it is kept. What is
 * neither a rule's nor a limit's refusal is given back as it came.
 */
export async function refusalOf(db: Db, push: Push, error: unknown): Promise<unknown> {
  if (!isAppError(error) || !['IMAGE_PUSH_FAILED', 'ENGINE_403'].includes(error.code)) return error
  const [organization = '', ...rest] = push.path.split('/')
  const repository = await findRepositoryByName(db, push.organizationId, rest.join('/'))
  const rule = repository && (await ruleAgainst(db, push, repository.id))
  if (rule)
    return new AppError({
      kind: 'conflict',
      code: 'TAG_RULE',
      message: ruleSentence(rule, push),
      details: { tag: push.tag, rule: rule.tags, kind: rule.kind },
      cause: error,
    })
  const over = await quotaRefusedSince(db, push.organizationId, push.since, repository === null)
  if (!over) return error
  return new AppError({
    kind: 'conflict',
    code: 'QUOTA_EXCEEDED',
    message: limitSentence(over, organization),
    details: { ...over },
    cause: error,
  })
}

async function ruleAgainst(db: Db, { organizationId, tag }: Push, repositoryId: string): Promise<TagRuleFacts | undefined> {
  const deed = (await findManifest(db, organizationId, repositoryId, tag)) ? 'set' : 'make'
  return refusingRule(await rulesOfRepository(db, repositoryId), { tag, deed, by: 'build' })
}

export function ruleSentence(rule: TagRuleFacts, { path, tag, taken }: Pick<Push, 'path' | 'tag' | 'taken'>): string {
  const [organization = '', ...rest] = path.split('/')
  const place = rule.ofOrganization ? `of ${organization} (Settings → Registry)` : `of the repository ${rest.join('/')} (its Policies tab)`
  const why =
    rule.kind === 'immutable'
      ? `the tag ${tag} is immutable by the rule “${rule.tags}” ${place}, so no build moves it`
      : `the tag ${tag} is protected by the rule “${rule.tags}” ${place}, which does not let builds push it`
  const way =
    rule.kind === 'immutable'
      ? `Narrow or remove the rule, or build from another branch`
      : `Let builds push it in that rule, or build from another branch`
  const kept = taken.length > 0 ? ` The image is in the registry as ${taken.join(', ')} and was not deployed.` : ''
  return `The image was built, but ${why}. ${way}; then build again.${kept}`
}

export function limitSentence({ what, used, limit }: Pick<QuotaRefusal, 'what' | 'used' | 'limit'>, organization: string): string {
  const full =
    what === 'repositories'
      ? `${organization} has ${used} of ${limit} repositories, and this app needs one more`
      : `there is no room for it: ${organization} uses ${formatBytes(used)} of ${formatBytes(limit)} in this registry`
  const way =
    what === 'repositories'
      ? 'Delete a repository that is not needed'
      : 'Delete images that are not needed, or let retention do it (Settings → Registry)'
  return `The image was built, but ${full}. ${way}, or ask who runs this installation to raise the limit; then build again.`
}
