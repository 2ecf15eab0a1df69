import { slugify } from '@slipway/core'
import { organizationSlugTaken, type Tx } from '@slipway/db'

/** First path segments of the panel's own pages, and the organization of the base images: none of them may be taken. */
const RESERVED = new Set([
  '_next',
  'account',
  'admin',
  'api',
  'base',
  'docs',
  'health',
  'login',
  'logout',
  'new-organization',
  's',
  'setup',
  'static',
  'token',
  'v2',
])
export const isReservedSlug = (slug: string) => RESERVED.has(slug)

/** `Acme Inc.` → `acme-inc`, or `acme-inc-2` … when that is taken. */
export async function freeOrganizationSlug(db: Tx, name: string): Promise<string> {
  const base = slugify(name).slice(0, 40).replace(/-+$/, '') || 'organization'
  for (let n = 1; ; n++) {
    const slug = n === 1 ? base : `${base}-${n}`
    if (!isReservedSlug(slug) && !(await organizationSlugTaken(db, slug))) return slug
  }
}
