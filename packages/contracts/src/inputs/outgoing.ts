/** Outgoing webhooks of an organization. */
import { EVENT_KINDS, GLOB_PATTERN } from '@slipway/core'
import * as z from 'zod'
import { id, org } from './base'

export const outgoingUrl = z
  .string()
  .trim()
  .max(500)
  .refine((u) => /^https?:\/\//i.test(u) && URL.canParse(u), 'Use an http(s) address, as in https://example.com/hooks/slipway')
  .refine((u) => !URL.canParse(u) || (new URL(u).username === '' && new URL(u).password === ''), 'Leave out user name and password.')
const fields = {
  name: z.string().trim().min(1, 'Name the webhook.').max(80),
  url: outgoingUrl,
  events: z
    .array(z.enum(EVENT_KINDS).exclude(['attach', 'ping']))
    .min(1, 'Choose at least one event.')
    .max(20),
  /** Patterns of repositories; empty: all. */
  repositories: z
    .array(z.string().regex(GLOB_PATTERN, 'A pattern has letters, digits, . _ - / and the signs * and ?.'))
    .max(20, 'Name at most 20 patterns.'),
  /** May reach addresses inside the network: for those who run the installation to say. */
  inside: z.boolean(),
}
export const createOutgoing = org.extend({ ...fields, repositories: fields.repositories.default([]), inside: fields.inside.default(false) })
export const outgoing = org.extend({ id })
export const updateOutgoing = outgoing.extend({ ...z.object(fields).partial().shape, enabled: z.boolean().optional() })
export const listDeliveries = outgoing.extend({
  cursor: z.string().max(200).nullish(),
  limit: z.number().int().min(1).max(100).default(25),
  state: z.enum(['pending', 'delivered', 'failed']).optional(),
})
