/** Inputs of robots, share links and API keys. */
import * as z from 'zod'
import { robotGrants } from '../robots'
import { id, org } from './base'

export const API_KEY_SCOPES = ['everything', 'registry_write', 'registry_read'] as const

const robotName = z
  .string()
  .trim()
  .regex(/^[a-z0-9](?:[a-z0-9]|[-_.](?=[a-z0-9])){0,47}$/, 'Use lower-case letters, digits, and single dashes between them.')
const expiresInDays = z.number().int().min(1).max(3650).nullable()

export const robot = org.extend({ id })
export const createRobot = org.extend({ name: robotName, grants: robotGrants, expiresInDays })
/** What is absent stays as it is. */
export const updateRobot = robot.extend({
  grants: robotGrants.optional(),
  expiresInDays: expiresInDays.optional(),
  disabled: z.boolean().optional(),
})

/** One hour to 90 days. */
export const SHARE_HOURS = { min: 1, max: 90 * 24 } as const
const sharedImage = org.extend({ repository: z.string().min(1).max(255), reference: z.string().min(1).max(255) })
export const listShares = sharedImage
export const createShare = sharedImage.extend({ expiresInHours: z.number().int().min(SHARE_HOURS.min).max(SHARE_HOURS.max) })
export const revokeShare = org.extend({ id })
export const endLogin = z.object({ id })
/** Whatever stands in the address of the page: what is no token is told as an unknown one. */
export const openShare = z.object({ token: z.string().max(200) })
