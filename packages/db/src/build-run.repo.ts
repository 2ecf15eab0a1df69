/**
 * A build in the worker's hands. These take a build's id alone: the worker serves every organization, and an id came
 * from a row that was made in one. Every change of state is conditional on the states before it, so that a worker that
 * comes back late changes nothing.
 */
import { type BuildState, newId, type StepState } from '@slipway/core'
import type { Db, Tx } from './client'
import { emitEvent } from './events.repo'
import { Prisma } from './generated/client'
import { buildStatesBefore, OPEN_STEP_STATES } from './states'

/** Says that the worker lives, and hears whether it shall stop: the cancel wish, or a state that is no longer `running`. */
export async function heartbeatBuild(db: Tx, buildId: string, now = new Date()): Promise<{ goOn: boolean }> {
  const { count } = await db.build.updateMany({
    where: { id: buildId, state: 'running', cancelRequestedAt: null },
    data: { heartbeatAt: now },
  })
  return { goOn: count === 1 }
}

/** Facts found on the way (commit, phase, image, bytes), only while it runs. */
export async function updateRunningBuild(db: Tx, buildId: string, data: Prisma.BuildUncheckedUpdateManyInput): Promise<boolean> {
  const { state: _, ...facts } = data
  return (await db.build.updateMany({ where: { id: buildId, state: 'running' }, data: facts })).count === 1
}

export interface BuildStepInput {
  position: number
  vertexId: string
  stage: string
  name: string
  instruction: string
  line: number
  inputs: number[]
}

/** The plan's steps, all pending; those of an earlier attempt are replaced. */
export async function replaceBuildSteps(db: Db, buildId: string, steps: BuildStepInput[]): Promise<void> {
  await db.$transaction([
    db.buildStep.deleteMany({ where: { buildId } }),
    db.buildStep.createMany({ data: steps.map((step) => ({ id: newId('buildStep'), buildId, ...step })) }),
  ])
}

/** What is said of a step while it runs; what is left out stays as it is. */
export interface BuildStepFacts {
  state: StepState
  missReason?: string
  missDetail?: string
  layerDigest?: string
  layerSize?: number
  unpackedSize?: number
  peakMemoryBytes?: number
  cpuMs?: number
  waitMs?: number
  diskReadBytes?: number
  diskWrittenBytes?: number
  exitCode?: number
  durationMs?: number
  startedAt?: Date
  finishedAt?: Date
}

/** All that was said of a build's steps since the last time, in one statement: a build from the cache says it all within a millisecond. */
export async function updateBuildSteps(db: Tx, buildId: string, steps: ReadonlyMap<string, BuildStepFacts>): Promise<void> {
  const rows = [...steps].map(([vertexId, facts]) => ({ vertexId, ...facts }))
  // Neither NUL nor half of a character is text to Postgres.
  const json = JSON.stringify(rows, (_key, value: unknown) =>
    typeof value === 'string' ? value.replace(/\0|\p{Surrogate}/gu, '\uFFFD') : value,
  )
  await db.$executeRaw`
    UPDATE "BuildStep" s SET
      "state" = u."state"::"StepState",
      "missReason" = COALESCE(u."missReason", s."missReason"), "missDetail" = COALESCE(u."missDetail", s."missDetail"),
      "layerDigest" = COALESCE(u."layerDigest", s."layerDigest"), "layerSize" = COALESCE(u."layerSize", s."layerSize"),
      "unpackedSize" = COALESCE(u."unpackedSize", s."unpackedSize"), "exitCode" = COALESCE(u."exitCode", s."exitCode"),
      "peakMemoryBytes" = COALESCE(u."peakMemoryBytes", s."peakMemoryBytes"), "cpuMs" = COALESCE(u."cpuMs", s."cpuMs"),
      "waitMs" = COALESCE(u."waitMs", s."waitMs"), "diskReadBytes" = COALESCE(u."diskReadBytes", s."diskReadBytes"),
      "diskWrittenBytes" = COALESCE(u."diskWrittenBytes", s."diskWrittenBytes"), "durationMs" = COALESCE(u."durationMs", s."durationMs"),
      "startedAt" = COALESCE(u."startedAt", s."startedAt"), "finishedAt" = COALESCE(u."finishedAt", s."finishedAt")
    FROM jsonb_to_recordset(${json}::jsonb) AS u(
      "vertexId" text, "state" text, "missReason" text, "missDetail" text, "layerDigest" text, "layerSize" bigint, "unpackedSize" bigint,
      "exitCode" int, "peakMemoryBytes" bigint, "cpuMs" int, "waitMs" int, "diskReadBytes" bigint, "diskWrittenBytes" bigint,
      "durationMs" int, "startedAt" timestamp(3), "finishedAt" timestamp(3))
    WHERE s."buildId" = ${buildId} AND s."vertexId" = u."vertexId"`
}

export interface LogChunkInput {
  seq: number
  position: number | null
  stream: 'stdout' | 'stderr' | 'system'
  at: Date
  text: string
}

/** The highest seq of a build, 0 when it has no log: a second attempt goes on after it. */
export const lastBuildLogSeq = async (db: Tx, buildId: string) =>
  (await db.buildLogChunk.aggregate({ where: { buildId }, _max: { seq: true } }))._max.seq ?? 0

/** One insert per batch. A seq that is there already is skipped, so a batch may be sent again. NUL is no text to Postgres. */
export const appendBuildLogs = (db: Tx, buildId: string, chunks: LogChunkInput[]) =>
  db.buildLogChunk.createMany({
    data: chunks.map((chunk) => ({ buildId, ...chunk, text: chunk.text.replaceAll('\0', '\uFFFD') })),
    skipDuplicates: true,
  })

export interface RunError {
  code: string
  message: string
  details?: Prisma.InputJsonValue
}

/** Ends a build; steps that are still open end with it. False when it was over already (canceled meanwhile). */
export function finishBuild(
  db: Db,
  buildId: string,
  to: Extract<BuildState, 'succeeded' | 'failed' | 'canceled'>,
  data: { error?: RunError; facts?: Omit<Prisma.BuildUncheckedUpdateManyInput, 'state'> } = {},
  now = new Date(),
): Promise<boolean> {
  return db.$transaction(async (tx) => {
    const { count } = await tx.build.updateMany({
      where: { id: buildId, state: { in: buildStatesBefore(to) } },
      // One that got to its end in spite of it has no reason to be canceled.
      data: {
        ...data.facts,
        ...(to === 'succeeded' ? { errorCode: null, errorMessage: null } : errorColumns(data.error)),
        state: to,
        finishedAt: now,
        phase: null,
        uploadSecrets: null,
      },
    })
    if (count === 0) return false
    if (to === 'succeeded') await closeRunningSteps(tx, buildId, now)
    await tx.buildStep.updateMany({
      where: { buildId, state: { in: OPEN_STEP_STATES } },
      data: { state: to === 'canceled' ? 'canceled' : 'skipped' },
    })
    if (to === 'failed') await tellFailed(tx, buildId)
    return true
  })
}

async function tellFailed(tx: Tx, id: string): Promise<void> {
  const row = await tx.build.findUniqueOrThrow({ where: { id }, include: { app: { select: { slug: true } } } })
  await emitEvent(tx, row.organizationId, {
    kind: 'build.failed',
    repository: null,
    actor: row.actorLabel,
    data: {
      app: row.app.slug,
      number: row.number,
      trigger: row.trigger,
      branch: row.branch,
      commit: row.commitSha,
      ...(row.pullRequest !== null && { pullRequest: { number: row.pullRequest, title: row.pullRequestTitle, fromFork: row.fromFork } }),
      error: { code: row.errorCode, message: row.errorMessage },
    },
  })
}

/**
 * A step whose layer the image does not need is still being packed when the build is over, so the engine never says that it
 * is done. It was, when the next one of its stage began.
 */
async function closeRunningSteps(tx: Tx, buildId: string, now: Date): Promise<void> {
  const running = await tx.buildStep.findMany({ where: { buildId, state: 'running' } })
  for (const { id, stage, position, startedAt } of running) {
    const next = await tx.buildStep.findFirst({
      where: { buildId, stage, position: { gt: position }, startedAt: { not: null } },
      orderBy: { position: 'asc' },
      select: { startedAt: true },
    })
    const finishedAt = next?.startedAt ?? now
    const durationMs = startedAt ? Math.max(0, finishedAt.getTime() - startedAt.getTime()) : null
    await tx.buildStep.update({ where: { id }, data: { state: 'done', finishedAt, durationMs } })
  }
}

export const errorColumns = (error: RunError | undefined) =>
  error ? { errorCode: error.code, errorMessage: error.message, errorDetails: error.details ?? Prisma.DbNull } : {}

/** running → queued, for a build whose worker died; false when something else happened to it meanwhile. */
export async function requeueBuild(db: Tx, buildId: string, staleBefore: Date): Promise<boolean> {
  const { count } = await db.build.updateMany({
    where: { id: buildId, state: 'running', heartbeatAt: { lt: staleBefore } },
    data: { state: 'queued', phase: null, startedAt: null },
  })
  return count === 1
}

/** For the sweep: waiting builds, oldest first, and running ones that no worker has spoken for since `staleBefore`. */
export async function openBuilds(db: Tx, staleBefore: Date) {
  const select = { id: true, appId: true, organizationId: true, attempt: true, state: true, cancelRequestedAt: true } as const
  const [waiting, stale] = await Promise.all([
    db.build.findMany({ where: { state: 'queued' }, select, orderBy: { id: 'asc' }, take: 500 }),
    db.build.findMany({ where: { state: 'running', heartbeatAt: { lt: staleBefore } }, select, orderBy: { id: 'asc' }, take: 500 }),
  ])
  return { waiting, stale }
}

/** A build whose image is published, with what its deployment shows of it. */
export const findBuildToDeploy = (db: Tx, buildId: string) =>
  db.build.findUnique({ where: { id: buildId }, include: { app: true, steps: { select: { state: true } } } })

/**
 * For the sweep: published builds whose worker died before it made the deployment. Only the newest of each app, and only
 * fresh ones: an app that was stopped meanwhile deploys its build when it is started.
 */
export async function undeployedBuilds(db: Tx, finishedSince: Date): Promise<string[]> {
  const rows = await db.$queryRaw<{ id: string }[]>`
    SELECT b."id" FROM "Build" b JOIN "App" a ON a."id" = b."appId"
    WHERE b."state" = 'succeeded' AND b."deploys" AND b."manifestDigest" IS NOT NULL AND b."finishedAt" > ${finishedSince}
      AND a."deletedAt" IS NULL AND a."desiredState" = 'running'
      AND NOT EXISTS (SELECT 1 FROM "Deployment" d WHERE d."buildId" = b."id")
      AND NOT EXISTS (SELECT 1 FROM "Build" n WHERE n."appId" = b."appId" AND n."number" > b."number" AND n."state" = 'succeeded' AND n."deploys")`
  return rows.map((row) => row.id)
}
