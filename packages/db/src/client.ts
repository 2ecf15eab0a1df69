import { PrismaPg } from '@prisma/adapter-pg'
import pg from 'pg'
import { keepPool } from './direct'
import { PrismaClient } from './generated/client'

export type Db = PrismaClient
/** What repositories take: the client, or the transaction it is in. */
export type Tx = Omit<PrismaClient, '$connect' | '$disconnect' | '$on' | '$transaction' | '$extends' | '$use'>

// Prisma's own 2 s to start and 5 s to end are passed by a busy small machine; a request has its own deadline.
const TRANSACTIONS = { maxWait: 10_000, timeout: 20_000 }

export interface DbOptions {
  poolSize?: number
  /** Lets the registry's busiest statements go past Prisma (direct.ts), over the same connections. */
  direct?: boolean
}

/** One client (and one pool of `poolSize` connections) per process; the caller ends it with `$disconnect`. */
export function createDb(url: string, { poolSize = 10, direct = false }: DbOptions = {}): Db {
  const pool = new pg.Pool({ connectionString: url, max: poolSize, connectionTimeoutMillis: 10_000, idleTimeoutMillis: 30_000 })
  // A connection that breaks while nobody uses it is replaced; unheard, its error would end the process.
  pool.on('error', () => undefined)
  pool.on('connect', (client) => {
    askInTurn(client)
    dontCompile(client)
  })
  const db = new PrismaClient({ transactionOptions: TRANSACTIONS, adapter: new PrismaPg(pool, { disposeExternalPool: true }) })
  if (direct) keepPool(db, pool)
  return db
}

/**
 * PostgreSQL with LLVM, as distributions have it, compiles what it thinks is dear: it took 0.3 s for a page of a dry run that is answered
 * in 30 ms. A setting of the session and not of the connection's start, which poolers refuse.
 */
function dontCompile(client: pg.PoolClient): void {
  // Where this fails, so will what is asked next, and that is told.
  client.query('SET jit = off').catch(() => undefined)
}

/**
 * Prisma asks for several relations of a row at once, also on the one connection of a transaction. pg lets them wait for each other,
 * but warns, and will not from version 9 on; so they wait here.
 */
function askInTurn(client: pg.PoolClient): void {
  const ask = client.query.bind(client) as (...given: unknown[]) => unknown
  let before: Promise<void> | undefined
  const inTurn = (...given: unknown[]): unknown => {
    const answer = before ? before.then(() => ask(...given)) : ask(...given)
    // With a callback only the pool itself asks, which nobody else has the connection of then.
    if (!(answer instanceof Promise)) return answer
    const ended = answer.then(
      () => undefined,
      () => undefined,
    )
    before = ended
    void ended.then(() => {
      if (before === ended) before = undefined
    })
    return answer
  }
  client.query = inTurn as typeof client.query
}
