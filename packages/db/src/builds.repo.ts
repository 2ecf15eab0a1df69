/** Builds as the panel makes and reads them. What the worker does to a running one is in build-run.repo.ts. */
import { newId } from '@slipway/core'
import type { Tx } from './client'
import type { Prisma, Trigger } from './generated/client'
import { type PageRequest, pageArgs, toPage } from './page'
import { buildStatesBefore } from './states'

export interface NewBuild {
  trigger: Trigger
  actorLabel: string
  branch: string | null
  commit?: { sha: string; message: string | null; author: string | null; at: Date | null }
  noCache?: boolean
  id?: string
  /** Of a build from a client's files. */
  upload?: { options: Prisma.InputJsonObject; secrets: Uint8Array<ArrayBuffer>; dockerfile: string; deploys: boolean }
}

/**
 * Creates the app's next build and supersedes those to be deployed that still wait, in one transaction: the counter's update locks
 * the app's row, so two pushes in the same instant become two numbers, the older of which is superseded.
 * Null when the app is not in this organization or is being deleted.
 */
export async function createBuild(tx: Tx, organizationId: string, appId: string, data: NewBuild) {
  const [app] = await tx.app.updateManyAndReturn({
    where: { id: appId, organizationId, deletedAt: null },
    data: { nextBuildNumber: { increment: 1 } },
    select: { nextBuildNumber: true },
  })
  if (!app) return null
  // A build that deploys nothing takes no deployment's place, and none takes its own.
  const superseded =
    data.upload?.deploys === false
      ? []
      : await tx.build.updateManyAndReturn({
          where: { appId, organizationId, deploys: true, state: { in: buildStatesBefore('superseded') } },
          data: { state: 'superseded', finishedAt: new Date(), uploadSecrets: null },
          select: { id: true, number: true },
        })
  const build = await tx.build.create({
    data: {
      id: data.id ?? newId('build'),
      organizationId,
      appId,
      number: app.nextBuildNumber - 1,
      trigger: data.trigger,
      actorLabel: data.actorLabel,
      branch: data.branch,
      commitSha: data.commit?.sha ?? null,
      commitMessage: data.commit?.message ?? null,
      commitAuthor: data.commit?.author ?? null,
      commitAt: data.commit?.at ?? null,
      noCache: data.noCache ?? false,
      ...(data.upload && {
        upload: data.upload.options,
        uploadSecrets: data.upload.secrets,
        dockerfile: data.upload.dockerfile,
        deploys: data.upload.deploys,
      }),
    },
  })
  return { build, superseded }
}

const summary = {
  app: { select: { slug: true, name: true } },
  steps: { select: { state: true } },
} satisfies Prisma.BuildInclude
const full = {
  app: { select: { slug: true, name: true, dockerfilePath: true } },
  steps: { orderBy: { position: 'asc' } },
  deployments: { orderBy: { number: 'asc' }, take: 1, include: { host: { select: { name: true } } } },
} satisfies Prisma.BuildInclude
export type BuildSummaryRow = Prisma.BuildGetPayload<{ include: typeof summary }>
export type BuildRow = Prisma.BuildGetPayload<{ include: typeof full }>

export const findBuild = (db: Tx, organizationId: string, appId: string, number: number): Promise<BuildRow | null> =>
  db.build.findFirst({ where: { organizationId, appId, number }, include: full })

export async function listBuilds(db: Tx, organizationId: string, page: PageRequest & { appId?: string }) {
  const where = { organizationId, app: { deletedAt: null }, ...(page.appId && { appId: page.appId }) }
  const { take, orderBy, before } = pageArgs(page)
  const [rows, total] = await Promise.all([
    db.build.findMany({ where: { ...where, ...before }, take, orderBy, include: summary }),
    db.build.count({ where }),
  ])
  return toPage<BuildSummaryRow>(rows, total, page.limit, (row) => row.id)
}

/** The builds of an app up to `number` that came to an end with steps, newest first: what a comparison and advice are made of. */
export const buildHistory = (db: Tx, organizationId: string, appId: string, number: number, take: number) =>
  db.build.findMany({
    where: { organizationId, appId, number: { lte: number }, state: { in: ['succeeded', 'failed'] }, steps: { some: {} } },
    orderBy: { number: 'desc' },
    take,
    select: { number: true, state: true, startedAt: true, finishedAt: true, steps: { orderBy: { position: 'asc' } } },
  })

/** The newest build of each app of the organization, for lists of apps. Prisma's `distinct` would read all of them, and so would DISTINCT ON. */
export async function latestBuilds(db: Tx, organizationId: string, appIds: string[]): Promise<BuildSummaryRow[]> {
  if (appIds.length === 0) return []
  const newest = await db.$queryRaw<{ id: string }[]>`
    SELECT n."id" FROM UNNEST(${appIds}::text[]) AS a("id") CROSS JOIN LATERAL (
      SELECT x."id" FROM "Build" x WHERE x."appId" = a."id" AND x."organizationId" = ${organizationId} ORDER BY x."number" DESC LIMIT 1) n`
  return db.build.findMany({ where: { organizationId, id: { in: newest.map((row) => row.id) } }, include: summary })
}

/** Chunks with seq > after, in order. */
export const readBuildLogs = (db: Tx, organizationId: string, buildId: string, after: number, limit: number) =>
  db.buildLogChunk.findMany({
    where: { buildId, build: { organizationId }, seq: { gt: after } },
    orderBy: { seq: 'asc' },
    take: limit,
  })

/**
 * A waiting build is canceled at once; for a running one the wish is written down, and the worker ends it.
 * False when the build is over already.
 */
export async function requestBuildCancel(tx: Tx, organizationId: string, buildId: string, now = new Date()): Promise<boolean> {
  const waiting = await tx.build.updateMany({
    where: { id: buildId, organizationId, state: 'queued' },
    data: { state: 'canceled', cancelRequestedAt: now, finishedAt: now, uploadSecrets: null },
  })
  if (waiting.count === 1) return true
  const running = await tx.build.updateMany({ where: { id: buildId, organizationId, state: 'running' }, data: { cancelRequestedAt: now } })
  return running.count === 1
}

/** Of an app that is being deleted or stopped for good: ids of the running ones, for the cancel signal. */
export async function cancelBuildsOfApp(tx: Tx, organizationId: string, appId: string, now = new Date()): Promise<string[]> {
  await tx.build.updateMany({
    where: { organizationId, appId, state: 'queued' },
    data: { state: 'canceled', cancelRequestedAt: now, finishedAt: now, uploadSecrets: null },
  })
  const running = await tx.build.updateManyAndReturn({
    where: { organizationId, appId, state: 'running' },
    data: { cancelRequestedAt: now },
    select: { id: true },
  })
  return running.map((build) => build.id)
}

/** The newest build that published an image: what starting a stopped app deploys when it is newer than what served. */
export const newestSucceeded = (db: Tx, organizationId: string, appId: string) =>
  db.build.findFirst({
    where: { organizationId, appId, state: 'succeeded', deploys: true, manifestDigest: { not: null } },
    orderBy: { number: 'desc' },
  })
