/**
 * What an organization has in the registry, and its limits. Triggers count (migrations 20261130004000_policies and
 * 20261203003000_manifest_bytes): with every link of a blob, every manifest and every repository, in the transaction that writes it,
 * under the lock of the organization's row.
 */
import type { QuotaRefusal } from '@slipway/core'
import type { Db, Tx } from './client'
import { emitEvent } from './events.repo'
import { Prisma } from './generated/client'

export interface UsageRow {
  organizationId: string
  bytes: number
  repositories: number
  maxBytes: number | null
  maxRepositories: number | null
}

const NOTHING = { bytes: 0n, repositories: 0, maxBytes: null, maxRepositories: null }

/** Of the organization's unique blobs and its manifests; one row, so that it may be asked anywhere. */
export async function organizationUsage(db: Tx, organizationId: string): Promise<UsageRow> {
  const row = (await db.organizationUsage.findUnique({ where: { organizationId } })) ?? { organizationId, ...NOTHING }
  return usageRow(row)
}

const usageRow = (row: {
  organizationId: string
  bytes: bigint
  repositories: number
  maxBytes: bigint | null
  maxRepositories: number | null
}) => ({
  organizationId: row.organizationId,
  bytes: Number(row.bytes),
  repositories: row.repositories,
  maxBytes: row.maxBytes === null ? null : Number(row.maxBytes),
  maxRepositories: row.maxRepositories,
})

/** Of all organizations, for the operators of the installation; those that use most first. */
export async function listUsages(db: Tx) {
  const rows = await db.organization.findMany({ select: { id: true, slug: true, name: true, usage: true } })
  return rows
    .map(({ id, slug, name, usage }) => ({ slug, name, ...usageRow(usage ?? { organizationId: id, ...NOTHING }) }))
    .sort((a, b) => b.bytes - a.bytes || a.slug.localeCompare(b.slug))
}

export async function setQuota(tx: Tx, organizationId: string, limits: { maxBytes: number | null; maxRepositories: number | null }) {
  const data = {
    maxBytes: limits.maxBytes === null ? null : BigInt(limits.maxBytes),
    maxRepositories: limits.maxRepositories,
    toldLevel: 0,
  }
  await tx.organizationUsage.upsert({ where: { organizationId }, create: { organizationId, ...data }, update: data })
}

export interface Room {
  /** How many bytes there still is room for; null: no limit. */
  left: number | null
  refusal: QuotaRefusal
}

/** What is left, asked before bytes are taken. The count of the transaction that writes them is the one that decides. */
export async function roomFor(db: Tx, organizationId: string): Promise<Room> {
  const { bytes, maxBytes } = await organizationUsage(db, organizationId)
  return { left: maxBytes === null ? null : maxBytes - bytes, refusal: { what: 'bytes', used: bytes, limit: maxBytes ?? 0, wanted: 0 } }
}

/** Of a blob that a repository of the organization has: another link of it costs nothing. */
export async function organizationBlobSize(db: Tx, organizationId: string, digest: string): Promise<number | undefined> {
  const row = await db.organizationBlob.findUnique({
    where: { organizationId_digest: { organizationId, digest } },
    select: { size: true },
  })
  return row ? Number(row.size) : undefined
}

/** So that the next sweep tells those who want to hear of it. In its own transaction: the one that was refused is undone. */
export async function noteQuotaRefusal(db: Tx, organizationId: string): Promise<void> {
  await db.organizationUsage.updateMany({ where: { organizationId }, data: { refusedAt: new Date() } })
}

/** Clocks of the registry's machine and of who asks. */
const SKEW_MS = 5000

/** The limit that the registry refused for since then; null: for none. `makes`: the push would have made a repository. */
export async function quotaRefusedSince(db: Db, organizationId: string, since: Date, makes: boolean): Promise<QuotaRefusal | null> {
  const row = await db.organizationUsage.findUnique({ where: { organizationId } })
  if (!row?.refusedAt || row.refusedAt.getTime() < since.getTime() - SKEW_MS) return null
  const { bytes, repositories, maxBytes, maxRepositories } = usageRow(row)
  if (makes && maxRepositories !== null && repositories >= maxRepositories)
    return { what: 'repositories', used: repositories, limit: maxRepositories, wanted: 1 }
  return maxBytes === null ? null : { what: 'bytes', used: bytes, limit: maxBytes, wanted: 0 }
}

/** What the triggers refused, out of whatever Prisma made of it. */
export function quotaRefusal(error: unknown): (QuotaRefusal & { organizationId: string }) | null {
  let text: string
  try {
    text = JSON.stringify(error, Object.getOwnPropertyNames(error ?? {}))
  } catch {
    return null
  }
  if (!text.includes('SLQ01')) return null
  const found = /\{[^{}]*?what[^{}]*?organizationId[^{}]*?\}/.exec(text.replaceAll('\\', ''))?.[0]
  if (!found) return null
  const { what, used, limit, wanted, organizationId } = JSON.parse(found) as QuotaRefusal & { organizationId: string }
  return { what, used: Number(used), limit: Number(limit), wanted: Number(wanted), organizationId }
}

/**
 * Sets right what the counters say where it differs from the links and manifests, and tells how many organizations were wrong. They are kept
 * by triggers and should never be; the collector asks once per run all the same, as a wrong one would refuse pushes.
 */
export async function reconcileUsage(db: Db): Promise<number> {
  const wrong = await db.$queryRaw<{ organizationId: string }[]>`
    SELECT o."id" AS "organizationId" FROM "Organization" o
    LEFT JOIN "OrganizationUsage" u ON u."organizationId" = o."id"
    LEFT JOIN (SELECT r."organizationId" AS id, count(DISTINCT l."digest") AS blobs, count(*) AS links FROM "RepositoryBlob" l
               JOIN "Repository" r ON r."id" = l."repositoryId" GROUP BY 1) real ON real.id = o."id"
    LEFT JOIN (SELECT "organizationId" AS id, count(*) AS blobs, SUM("links") AS links, SUM("size") AS bytes FROM "OrganizationBlob" GROUP BY 1) told
      ON told.id = o."id"
    LEFT JOIN (SELECT "organizationId" AS id, SUM("size") AS bytes FROM "Manifest" GROUP BY 1) manifest ON manifest.id = o."id"
    WHERE COALESCE(real.blobs, 0) <> COALESCE(told.blobs, 0) OR COALESCE(real.links, 0) <> COALESCE(told.links, 0)
       OR COALESCE(manifest.bytes, 0) <> COALESCE(u."manifestBytes", 0)
       OR COALESCE(told.bytes, 0) + COALESCE(manifest.bytes, 0) <> COALESCE(u."bytes", 0)
       OR COALESCE(u."repositories", 0) <> (SELECT count(*) FROM "Repository" r WHERE r."organizationId" = o."id")`
  for (const { organizationId } of wrong) await recount(db, organizationId)
  return wrong.length
}

async function recount(db: Db, organizationId: string): Promise<void> {
  await db.$transaction(async (tx) => {
    // Pushes of this installation's organizations wait for the milliseconds that this takes: nothing is linked or put meanwhile.
    await tx.$executeRaw`LOCK TABLE "RepositoryBlob", "Manifest" IN SHARE ROW EXCLUSIVE MODE`
    await tx.organizationBlob.deleteMany({ where: { organizationId } })
    await tx.$executeRaw`
      INSERT INTO "OrganizationBlob" ("organizationId", "digest", "size", "links")
      SELECT r."organizationId", l."digest", b."size", count(*) FROM "RepositoryBlob" l
      JOIN "Repository" r ON r."id" = l."repositoryId" JOIN "Blob" b ON b."digest" = l."digest"
      WHERE r."organizationId" = ${organizationId} GROUP BY 1, 2, 3`
    const [sum] = await tx.$queryRaw<{ blobs: bigint; manifests: bigint; repositories: bigint }[]>(Prisma.sql`
      SELECT COALESCE((SELECT SUM("size") FROM "OrganizationBlob" WHERE "organizationId" = ${organizationId}), 0)::bigint AS blobs,
        COALESCE((SELECT SUM("size") FROM "Manifest" WHERE "organizationId" = ${organizationId}), 0)::bigint AS manifests,
        (SELECT count(*) FROM "Repository" WHERE "organizationId" = ${organizationId}) AS repositories`)
    const { blobs, manifests, repositories } = sum ?? { blobs: 0n, manifests: 0n, repositories: 0n }
    const data = { bytes: blobs + manifests, manifestBytes: manifests, repositories: Number(repositories) }
    await tx.organizationUsage.upsert({ where: { organizationId }, create: { organizationId, ...data }, update: data })
  })
}

const WARN_AT = 0.8

/** Tells outside of organizations that came near their limit or met it, once each time they do. */
export async function tellQuotas(db: Db): Promise<void> {
  const rows = await db.organizationUsage.findMany({ where: { OR: [{ maxBytes: { not: null } }, { maxRepositories: { not: null } }] } })
  for (const row of rows) {
    const shares = [
      { what: 'bytes', used: Number(row.bytes), limit: row.maxBytes === null ? null : Number(row.maxBytes) },
      { what: 'repositories', used: row.repositories, limit: row.maxRepositories },
    ].flatMap(({ limit, ...rest }) => (limit === null ? [] : [{ ...rest, limit, share: limit === 0 ? 1 : rest.used / limit }]))
    const nearest = shares.sort((a, b) => b.share - a.share)[0]
    if (!nearest) continue
    const level = nearest.share >= 1 || (row.refusedAt && nearest.share >= WARN_AT) ? 2 : nearest.share >= WARN_AT ? 1 : 0
    if (level === row.toldLevel) continue
    await db.$transaction(async (tx) => {
      const { count } = await tx.organizationUsage.updateMany({
        where: { organizationId: row.organizationId, toldLevel: row.toldLevel },
        data: { toldLevel: level, ...(level < 2 && { refusedAt: null }) },
      })
      if (count === 0 || level < row.toldLevel) return
      const { what, used, limit } = nearest
      const kind = level === 2 ? 'quota.exceeded' : 'quota.warning'
      await emitEvent(tx, row.organizationId, { kind, repository: null, actor: 'Slipway', data: { what, used, limit } })
    })
  }
}
