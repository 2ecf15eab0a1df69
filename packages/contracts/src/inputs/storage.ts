import * as z from 'zod'
import { id, org } from './base'

export const storageRepositories = org.extend({
  cursor: z.string().max(200).nullish(),
  limit: z.number().int().min(1).max(100).default(20),
  /** By what they link, by what only they have, or by what no image of theirs needs. */
  by: z.enum(['bytes', 'only', 'unused']).default('bytes'),
})
export const startVerification = org.extend({
  repair: z.boolean().default(false),
  /** Of reading; the registry's own default otherwise. */
  mibPerSecond: z.number().min(1).max(10_000).optional(),
})
export const verification = org.extend({ id })
