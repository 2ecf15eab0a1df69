/** A deployment in the worker's hands: conditional changes only, by id (see build-run.repo.ts). */
import { type DeploymentState, type Hop, type StepState, UNSETTLED_DEPLOYMENT_STATES } from '@slipway/core'
import { errorColumns, type RunError } from './build-run.repo'
import type { Db, Tx } from './client'
import { emitEvent } from './events.repo'
import type { Prisma } from './generated/client'
import { deploymentStatesBefore, OPEN_STEP_STATES, RUNNING_DEPLOYMENT_STATES } from './states'

const run = {
  app: { include: { organization: { select: { slug: true } }, domains: true } },
  containers: true,
} satisfies Prisma.DeploymentInclude
export type DeploymentRunRow = Prisma.DeploymentGetPayload<{ include: typeof run }>

/** A deployment as the worker sees it, to bring its container back; null when it is gone. */
export const findDeploymentRun = (db: Tx, deploymentId: string): Promise<DeploymentRunRow | null> =>
  db.deployment.findUnique({ where: { id: deploymentId }, include: run })

export type DeploymentClaim = { outcome: 'claimed'; deployment: DeploymentRunRow } | { outcome: 'busy' } | { outcome: 'over' }

/**
 * queued → starting, on a host. `busy`: another deployment of the app is under way; `over`: nothing to do any more.
 * `containers` of the row tells what an earlier attempt left behind.
 */
export function claimDeployment(db: Db, deploymentId: string, hostId: string, now = new Date()): Promise<DeploymentClaim> {
  return db.$transaction(async (tx) => {
    const [app] = await tx.$queryRaw<{ id: string; deletedAt: Date | null }[]>`
      SELECT a."id", a."deletedAt" FROM "App" a JOIN "Deployment" d ON d."appId" = a."id" WHERE d."id" = ${deploymentId} FOR UPDATE OF a`
    if (!app || app.deletedAt) return { outcome: 'over' }
    const others = { appId: app.id, state: { in: RUNNING_DEPLOYMENT_STATES }, id: { not: deploymentId } }
    if (await tx.deployment.count({ where: others })) return { outcome: 'busy' }
    const { count } = await tx.deployment.updateMany({
      where: { id: deploymentId, state: 'queued', cancelRequestedAt: null },
      data: { state: 'starting', hostId, startedAt: now, heartbeatAt: now, attempt: { increment: 1 } },
    })
    if (count === 0) return { outcome: 'over' }
    return { outcome: 'claimed', deployment: await tx.deployment.findUniqueOrThrow({ where: { id: deploymentId }, include: run }) }
  })
}

/** Says that the worker lives, and hears whether it shall stop. A deployment that switches is no longer stopped. */
export async function heartbeatDeployment(db: Tx, deploymentId: string, now = new Date()): Promise<{ goOn: boolean }> {
  const { count } = await db.deployment.updateMany({
    where: { id: deploymentId, OR: [{ state: { in: ['starting', 'checking'] }, cancelRequestedAt: null }, { state: 'switching' }] },
    data: { heartbeatAt: now },
  })
  return { goOn: count === 1 }
}

/** starting → checking → switching, with facts found on the way. False when it is in no state to go there. */
export async function moveDeployment(
  db: Tx,
  deploymentId: string,
  to: DeploymentState,
  facts: Omit<Prisma.DeploymentUncheckedUpdateManyInput, 'state'> = {},
): Promise<boolean> {
  const { count } = await db.deployment.updateMany({
    where: { id: deploymentId, state: { in: deploymentStatesBefore(to) } },
    data: { ...facts, state: to },
  })
  return count === 1
}

/** Facts without a change of state (image digest, size). */
export const updateDeployment = (db: Tx, deploymentId: string, data: Omit<Prisma.DeploymentUncheckedUpdateManyInput, 'state'>) =>
  db.deployment.updateMany({ where: { id: deploymentId, state: { in: UNSETTLED_DEPLOYMENT_STATES } }, data })

/** Sets a hop; starting one stamps startedAt, ending one stamps finishedAt and the duration. */
export async function setHop(
  db: Tx,
  deploymentId: string,
  hop: Hop,
  state: StepState,
  proof?: string | null,
  now = new Date(),
): Promise<void> {
  const row = await db.deploymentStep.findUnique({ where: { deploymentId_hop: { deploymentId, hop } }, select: { startedAt: true } })
  const proofColumn = proof === undefined ? {} : { proof }
  const times =
    state === 'running'
      ? { startedAt: now, finishedAt: null, durationMs: null }
      : state === 'pending'
        ? { startedAt: null, finishedAt: null, durationMs: null }
        : { finishedAt: now, durationMs: row?.startedAt ? now.getTime() - row.startedAt.getTime() : null }
  await db.deploymentStep.updateMany({ where: { deploymentId, hop }, data: { state, ...proofColumn, ...times } })
}

/**
 * The app points at a deployment that switches: from then on every computation of the routes, by whomever, sends traffic to it.
 * The one before it keeps its state, so that there is a way back. False when it may not (deleted meanwhile, or not switching).
 */
export async function pointApp(db: Db, deploymentId: string): Promise<boolean> {
  const count = await db.$executeRaw`
    UPDATE "App" a SET "servingDeploymentId" = d."id" FROM "Deployment" d
    WHERE d."id" = ${deploymentId} AND d."state" = 'switching' AND a."id" = d."appId" AND a."deletedAt" IS NULL`
  return count === 1
}

/** Back to the one that served before, when the app points at one that will not. True when the routes have changed with it. */
export async function pointAppBack(tx: Tx, deploymentId: string): Promise<boolean> {
  const count = await tx.$executeRaw`
    UPDATE "App" a SET "servingDeploymentId" = (
      SELECT d."id" FROM "Deployment" d WHERE d."appId" = a."id" AND d."state" = 'serving' ORDER BY d."number" DESC LIMIT 1)
    WHERE a."servingDeploymentId" = ${deploymentId}
      AND EXISTS (SELECT 1 FROM "Deployment" d WHERE d."id" = ${deploymentId} AND d."state" <> 'serving')`
  return count === 1
}

/**
 * switching → serving in one transaction, once the router sends traffic to it: the one before it is retired.
 * False when it may not (deleted meanwhile, or not what the app points at).
 */
export function switchServing(db: Db, deploymentId: string, now = new Date()): Promise<boolean> {
  return db.$transaction(async (tx) => {
    const [app] = await tx.$queryRaw<{ id: string }[]>`
      SELECT "id" FROM "App" WHERE "servingDeploymentId" = ${deploymentId} AND "deletedAt" IS NULL FOR UPDATE`
    if (!app) return false
    const { count } = await tx.deployment.updateMany({
      where: { id: deploymentId, state: { in: deploymentStatesBefore('serving') } },
      data: { state: 'serving', servingAt: now },
    })
    if (count === 0) return false
    await tx.deployment.updateMany({
      where: { appId: app.id, state: 'serving', id: { not: deploymentId } },
      data: { state: 'retired', finishedAt: now },
    })
    await tellDeployment(tx, deploymentId, 'deployment.live')
    return true
  })
}

/** Ends a deployment that will not serve; open hops end with it, the running one as failed with `error.message` as its proof. */
export function finishDeployment(
  db: Db,
  deploymentId: string,
  to: Extract<DeploymentState, 'failed' | 'canceled'>,
  error?: RunError,
  now = new Date(),
): Promise<boolean> {
  return db.$transaction(async (tx) => {
    await pointAppBack(tx, deploymentId)
    const { count } = await tx.deployment.updateMany({
      // A serving one does not end here: it is retired by the next, or removed with its app.
      where: { id: deploymentId, state: { in: deploymentStatesBefore(to).filter((from) => from !== 'serving') } },
      data: { ...errorColumns(error), state: to, finishedAt: now },
    })
    if (count === 0) return false
    await tx.deploymentStep.updateMany({
      where: { deploymentId, state: 'running' },
      data: { state: to, finishedAt: now, ...(error && { proof: error.message }) },
    })
    await tx.deploymentStep.updateMany({
      where: { deploymentId, state: { in: OPEN_STEP_STATES } },
      data: { state: to === 'canceled' ? 'canceled' : 'skipped' },
    })
    if (to === 'failed') await tellDeployment(tx, deploymentId, 'deployment.failed')
    return true
  })
}

async function tellDeployment(tx: Tx, id: string, kind: 'deployment.live' | 'deployment.failed'): Promise<void> {
  const row = await tx.deployment.findUniqueOrThrow({
    where: { id },
    include: { app: { select: { slug: true, name: true } }, build: { select: { number: true } } },
  })
  await emitEvent(tx, row.organizationId, {
    kind,
    repository: null,
    actor: row.actorLabel,
    data: {
      app: row.app.slug,
      number: row.number,
      kind: row.kind,
      trigger: row.trigger,
      image: row.imageReference,
      digest: row.imageDigest,
      build: row.build?.number ?? null,
      ...(kind === 'deployment.failed' && { error: { code: row.errorCode, message: row.errorMessage } }),
    },
  })
}

/** Back to queued, for one whose worker died; its hops start and switch are open again, and the app points at what served before. */
export function requeueDeployment(db: Db, deploymentId: string, staleBefore: Date): Promise<boolean> {
  return db.$transaction(async (tx) => {
    // In the order of all others: the app's row, then the deployment's.
    await tx.$queryRaw`
      SELECT a."id" FROM "App" a JOIN "Deployment" d ON d."appId" = a."id" WHERE d."id" = ${deploymentId} FOR UPDATE OF a`
    const { count } = await tx.deployment.updateMany({
      where: { id: deploymentId, state: { in: RUNNING_DEPLOYMENT_STATES }, heartbeatAt: { lt: staleBefore } },
      data: { state: 'queued', startedAt: null },
    })
    if (count === 0) return false
    await pointAppBack(tx, deploymentId)
    await tx.deploymentStep.updateMany({
      where: { deploymentId, hop: { in: ['start', 'switch'] } },
      data: { state: 'pending', startedAt: null, finishedAt: null, durationMs: null, proof: null },
    })
    return true
  })
}

/** For the sweep: waiting ones, oldest first, and those under way that no worker has spoken for since `staleBefore`. */
export async function openDeployments(db: Tx, staleBefore: Date) {
  const select = { id: true, appId: true, organizationId: true, attempt: true, state: true, cancelRequestedAt: true } as const
  const [waiting, stale] = await Promise.all([
    db.deployment.findMany({ where: { state: 'queued' }, select, orderBy: { id: 'asc' }, take: 500 }),
    db.deployment.findMany({
      where: { state: { in: RUNNING_DEPLOYMENT_STATES }, heartbeatAt: { lt: staleBefore } },
      select,
      orderBy: { id: 'asc' },
      take: 500,
    }),
  ])
  return { waiting, stale }
}

export const findDeploymentToRun = (db: Tx, deploymentId: string) => db.deployment.findUnique({ where: { id: deploymentId } })
