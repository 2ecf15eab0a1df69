/** Whether the bytes of blobs are still what was pushed: when they were last seen whole, and what was found when they were not. */
import { newId } from '@slipway/core'
import { writeAudit } from './audit.repo'
import type { Db, Tx } from './client'
import { lockDigest } from './registry.repo'

/** Judging a blob a second time, under its lock, may mean reading all of it. */
const LONG = { maxWait: 15_000, timeout: 30 * 60_000 }

export interface StoredBlob {
  digest: string
  size: number
  damagedAt: Date | null
}

/** What lies in the store for a digest: sound, of another digest, or nothing. */
export type Verdict = { state: 'sound'; size: number } | { state: 'damaged'; size: number; actual: string } | { state: 'missing' }

export const findBlob = async (db: Tx, digest: string): Promise<StoredBlob | null> => {
  const row = await db.blob.findUnique({ where: { digest }, select: { digest: true, size: true, damagedAt: true } })
  return row && { ...row, size: Number(row.size) }
}

/** Blobs that were not looked at since `before`, the longest first. */
export async function stalestBlobs(db: Tx, before: Date, take: number): Promise<StoredBlob[]> {
  const rows = await db.blob.findMany({
    where: { verifiedAt: { lt: before }, damagedAt: null },
    select: { digest: true, size: true, damagedAt: true },
    orderBy: { verifiedAt: 'asc' },
    take,
  })
  return rows.map((row) => ({ ...row, size: Number(row.size) }))
}

/** Blobs in the order of their digests, after `after`. */
export async function blobsAfter(db: Tx, after: string, take: number): Promise<StoredBlob[]> {
  const rows = await db.$queryRaw<{ digest: string; size: bigint; damagedAt: Date | null }[]>`
    SELECT "digest", "size", "damagedAt" FROM "Blob" WHERE "digest" > ${after} ORDER BY "digest" LIMIT ${take}`
  return rows.map((row) => ({ ...row, size: Number(row.size) }))
}

/** All its bytes were read and have the digest. True: it had been thought damaged. */
export async function markSound(db: Db, digest: string, by: string, now = new Date()): Promise<boolean> {
  const { count } = await db.blob.updateMany({ where: { digest, damagedAt: null }, data: { verifiedAt: now } })
  if (count > 0) return false
  return db.$transaction(async (tx) => {
    const healed = await tx.blob.updateMany({ where: { digest, damagedAt: { not: null } }, data: { verifiedAt: now, damagedAt: null } })
    if (healed.count === 0) return false
    await tx.blobDamage.updateMany({ where: { digest, repairedAt: null }, data: { repairedAt: now, repairedBy: by } })
    return true
  })
}

export interface Condemnation {
  digest: string
  foundBy: 'read' | 'scrub' | 'verify'
  /** Under the digest's lock, once more: a push may have replaced the bytes since. */
  judge: () => Promise<Verdict>
  /** Moves the bytes aside; resolves to their name there. */
  quarantine: () => Promise<string | undefined>
}

/**
 * Takes a blob's bytes out of service, and tells every organization that links it. Resolves to what the second look said;
 * null when no row names the blob, which leaves it alone.
 */
export async function condemnBlob(db: Db, { digest, foundBy, judge, quarantine }: Condemnation): Promise<Verdict | null> {
  return db.$transaction(async (tx) => {
    await lockDigest(tx, digest)
    const row = await tx.blob.findUnique({ where: { digest }, select: { size: true, damagedAt: true } })
    if (!row) return null
    const verdict = await judge()
    const now = new Date()
    if (verdict.state === 'sound') {
      await tx.blob.update({ where: { digest }, data: { verifiedAt: now, damagedAt: null } })
      return verdict
    }
    const keptAs = verdict.state === 'damaged' ? await quarantine() : undefined
    // Found again and again, a blob that is gone is one damage.
    if (row.damagedAt && !keptAs) return verdict
    await tx.blob.update({ where: { digest }, data: { damagedAt: now } })
    const actual = verdict.state === 'damaged' ? verdict.actual : null
    await tx.blobDamage.create({ data: { id: newId('damage'), digest, size: row.size, foundBy, actual, keptAs } })
    const data = { foundBy, actual, bytes: Number(row.size) }
    for (const organizationId of await holdersOf(tx, digest)) {
      const target = { targetType: 'blob', targetId: null, targetLabel: digest }
      await writeAudit(tx, organizationId, { actorUserId: null, actorLabel: 'Registry', action: 'blob.damaged', ...target, data })
    }
    return verdict
  }, LONG)
}

async function holdersOf(db: Tx, digest: string): Promise<string[]> {
  const rows = await db.$queryRaw<{ organizationId: string }[]>`
    SELECT DISTINCT r."organizationId" FROM "RepositoryBlob" l JOIN "Repository" r ON r."id" = l."repositoryId"
    WHERE l."digest" = ${digest}`
  return rows.map((row) => row.organizationId)
}

export interface StoreCount {
  kind: string
  freeBytes: number | null
  totalBytes: number | null
  blobs: number
  blobBytes: number
  strays: number
  strayBytes: number
  uploads: number
  uploadBytes: number
  quarantined: number
  quarantinedBytes: number
}

/** What the collector saw in the store. */
export async function writeStoreCount(db: Tx, count: StoreCount, countedAt = new Date()): Promise<void> {
  // With the id in both, one statement of Postgres: two processes may write the first one at once.
  await db.blobStoreState.upsert({ where: { id: 'store' }, create: { id: 'store', ...count, countedAt }, update: { ...count, countedAt } })
}

/** One process at a time makes the round over the store; whoever stops renewing loses it. False: another one has it. */
export async function holdScrubLease(db: Tx, holder: string, until: Date, now = new Date()): Promise<boolean> {
  const held = await db.blobStoreState.updateMany({
    where: { id: 'store', OR: [{ scrubHolder: holder }, { scrubLeaseUntil: null }, { scrubLeaseUntil: { lt: now } }] },
    data: { scrubHolder: holder, scrubLeaseUntil: until },
  })
  return held.count > 0
}
