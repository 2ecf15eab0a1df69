/** What every area's inputs begin with. Apart from index.ts, which re-exports the areas: they cannot import it. */
import { SLUG_PATTERN } from '@slipway/core'
import * as z from 'zod'

export const id = z.string().min(5).max(64)
export const slug = z.string().regex(SLUG_PATTERN, 'Use lower-case letters, digits and single dashes, at most 48 characters.')
/** Every organization-scoped procedure takes the organization's slug; the caller's membership is checked once, in the base procedure. */
export const org = z.object({ org: slug })
