/** Upstreams as the panel shows and changes them. */
import { newId, upstreamNamespace } from '@slipway/core'
import type { Tx } from './client'
import type { Prisma } from './generated/client'

const WITH_SHARES = {
  shares: { select: { organization: { select: { slug: true, name: true } } }, orderBy: { organization: { slug: 'asc' } } },
} as const

/** All, or those that the organization may pull through; by host. */
export const listUpstreams = (db: Tx, organizationId: string | null) =>
  db.upstream.findMany({
    where: organizationId === null ? {} : { enabled: true, OR: [{ secret: null }, { shares: { some: { organizationId } } }] },
    include: WITH_SHARES,
    orderBy: { host: 'asc' },
  })

export const findUpstreamById = (db: Tx, id: string) => db.upstream.findUnique({ where: { id }, include: WITH_SHARES })
export type UpstreamWithShares = NonNullable<Awaited<ReturnType<typeof findUpstreamById>>>

export const createUpstream = (db: Tx, data: Omit<Prisma.UpstreamUncheckedCreateInput, 'id'> & { id?: string }) =>
  db.upstream.create({ data: { ...data, id: data.id ?? newId('upstream') }, select: { id: true } })

export const updateUpstream = (db: Tx, id: string, data: Omit<Prisma.UpstreamUncheckedUpdateInput, 'id' | 'host'>) =>
  db.upstream.update({ where: { id }, data, select: { id: true } })

export const deleteUpstream = (db: Tx, id: string) => db.upstream.deleteMany({ where: { id } })

/** Exactly these organizations; gives the slugs that there are. */
export async function shareUpstream(tx: Tx, upstreamId: string, slugs: readonly string[]): Promise<string[]> {
  const organizations = await tx.organization.findMany({ where: { slug: { in: [...slugs] } }, select: { id: true, slug: true } })
  await tx.upstreamShare.deleteMany({ where: { upstreamId, organizationId: { notIn: organizations.map(({ id }) => id) } } })
  await tx.upstreamShare.createMany({
    data: organizations.map(({ id }) => ({ upstreamId, organizationId: id })),
    skipDuplicates: true,
  })
  return organizations.map(({ slug }) => slug)
}

export interface CacheContents {
  repositories: number
  tags: number
  manifests: number
  blobs: number
  bytes: number
}

/** What is kept by upstream; those with nothing are missing. */
export async function cacheContents(db: Tx, hosts: readonly string[]): Promise<Map<string, CacheContents>> {
  const slugs = hosts.map(upstreamNamespace)
  const rows = await db.$queryRaw<({ slug: string } & Record<keyof CacheContents, bigint>)[]>`
    SELECT o."slug",
      (SELECT COUNT(*) FROM "Repository" r WHERE r."organizationId" = o."id") AS repositories,
      (SELECT COUNT(*) FROM "Tag" t JOIN "Repository" r ON r."id" = t."repositoryId" WHERE r."organizationId" = o."id") AS tags,
      (SELECT COUNT(*) FROM "Manifest" m WHERE m."organizationId" = o."id") AS manifests,
      k.blobs, k.bytes
    FROM "Organization" o, LATERAL (
      SELECT COUNT(*) AS blobs, COALESCE(SUM(b."size"), 0)::bigint AS bytes FROM "Blob" b WHERE b."digest" IN (
        SELECT l."digest" FROM "RepositoryBlob" l JOIN "Repository" r ON r."id" = l."repositoryId" WHERE r."organizationId" = o."id")
    ) k WHERE o."slug" = ANY(${slugs}::text[])`
  return new Map(
    rows.map((row) => [
      row.slug,
      {
        repositories: Number(row.repositories),
        tags: Number(row.tags),
        manifests: Number(row.manifests),
        blobs: Number(row.blobs),
        bytes: Number(row.bytes),
      },
    ]),
  )
}

/** Everything that is kept of the upstream; the collector takes the bytes. */
export const emptyCache = async (tx: Tx, host: string): Promise<void> => {
  // Its repositories first: with them go their links, which are counted on the organization's row.
  await tx.repository.deleteMany({ where: { organization: { slug: upstreamNamespace(host), members: { none: {} } } } })
  await tx.organization.deleteMany({ where: { slug: upstreamNamespace(host), members: { none: {} } } })
}
