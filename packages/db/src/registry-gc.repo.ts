/**
 * What the registry's collector asks and does. Postgres is the mark: a blob is in use while any repository links it, a
 * link is in use while a manifest of that repository names the blob or a push relied on it lately.
 */
import type { Db, Tx } from './client'
import { Prisma } from './generated/client'
import { lockDigest, lockRepository } from './registry.repo'

const TRANSACTION = { maxWait: 15_000, timeout: 60_000 }

/** When a link that no manifest uses is one that no push will use either. */
export interface LooseSince {
  /** No push relied on it since then, and nobody wrote to an upload of its repository. */
  before: Date
  /** Nor on any link of its repository since then: a push is between two blobs, or between its last one and its manifest. */
  quietSince: Date
  /** So old that a push under way cannot be the one that brought it. */
  anyhowBefore: Date
}

/** Of a link `l`. An image of some hundred GB comes for longer than `before`; its small layers, which came first, are to be there still. */
const isLoose = ({ before, quietSince, anyhowBefore }: LooseSince) => Prisma.sql`
  l."seenAt" < ${before}
  AND (l."seenAt" < ${anyhowBefore} OR l."repositoryId" NOT IN (
    SELECT u."repositoryId" FROM "Upload" u WHERE u."updatedAt" >= ${before}
    UNION SELECT n."repositoryId" FROM "RepositoryBlob" n WHERE n."seenAt" >= ${quietSince}))
  AND NOT EXISTS (SELECT 1 FROM "Manifest" m WHERE m."repositoryId" = l."repositoryId" AND m."configDigest" = l."digest")
  AND NOT EXISTS (SELECT 1 FROM "ManifestLayer" y JOIN "Manifest" m ON m."id" = y."manifestId"
                  WHERE y."digest" = l."digest" AND m."repositoryId" = l."repositoryId")`

/** Repositories that have loose links, in the order of their ids, after `after`. */
export async function repositoriesWithLooseLinks(db: Tx, since: LooseSince, after: string, take: number): Promise<string[]> {
  const rows = await db.$queryRaw<{ repositoryId: string }[]>`
    SELECT DISTINCT l."repositoryId" FROM "RepositoryBlob" l WHERE l."repositoryId" > ${after} AND ${isLoose(since)} ORDER BY 1 LIMIT ${take}`
  return rows.map((row) => row.repositoryId)
}

/** Removes those links of one repository. Under its lock no manifest can be put meanwhile. */
export async function releaseLooseLinks(db: Db, repositoryId: string, since: LooseSince): Promise<number> {
  return db.$transaction(async (tx) => {
    await lockRepository(tx, repositoryId)
    return tx.$executeRaw`DELETE FROM "RepositoryBlob" l WHERE l."repositoryId" = ${repositoryId} AND ${isLoose(since)}`
  }, TRANSACTION)
}

/** Blobs older than `before` that no repository links, in the order of their digests, after `after`. */
export async function unlinkedBlobs(db: Tx, before: Date, after: string, take: number): Promise<string[]> {
  const rows = await db.$queryRaw<{ digest: string }[]>`
    SELECT b."digest" FROM "Blob" b
    WHERE b."digest" > ${after} AND b."createdAt" < ${before}
      AND NOT EXISTS (SELECT 1 FROM "RepositoryBlob" l WHERE l."digest" = b."digest")
    ORDER BY b."digest" LIMIT ${take}`
  return rows.map((row) => row.digest)
}

/** Removes the row unless it was linked meanwhile. The file goes afterwards, with `eraseWithoutRow`. */
export async function forgetBlob(db: Db, digest: string): Promise<boolean> {
  return db.$transaction(async (tx) => {
    await lockDigest(tx, digest)
    return (await tx.blob.deleteMany({ where: { digest, repositories: { none: {} } } })).count > 0
  }, TRANSACTION)
}

/** Runs `erase` when there is no row for the digest, under the digest's lock: no push can place the file meanwhile. */
export async function eraseWithoutRow(db: Db, digest: string, erase: () => Promise<void>): Promise<boolean> {
  return db.$transaction(async (tx) => {
    await lockDigest(tx, digest)
    if (await tx.blob.findUnique({ where: { digest }, select: { digest: true } })) return false
    await erase()
    return true
  }, TRANSACTION)
}

export async function knownBlobs(db: Tx, digests: readonly string[]): Promise<Set<string>> {
  const rows = await db.blob.findMany({ where: { digest: { in: [...digests] } }, select: { digest: true } })
  return new Set(rows.map((row) => row.digest))
}
