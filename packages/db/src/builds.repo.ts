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
  /** Of one, which is never deployed. */
  pullRequest?: { number: number; title: string; ref: string; fromFork: boolean }
  /** Of a build from a client's files. */
  upload?: { options: Prisma.InputJsonObject; secrets: Uint8Array<ArrayBuffer>; dockerfile: string; deploys: boolean }
}

/**
 * Creates the app's next build and supersedes those to be deployed that still wait, in one transaction: the counter's update locks
 * the app's row, so two pushes in the same instant become two numbers, the older of which is superseded. One of a pull request takes
 * the place of that pull request's open builds alone; `canceling` are those among them that run and are to be told.
 * Null when the app is not in this organization or is being deleted.
 */
export async function createBuild(tx: Tx, organizationId: string, appId: string, data: NewBuild) {
  const [app] = await tx.app.updateManyAndReturn({
    where: { id: appId, organizationId, deletedAt: null },
    data: { nextBuildNumber: { increment: 1 } },
    select: { nextBuildNumber: true },
  })
  if (!app) return null
  const { pullRequest } = data
  const supersede = (which: Prisma.BuildWhereInput) =>
    tx.build.updateManyAndReturn({
      where: { appId, organizationId, state: { in: buildStatesBefore('superseded') }, ...which },
      data: { state: 'superseded', finishedAt: new Date(), uploadSecrets: null },
      select: { id: true, number: true },
    })
  const deploys = !pullRequest && data.upload?.deploys !== false
  // A build that deploys nothing takes no deployment's place, and none takes its own.
  const superseded = pullRequest ? await supersede({ pullRequest: pullRequest.number }) : deploys ? await supersede({ deploys: true }) : []
  const canceling = pullRequest ? await cancelBuildsOfPullRequest(tx, organizationId, appId, pullRequest.number, NEWER_COMMIT) : []
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
      deploys,
      ...(pullRequest && {
        pullRequest: pullRequest.number,
        pullRequestTitle: pullRequest.title,
        pullRequestRef: pullRequest.ref,
        fromFork: pullRequest.fromFork,
      }),
      ...(data.upload && {
        upload: data.upload.options,
        uploadSecrets: data.upload.secrets,
        dockerfile: data.upload.dockerfile,
      }),
    },
  })
  return { build, superseded, canceling: canceling.map(({ id }) => id) }
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

export async function listBuilds(db: Tx, organizationId: string, page: PageRequest & { appId?: string; pullRequests?: boolean }) {
  const where = {
    organizationId,
    app: { deletedAt: null },
    ...(page.appId && { appId: page.appId }),
    ...(page.pullRequests === false && { pullRequest: null }),
  }
  const { take, orderBy, before } = pageArgs(page)
  const [rows, total] = await Promise.all([
    db.build.findMany({ where: { ...where, ...before }, take, orderBy, include: summary }),
    db.build.count({ where }),
  ])
  return toPage<BuildSummaryRow>(rows, total, page.limit, (row) => row.id)
}

/**
 * The builds of an app up to `number` that came to an end with steps, newest first: what a comparison and advice are made of. Of pull
 * requests there is that one alone: the others are of other people's changes.
 */
export const buildHistory = (db: Tx, organizationId: string, appId: string, number: number, take: number) =>
  db.build.findMany({
    where: {
      organizationId,
      appId,
      OR: [{ number }, { number: { lt: number }, pullRequest: null }],
      state: { in: ['succeeded', 'failed'] },
      steps: { some: {} },
    },
    orderBy: { number: 'desc' },
    take,
    select: { number: true, state: true, startedAt: true, finishedAt: true, steps: { orderBy: { position: 'asc' } } },
  })

/** The newest build of each app of the organization that is no pull request's, for lists of apps. Prisma's `distinct` would read all of them, and so would DISTINCT ON. */
export async function latestBuilds(db: Tx, organizationId: string, appIds: string[]): Promise<BuildSummaryRow[]> {
  if (appIds.length === 0) return []
  const newest = await db.$queryRaw<{ id: string }[]>`
    SELECT n."id" FROM UNNEST(${appIds}::text[]) AS a("id") CROSS JOIN LATERAL (
      SELECT x."id" FROM "Build" x WHERE x."appId" = a."id" AND x."organizationId" = ${organizationId} AND x."pullRequest" IS NULL
      ORDER BY x."number" DESC LIMIT 1) n`
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

export interface CancelReason {
  code: string
  message: string
}
const NEWER_COMMIT: CancelReason = {
  code: 'PULL_REQUEST_MOVED_ON',
  message: 'The pull request has a newer commit, which is built instead.',
}

/** Its open builds, and why they end: waiting ones at once; of running ones the wish is written down, and the worker ends them. */
export async function cancelBuildsOfPullRequest(
  tx: Tx,
  organizationId: string,
  appId: string,
  pullRequest: number,
  reason: CancelReason,
  now = new Date(),
): Promise<{ id: string; number: number; running: boolean }[]> {
  const where = { organizationId, appId, pullRequest }
  const why = { cancelRequestedAt: now, errorCode: reason.code, errorMessage: reason.message }
  const select = { id: true, number: true } as const
  const waiting = await tx.build.updateManyAndReturn({
    where: { ...where, state: 'queued' },
    data: { ...why, state: 'canceled', finishedAt: now },
    select,
  })
  const running = await tx.build.updateManyAndReturn({ where: { ...where, state: 'running' }, data: why, select })
  return [...waiting.map((row) => ({ ...row, running: false })), ...running.map((row) => ({ ...row, running: true }))]
}

/** Of all pull requests of an app, how many builds wait. */
export const waitingPullRequestBuilds = (tx: Tx, organizationId: string, appId: string) =>
  tx.build.count({ where: { organizationId, appId, pullRequest: { not: null }, state: 'queued' } })

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
