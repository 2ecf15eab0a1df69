import { PrismaPg } from '@prisma/adapter-pg'
import { PrismaClient } from './generated/client'

export type Db = PrismaClient
/** What repositories take: the client, or the transaction it is in. */
export type Tx = Omit<PrismaClient, '$connect' | '$disconnect' | '$on' | '$transaction' | '$extends' | '$use'>

/** One client (and one pool of `poolSize` connections) per process; the caller ends it with `$disconnect`. */
export function createDb(url: string, { poolSize = 10 }: { poolSize?: number } = {}): Db {
  return new PrismaClient({
    // Prisma's own 2 s to start and 5 s to end are passed by a busy small machine; a request has its own deadline.
    transactionOptions: { maxWait: 10_000, timeout: 20_000 },
    adapter: new PrismaPg({ connectionString: url, max: poolSize, connectionTimeoutMillis: 10_000, idleTimeoutMillis: 30_000 }),
  })
}
