import { newId } from '@slipway/core'
import type { Tx } from './client'
import type { Prisma } from './generated/client'

const detail = {
  project: { select: { slug: true, name: true } },
  domains: { orderBy: { createdAt: 'asc' } },
} satisfies Prisma.AppInclude
export type AppRow = Prisma.AppGetPayload<{ include: typeof detail }>

/** The `(organization, slug)` loader; an app that is being deleted is gone for everyone but the worker. */
export const findApp = (db: Tx, organizationId: string, slug: string): Promise<AppRow | null> =>
  db.app.findFirst({ where: { organizationId, slug, deletedAt: null }, include: detail })

export const listApps = (db: Tx, organizationId: string, projectId?: string): Promise<AppRow[]> =>
  db.app.findMany({
    where: { organizationId, deletedAt: null, ...(projectId && { projectId }) },
    include: detail,
    orderBy: [{ updatedAt: 'desc' }, { id: 'desc' }],
  })

/** Those that a push into the registry may deploy. */
export const appsFollowingTags = (db: Tx, organizationId: string) =>
  db.app.findMany({
    where: { organizationId, source: 'image', followTag: true, desiredState: 'running', deletedAt: null },
    select: { id: true, slug: true, imageReference: true },
    orderBy: { id: 'asc' },
  })

/** Holds the app's row until the transaction ends: whoever creates or claims something of it waits. */
export async function lockApp(tx: Tx, organizationId: string, appId: string) {
  await tx.$queryRaw`SELECT "id" FROM "App" WHERE "id" = ${appId} AND "organizationId" = ${organizationId} FOR UPDATE`
  return tx.app.findFirst({
    where: { id: appId, organizationId, deletedAt: null },
    include: { variables: true, organization: { select: { slug: true } } },
  })
}

/** Also one that is being deleted: its slug and hostname are not free before the worker has removed it. */
export const appSlugTaken = async (db: Tx, organizationId: string, slug: string) =>
  (await db.app.count({ where: { organizationId, slug } })) > 0

export const hostnameTaken = async (db: Tx, hostname: string) => (await db.domain.count({ where: { hostname } })) > 0

export async function createApp(
  tx: Tx,
  organizationId: string,
  data: Omit<Prisma.AppUncheckedCreateInput, 'organizationId'>,
  hostname: string,
): Promise<AppRow> {
  await tx.app.create({
    data: {
      ...data,
      organizationId,
      domains: { create: { id: newId('domain'), organizationId, hostname, generated: true } },
    },
  })
  // Pushed by hand before: its builds go there from now on.
  if (data.source !== 'image')
    await tx.repository.updateMany({ where: { organizationId, name: data.slug, projectId: null }, data: { projectId: data.projectId } })
  return tx.app.findUniqueOrThrow({ where: { id: data.id }, include: detail })
}

export async function updateApp(
  tx: Tx,
  organizationId: string,
  appId: string,
  data: Omit<Prisma.AppUncheckedUpdateManyInput, 'id' | 'organizationId'>,
): Promise<boolean> {
  return (await tx.app.updateMany({ where: { id: appId, organizationId, deletedAt: null }, data })).count === 1
}

export const listVariables = (db: Tx, organizationId: string, appId: string) =>
  db.variable.findMany({ where: { organizationId, appId }, orderBy: [{ scope: 'asc' }, { key: 'asc' }] })

export interface SealedVariable {
  id: string
  scope: 'build' | 'runtime'
  key: string
  value: Uint8Array<ArrayBuffer>
  secret: boolean
}

/** The given ones are written, all others of the app removed. */
export async function replaceVariables(tx: Tx, organizationId: string, appId: string, variables: SealedVariable[]): Promise<void> {
  await tx.variable.deleteMany({ where: { organizationId, appId, id: { notIn: variables.map((variable) => variable.id) } } })
  for (const { id, ...columns } of variables) {
    await tx.variable.upsert({
      where: { id },
      create: { id, organizationId, appId, ...columns },
      update: { value: columns.value, secret: columns.secret },
    })
  }
}

/** What deleting an app removes. */
export async function countsOfApp(db: Tx, organizationId: string, appId: string) {
  const where = { organizationId, appId }
  const [containers, builds, deployments] = await Promise.all([
    db.container.count({ where: { ...where, state: { not: 'removed' } } }),
    db.build.count({ where }),
    db.deployment.count({ where }),
  ])
  return { containers, builds, deployments }
}

/** The worker's view of an app that converges, deleted ones included. */
export const findAppToConverge = (db: Tx, appId: string) =>
  db.app.findUnique({
    where: { id: appId },
    include: {
      organization: { select: { id: true, slug: true } },
      domains: true,
      containers: { where: { state: { not: 'removed' } } },
      servingDeployment: true,
    },
  })

/** Adds what a deployment mounts to what the app has volumes at. One statement: two deployments may come at once. */
export const noteVolumes = (db: Tx, appId: string, paths: string[]) =>
  db.$executeRaw`
    UPDATE "App" SET "volumes" = ARRAY(SELECT DISTINCT path FROM unnest("volumes" || ${paths}::text[]) AS path ORDER BY path)
    WHERE "id" = ${appId} AND NOT "volumes" @> ${paths}::text[]`

/** Apps whose deletion was begun and not finished. */
export const deletedApps = (db: Tx) => db.app.findMany({ where: { deletedAt: { not: null } }, select: { id: true, organizationId: true } })

/** The last step of a deletion, once nothing of the app is left on a host; only for one that is marked deleted. */
export const purgeApp = (db: Tx, appId: string) => db.app.deleteMany({ where: { id: appId, deletedAt: { not: null } } })
