// From a Prisma connection URL to what node-postgres takes, and the few statements that run outside the engine.
import pg from 'pg'
import { parse } from 'pg-connection-string'

/** Parameters of a Prisma URL that Postgres itself does not know. */
const PRISMA_PARAMETERS = ['schema', 'connection_limit', 'pool_timeout', 'pgbouncer', 'connect_timeout']

/**
 * @param {string} url
 * @returns {{ config: import('pg').PoolConfig, schema: string, database: string, host: string }}
 */
export function readUrl(url) {
  const parsed = new URL(url)
  const schema = parsed.searchParams.get('schema') ?? 'public'
  for (const name of PRISMA_PARAMETERS) parsed.searchParams.delete(name)
  // Single fields instead of `connectionString`: that one would win over the `database` of a shadow database.
  const fields = parse(parsed.toString())
  return {
    config: /** @type {import('pg').PoolConfig} */ ({
      ...fields,
      options: `-c search_path="${schema}"`,
      max: 1,
      idleTimeoutMillis: 0,
      connectionTimeoutMillis: 10_000,
    }),
    schema,
    database: fields.database ?? '',
    host: parsed.searchParams.get('host') ?? parsed.host,
  }
}

/** Postgres error → the code and sentence Prisma's CLI knows. */
const KNOWN_ERRORS = {
  '3D000': ({ database }) => ['P1003', `Database \`${database}\` does not exist`],
  '28P01': () => ['P1000', 'Authentication failed against the database server'],
  28000: () => ['P1000', 'Authentication failed against the database server'],
}

/** Connects once. Throws an Error with Prisma's `code`. @param {string} url */
export async function checkConnection(url) {
  const target = readUrl(url)
  const client = new pg.Client(target.config)
  try {
    await client.connect()
  } catch (error) {
    const known = KNOWN_ERRORS[error.code]?.(target)
    const [code, message] = known ?? ['P1001', `Can't reach database server at \`${target.host}\`: ${error.message || error.code}`]
    throw Object.assign(new Error(message, { cause: error }), { code })
  } finally {
    await client.end().catch(() => undefined) // it never connected, or is gone: either way it is closed
  }
}

/** Runs one statement in the database `postgres` of the same server. @param {string} url @param {string} sql */
export async function administer(url, sql) {
  const client = new pg.Client({ ...readUrl(url).config, database: 'postgres', options: undefined })
  await client.connect()
  try {
    await client.query(sql)
  } finally {
    await client.end()
  }
}

/** @param {string} url @returns {Promise<string>} name of the database */
export async function createDatabase(url) {
  const { database } = readUrl(url)
  try {
    await administer(url, `CREATE DATABASE ${pg.escapeIdentifier(database)}`)
  } catch (error) {
    // duplicate_database, or a unique violation in the catalog: someone else made it meanwhile
    if (!['42P04', '23505'].includes(error.code)) throw error
  }
  return database
}
