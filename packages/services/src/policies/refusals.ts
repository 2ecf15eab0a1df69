/** What rules and limits of the registry refuse, and what it keeps because it runs, as use cases tell it. */
import { AppError, quotaSentence, tagRefusal } from '@slipway/core'
import { ImageInUseError, quotaRefusal, TagRuleError } from '@slipway/db'

/** Runs `work`, with such a refusal in it made a sentence. `repository`: as `acme/api`. */
export async function underRules<T>(repository: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof TagRuleError) {
      const { rule, tag, deed } = error.refusal
      const message = tagRefusal(rule, { tag, deed }, repository)
      throw new AppError({ kind: 'forbidden', code: 'TAG_RULE', message, details: { tag, rule: rule.tags, kind: rule.kind }, cause: error })
    }
    if (error instanceof ImageInUseError) {
      const where = error.apps.length > 0 ? error.apps.join(', ') : 'an app'
      const message = `This image runs in ${where}. Deploy another one there first.`
      throw new AppError({ kind: 'conflict', code: 'IMAGE_IN_USE', message, details: { apps: error.apps }, cause: error })
    }
    const over = quotaRefusal(error)
    if (!over) throw error
    const { organizationId: _, ...details } = over
    const message = quotaSentence(over, repository.split('/')[0] ?? '')
    throw new AppError({ kind: 'conflict', code: 'QUOTA_EXCEEDED', message, details, cause: error })
  }
}
