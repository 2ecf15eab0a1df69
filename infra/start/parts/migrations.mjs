import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { PRISMA_ENVIRONMENT } from '../builds.mjs'
import { run } from '../run.mjs'
import { ROOT } from '../settings.mjs'
import { withClient } from './postgres.mjs'

/** Applies the migrations that are missing; asks the database first, because the Prisma CLI takes seconds to find none. @param {string} databaseUrl */
export async function migrate(databaseUrl) {
  const folder = join(ROOT, 'prisma/migrations')
  const wanted = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
  const applied = await appliedMigrations(databaseUrl)
  const missing = wanted.filter((name) => !applied.has(name))
  if (missing.length === 0) return 'up to date'
  await run([process.execPath, join(ROOT, 'node_modules/prisma/build/index.js'), 'migrate', 'deploy'], {
    cwd: ROOT,
    env: { ...process.env, ...PRISMA_ENVIRONMENT, DATABASE_URL: databaseUrl },
    deadlineMs: 5 * 60_000,
    what: 'Applying the migrations',
    hint: 'The database is as it was before the migration that failed. Read the message above, or report it.',
  })
  return `${missing.length} applied`
}

async function appliedMigrations(databaseUrl) {
  return withClient({ connectionString: databaseUrl, connectionTimeoutMillis: 10_000 }, async (client) => {
    const { rows } = await client.query(`SELECT to_regclass('_prisma_migrations') IS NOT NULL AS there`)
    if (!rows[0].there) return new Set()
    const done = await client.query(
      'SELECT migration_name FROM _prisma_migrations WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL',
    )
    return new Set(done.rows.map((row) => row.migration_name))
  })
}
