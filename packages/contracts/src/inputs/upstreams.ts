/** Registries that ours keeps copies from. */
import { isUpstreamHost } from '@slipway/core'
import * as z from 'zod'
import { id, org, slug } from './base'

const GIGABYTE = 1_000_000_000

const host = z
  .string()
  .trim()
  .toLowerCase()
  .refine(isUpstreamHost, 'Write the host as image names begin: docker.io, ghcr.io or registry.lan:5000.')
/** Of another registry: `https://host[:port]`, nothing behind it. */
export const registryUrl = z
  .url({ protocol: /^https?$/, error: 'Write the address with https:// or http://.' })
  .max(300)
  .refine((text) => {
    // Said above; asked all the same.
    if (!URL.canParse(text)) return true
    const { username, password, pathname, search, hash } = new URL(text)
    return !username && !password && (pathname === '/' || pathname === '') && !search && !hash
  }, 'Write the address without a path, and the user name and password in their own fields.')
  .transform((text) => new URL(text).origin)

const settings = {
  url: registryUrl,
  enabled: z.boolean(),
  /** An empty name is none. */
  username: z.string().max(200),
  allowPrivate: z.boolean(),
  anonymous: z.boolean(),
  limitBytes: z
    .number()
    .int()
    .min(GIGABYTE, 'At least 1 GB.')
    .max(1_000_000 * GIGABYTE),
  revalidateMinutes: z
    .number()
    .int()
    .min(0)
    .max(7 * 24 * 60),
  /** Slugs of the organizations that may pull with the credentials. */
  shares: z.array(slug).max(200),
}
/** Undefined: as it is; null: none. */
const secret = z.string().min(1).max(4096).nullable().optional()

export const createUpstream = org.extend({ host, ...settings, secret })
export const updateUpstream = org.extend({ id, ...settings, secret })
export const upstream = org.extend({ id })
/** As they are in the form; without a secret, that of the upstream `id`. */
export const testUpstream = org.extend({
  id: id.optional(),
  url: registryUrl,
  username: settings.username,
  secret,
  allowPrivate: z.boolean(),
})
