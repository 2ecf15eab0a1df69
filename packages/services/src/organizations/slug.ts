import { slugify } from '@slipway/core'
import { organizationSlugTaken, type Tx } from '@slipway/db'

/** `Acme Inc.` → `acme-inc`, or `acme-inc-2` … when that is taken. */
export async function freeOrganizationSlug(db: Tx, name: string): Promise<string> {
  const base = slugify(name).slice(0, 40).replace(/-+$/, '') || 'organization'
  for (let n = 1; ; n++) {
    const slug = n === 1 ? base : `${base}-${n}`
    if (!(await organizationSlugTaken(db, slug))) return slug
  }
}
