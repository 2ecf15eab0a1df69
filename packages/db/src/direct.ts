/**
 * Statements of the registry's busiest requests, past Prisma: it takes several times as long for one as PostgreSQL does (a push of
 * a blob spent 44 % of the registry's processor there). The same connections, for clients that `createDb` made with `direct`.
 */
import pg from 'pg'
import type { Db, Tx } from './client'

const pools = new WeakMap<object, pg.Pool>()

export function keepPool(db: object, pool: pg.Pool): void {
  pools.set(db, pool)
}

/** The connection that the process had or wanted is gone. As Prisma names it, so that it is told as such. */
export class DatabaseAwayError extends Error {
  readonly code = 'P1001'

  constructor(cause: unknown) {
    super('the database does not answer', { cause })
    this.name = 'DatabaseAwayError'
  }
}

type Value = string | number | null | readonly string[] | readonly number[]

export interface Statement {
  /** Each connection parses and plans it once: for a look-up through four tables that took five times as long as finding the row. */
  name?: string
  sql: string
  values: Value[]
}

/** The statements that are written in the source, by the place where they are. */
const written = new WeakMap<TemplateStringsArray, { name: string; sql: string }>()
let last = 0

/** `sql` with its values as parameters: statement`SELECT 1 WHERE ${x} = 1`. Times go as `timestamp(date)`. */
export function statement(strings: TemplateStringsArray, ...values: Value[]): Statement {
  let known = written.get(strings)
  if (!known) {
    known = { name: `direct${++last}`, sql: strings.reduce((sql, part, i) => `${sql}$${i}${part}`) }
    written.set(strings, known)
  }
  return { ...known, values }
}

/** For columns without a time zone, which hold UTC. */
export const timestamp = (date: Date) => date.toISOString().slice(0, -1)

/** What a row of a direct statement has: `int8` as a string, times only as what the statement makes of them. */
export type Row = Record<string, string | number | boolean | null>

export interface Direct {
  query<T extends Row>(statement: Statement): Promise<T[]>
}

export interface DirectPool extends Direct {
  /**
   * A transaction that begins with the lock of this key (as `pg_advisory_xact_lock(hashtextextended(key, 0))`), in one round trip.
   * Undone when `work` throws. No statement of it takes longer than `timeoutMs`.
   */
  underLock<T>(key: string, timeoutMs: number, work: (tx: Direct) => Promise<T>): Promise<T>
  /** The same with the locks of all those keys that nobody holds now; `locked` tells which. It waits for none, so never in a circle. */
  underFreeLocks<T>(keys: readonly string[], timeoutMs: number, work: (tx: Direct, locked: Set<string>) => Promise<T>): Promise<T>
}

/** Inside of one of Prisma's transactions, and for clients without a pool of their own, the same through Prisma. */
export function directly(db: Db): DirectPool
export function directly(db: Tx): Direct
export function directly(db: Tx): Direct | DirectPool {
  const pool = pools.get(db)
  if (!pool) return { query: queryOf(db), ...locksOf(db as Db) }
  return {
    query: (asked) => run(pool, asked),
    underLock: (key, timeoutMs, work) => transaction(pool, timeoutMs, (client) => lockSql(client.escapeLiteral(key)), work),
    underFreeLocks: (keys, timeoutMs, work) =>
      transaction(
        pool,
        timeoutMs,
        (client) => freeLocksSql(`ARRAY[${keys.map((key) => client.escapeLiteral(key)).join(', ')}]`),
        (tx, rows) => work(tx, new Set(rows.map((row) => String(row.key)))),
      ),
  }
}

const lockSql = (key: string) => `SELECT pg_advisory_xact_lock(hashtextextended(${key}, 0))`
const freeLocksSql = (keys: string) =>
  `SELECT key FROM UNNEST(${keys}::text[]) AS k(key) WHERE pg_try_advisory_xact_lock(hashtextextended(key, 0))`

const queryOf =
  (tx: Tx) =>
  <T extends Row>({ sql, values }: Statement): Promise<T[]> =>
    tx.$queryRawUnsafe<T[]>(sql, ...values)

const locksOf = (db: Db): Pick<DirectPool, 'underLock' | 'underFreeLocks'> => ({
  underLock: (key, timeout, work) =>
    db.$transaction(
      async (tx) => {
        await tx.$executeRawUnsafe(lockSql('$1'), key)
        return work({ query: queryOf(tx) })
      },
      { maxWait: 15_000, timeout },
    ),
  underFreeLocks: (keys, timeout, work) =>
    db.$transaction(
      async (tx) => {
        const rows = await tx.$queryRawUnsafe<{ key: string }[]>(freeLocksSql('$1'), keys)
        return work({ query: queryOf(tx) }, new Set(rows.map((row) => row.key)))
      },
      { maxWait: 15_000, timeout },
    ),
})

async function run<T extends Row>(on: pg.Pool | pg.PoolClient, { name, sql, values }: Statement): Promise<T[]> {
  try {
    return (await on.query<T>({ ...(name !== undefined && { name }), text: sql, values })).rows
  } catch (error) {
    throw told(error)
  }
}

/** What PostgreSQL said stays as it is; anything else means that there was nobody to say something. */
const told = (error: unknown) => (error instanceof pg.DatabaseError ? error : new DatabaseAwayError(error))

/** `first` is sent along with the BEGIN, in one round trip; `work` gets its rows. */
async function transaction<T>(
  pool: pg.Pool,
  timeoutMs: number,
  first: (client: pg.PoolClient) => string,
  work: (tx: Direct, rows: Row[]) => Promise<T>,
): Promise<T> {
  const client = await pool.connect().catch((error: unknown) => {
    throw told(error)
  })
  let broken = false
  // Between two statements nobody else hears that the connection broke; unheard, its error would end the process.
  const lost = () => {
    broken = true
  }
  client.on('error', lost)
  try {
    // Several statements at once take no parameters, and give a result each.
    const sql = `BEGIN; SET LOCAL statement_timeout = ${Math.ceil(timeoutMs)}; ${first(client)}`
    const results = (await client.query(sql).catch((error: unknown) => {
      throw told(error)
    })) as unknown as pg.QueryResult<Row>[]
    const result = await work({ query: (asked) => run(client, asked) }, results.at(-1)?.rows ?? [])
    await run(client, { sql: 'COMMIT', values: [] })
    return result
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {
      broken = true
    })
    throw error
  } finally {
    client.off('error', lost)
    // A connection in an unknown state is not for the next one.
    client.release(broken)
  }
}
