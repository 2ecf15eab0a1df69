/** Rules and limits of the registry, and what a repository says of itself. */
import { GLOB_PATTERN } from '@slipway/core'
import * as z from 'zod'
import { id, org, slug } from './base'

const repositoryInput = org.extend({ repository: z.string().min(1).max(255) })
const glob = z.string().regex(GLOB_PATTERN, 'Use letters, digits and . _ - /, with * for any characters and ? for one.')
/** Said beside an input whose text is no number, or an empty one that wants one. */
const whole = z.int({ error: 'Enter a whole number.' })
const days = whole.min(1, 'At least one day.').max(3650, 'At most 3650 days.')

export const setQuota = org.extend({
  /** Slug of the organization that it is for. */
  organization: slug,
  maxBytes: whole.min(0, 'Not less than nothing.').nullable(),
  maxRepositories: whole.min(0, 'Not less than nothing.').max(1_000_000, 'At most a million.').nullable(),
})

const tagRule = {
  kind: z.enum(['immutable', 'protected']),
  tags: glob,
  /** Whether builds may push a protected tag. */
  builds: z.boolean().default(false),
}
export const addTagRule = org.extend({ ...tagRule, repositories: glob.default('*') })
export const removeTagRule = org.extend({ id })
export const addRepositoryRule = repositoryInput.extend(tagRule)
export const removeRepositoryRule = repositoryInput.extend({ id })

export const retentionRules = z.object({
  repositories: glob.default('*'),
  keepLast: whole.min(1, 'At least one.').max(10_000, 'At most 10,000.').nullable(),
  keepUsedDays: days.nullable(),
  keepTags: z.array(glob).max(20).default([]),
  keepDeployments: whole.min(1, 'At least one.').max(1000, 'At most 1000.').default(10),
  untaggedDays: days.nullable(),
})
export type RetentionRulesInput = z.infer<typeof retentionRules>
export const setRetention = org.extend({
  rules: retentionRules.nullable(),
  minute: z.int({ error: 'Enter a time of the day.' }).min(0).max(1439).default(180),
})
/** Of a repository: rules of its own, `keep` (everything), or null: the organization's. */
export const setRepositoryRetention = repositoryInput.extend({ rules: z.union([retentionRules, z.literal('keep')]).nullable() })
/** What is asked about need not be saved. Without rules: the ones that hold. */
export const previewRetention = org.extend({ rules: retentionRules.optional(), cursor: z.string().max(200).nullish() })
export const previewRepositoryRetention = repositoryInput.extend({
  rules: retentionRules.optional(),
  cursor: z.string().max(200).nullish(),
})

const labelKey = z.string().regex(/^[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?$/)
export const setAbout = repositoryInput.extend({
  description: z
    .string()
    .trim()
    .max(160, 'Use at most 160 characters.')
    .refine((text) => !/[\r\n]/.test(text), 'Use one line.')
    .optional(),
  readme: z
    .string()
    .refine((text) => new TextEncoder().encode(text).length <= 64 * 1024, 'A README may have at most 64 KiB.')
    .optional(),
  labels: z
    .record(labelKey, z.string().max(100, 'Use at most 100 characters for a value.'), {
      error: ({ code }) =>
        code === 'invalid_key' ? 'Use letters and digits for a name, with . _ - / between them; at most 63.' : undefined,
    })
    .refine((labels) => Object.keys(labels).length <= 20, 'Use at most 20 labels.')
    .optional(),
})

export const renameRepository = repositoryInput.extend({ name: z.string().min(1).max(255) })
export const transferRepository = repositoryInput.extend({ to: slug, /** The repository's name again. */ confirm: z.string() })
export const deleteRepository = repositoryInput.extend({ /** The repository's name again. */ confirm: z.string() })
export const forgetName = repositoryInput.extend({ /** As `acme/old`. */ oldName: z.string().min(3).max(310) })
export const movedRepository = repositoryInput
