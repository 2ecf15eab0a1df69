/** Images that are copied to or from another registry. */
import { GLOB_PATTERN } from '@slipway/core'
import * as z from 'zod'
import { id, org } from './base'
import { registryUrl } from './upstreams'

const glob = z.string().regex(GLOB_PATTERN, 'A pattern has letters, digits, . _ - / and the signs * and ?.')

const settings = {
  name: z.string().trim().min(1, 'Name the rule.').max(80),
  direction: z.enum(['push', 'pull']),
  remote: registryUrl,
  /** An empty name is none. */
  username: z.string().trim().max(200),
  /** Of the names where the images come from. */
  repositories: z.array(glob).min(1, 'Name at least one pattern of repositories; * is all of them.').max(20, 'Name at most 20 patterns.'),
  /** None: all tags. */
  tags: z.array(glob).max(20, 'Name at most 20 patterns.'),
  /** Before the name where they go to. */
  target: z
    .string()
    .trim()
    .max(150, 'Use at most 150 characters.')
    .regex(
      /^(?:[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/(?!$)|$))*$/,
      'Use lower-case letters, digits and . _ - between them, with / between parts.',
    ),
  /** Of direction push: each push that matches is copied at once. */
  onPush: z.boolean(),
  everyMinutes: z
    .number()
    .int()
    .min(5, 'Leave at least 5 minutes between runs.')
    .max(31 * 24 * 60)
    .nullable(),
  enabled: z.boolean(),
  /** May reach addresses inside the network: for those who run the installation to say. */
  inside: z.boolean(),
}
/** Undefined: as it is; null: none. */
const password = z.string().min(1).max(4096).nullable().optional()

export const createReplication = org.extend({ ...settings, password })
export const updateReplication = org.extend({ id, ...settings, password })
export const replication = org.extend({ id })
/** As they are in the form; without a password, that of the rule `id`. */
export const testReplication = org.extend({
  id: id.optional(),
  remote: settings.remote,
  username: settings.username,
  password,
  inside: settings.inside,
})
export const listReplicationRuns = org.extend({
  id,
  cursor: z.string().max(200).nullish(),
  limit: z.number().int().min(1).max(100).default(20),
})
export const replicationRun = org.extend({ id })
export const cancelReplication = replicationRun
export const listReplicationItems = replicationRun.extend({
  /** Position of the last one shown. */
  cursor: z
    .string()
    .regex(/^\d{1,7}$/)
    .nullish(),
  limit: z.number().int().min(1).max(200).default(50),
  state: z.enum(['queued', 'running', 'succeeded', 'failed', 'canceled']).optional(),
})
