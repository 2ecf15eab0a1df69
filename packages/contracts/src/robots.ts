/** What a robot may do in its organization's part of the registry: patterns of repositories, each with actions. */
import * as z from 'zod'

export const ROBOT_ACTIONS = ['pull', 'push', 'delete'] as const
export type RobotAction = (typeof ROBOT_ACTIONS)[number]

/** `*`, `team/*`, `api-*` (all that begin so), or one repository's name without the organization. */
const PATTERN = /^(?:\*|[a-z0-9][a-z0-9._/-]*\*?)$/

export const robotPattern = z
  .string()
  .trim()
  .max(200)
  .regex(PATTERN, 'Write *, team/* or the name of one repository, without the organization.')
export const robotGrant = z.object({
  pattern: robotPattern,
  actions: z
    .array(z.enum(ROBOT_ACTIONS))
    .min(1, 'Choose what it may do.')
    .max(ROBOT_ACTIONS.length)
    .refine((list) => new Set(list).size === list.length),
})
export const robotGrants = z.array(robotGrant).min(1, 'Name at least one repository.').max(20, 'A robot has at most 20 patterns.')
export type RobotGrant = z.infer<typeof robotGrant>

/** Whether a pattern covers a repository (its name without the organization). Only a star at the end stands for anything. */
export const coversRepository = (pattern: string, name: string): boolean =>
  pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : pattern === name

/** All that the grants together allow on a repository. */
export const allowedByGrants = (grants: readonly RobotGrant[], name: string): Set<RobotAction> =>
  new Set(grants.filter(({ pattern }) => coversRepository(pattern, name)).flatMap(({ actions }) => actions))
