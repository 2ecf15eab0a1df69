// What a fresh installation needs before its first visitor: the organization of the base images, and the token of the
// one-time link that creates the first account.
import { randomBytes, randomUUID } from 'node:crypto'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { createOnce } from './data-directory.mjs'
import { withClient } from './parts/postgres.mjs'

/** Slug and name of the organization that owns slipway.local/base/…, as in packages/contracts (BASE_ORGANIZATION). */
const BASE = { slug: 'base', name: 'Slipway base images' }

/** @param {string} databaseUrl @param {string} tokenFile @returns {Promise<{ hasAccount: boolean }>} */
export function prepareFirstRun(databaseUrl, tokenFile) {
  return withClient({ connectionString: databaseUrl, connectionTimeoutMillis: 10_000 }, async (client) => {
    await client.query('INSERT INTO "Organization" (id, slug, name) VALUES ($1, $2, $3) ON CONFLICT (slug) DO NOTHING', [
      `org_${randomUUID().replaceAll('-', '')}`,
      BASE.slug,
      BASE.name,
    ])
    const hasAccount = (await client.query('SELECT 1 FROM "User" LIMIT 1')).rowCount === 1
    // With an account the link is worth nothing, and without one it must exist even if someone deleted it.
    if (hasAccount) rmSync(tokenFile, { force: true })
    else createOnce(tokenFile, () => randomBytes(24).toString('base64url'))
    return { hasAccount }
  })
}

/** The link that creates the first account, while it is worth something. @param {string} webUrl @param {string} tokenFile */
export function setupLink(webUrl, tokenFile) {
  if (!existsSync(tokenFile)) return undefined
  return `${webUrl}/setup?token=${encodeURIComponent(readFileSync(tokenFile, 'utf8').trim())}`
}
