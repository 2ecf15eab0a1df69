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
  const config = { connectionString: url, max: poolSize, connectionTimeoutMillis: 10_000, idleTimeoutMillis: 30_000 }
  if (!direct) return new PrismaClient({ transactionOptions: TRANSACTIONS, adapter: new PrismaPg(config) })
  const pool = new pg.Pool(config)
  // A connection that breaks while nobody uses it is replaced; unheard, its error would end the process.
  pool.on('error', () => undefined)
  const db = new PrismaClient({ transactionOptions: TRANSACTIONS, adapter: new PrismaPg(pool, { disposeExternalPool: true }) })
  keepPool(db, pool)
  return db
}
