/** Deployments as the panel makes and reads them. What the worker does to a running one is in deployment-run.repo.ts. */
import { HOPS, type Hop, newId, type StepState } from '@slipway/core'
import type { Tx } from './client'
import type { DeploymentKind, Prisma, Trigger } from './generated/client'
import { type PageRequest, pageArgs, toPage } from './page'
import { deploymentStatesBefore } from './states'

export interface NewDeployment {
  kind: DeploymentKind
  trigger: Trigger
  actorLabel: string
  buildId: string | null
  sourceDeploymentId: string | null
  imageReference: string
  imageDigest: string | null
  settings: Prisma.InputJsonValue
  /** Sealed by services/secrets for this id, hence the id is given. */
  id: string
  environment: Uint8Array<ArrayBuffer>
  /** What is known of the hops already (push, build, publish of a build); the others start pending. */
  hops: Partial<
    Record<Hop, { state: StepState; proof?: string | null; startedAt?: Date | null; finishedAt?: Date | null; durationMs?: number | null }>
  >
}

/**
 * Creates the app's next deployment with its five hops and supersedes those of it that still wait, in one transaction
 * (the counter's update locks the app's row). Null when the app is not in this organization or is being deleted.
 */
export async function createDeployment(tx: Tx, organizationId: string, appId: string, data: NewDeployment) {
  const [app] = await tx.app.updateManyAndReturn({
    where: { id: appId, organizationId, deletedAt: null },
    data: { nextDeploymentNumber: { increment: 1 } },
    select: { nextDeploymentNumber: true },
  })
  if (!app) return null
  const superseded = await tx.deployment.updateManyAndReturn({
    where: { appId, organizationId, state: { in: deploymentStatesBefore('superseded') } },
    data: { state: 'superseded', finishedAt: new Date() },
    select: { id: true, number: true },
  })
  const { hops, ...columns } = data
  const deployment = await tx.deployment.create({
    data: {
      ...columns,
      organizationId,
      appId,
      number: app.nextDeploymentNumber - 1,
      steps: {
        create: HOPS.map((hop, position) => ({ id: newId('deploymentStep'), position, hop, state: 'pending' as const, ...hops[hop] })),
      },
    },
  })
  return { deployment, superseded }
}

const full = {
  app: { select: { slug: true, source: true, organization: { select: { slug: true } } } },
  build: true,
  steps: { orderBy: { position: 'asc' } },
  containers: { orderBy: { createdAt: 'asc' }, include: { host: { select: { name: true } } } },
} satisfies Prisma.DeploymentInclude
export type DeploymentRow = Prisma.DeploymentGetPayload<{ include: typeof full }>

export const findDeployment = (db: Tx, organizationId: string, appId: string, number: number): Promise<DeploymentRow | null> =>
  db.deployment.findFirst({ where: { organizationId, appId, number }, include: full })

export const findDeploymentById = (db: Tx, organizationId: string, id: string): Promise<DeploymentRow | null> =>
  db.deployment.findFirst({ where: { organizationId, id }, include: full })

/** Numbers of deployments by id, for "rolled back to #7". */
export async function deploymentNumbers(db: Tx, organizationId: string, ids: string[]): Promise<Map<string, number>> {
  if (ids.length === 0) return new Map()
  const rows = await db.deployment.findMany({ where: { organizationId, id: { in: ids } }, select: { id: true, number: true } })
  return new Map(rows.map((row) => [row.id, row.number]))
}

export async function listDeployments(db: Tx, organizationId: string, appId: string, page: PageRequest) {
  const where = { organizationId, appId }
  const { take, orderBy, before } = pageArgs(page)
  const [rows, total] = await Promise.all([
    db.deployment.findMany({ where: { ...where, ...before }, take, orderBy, include: full }),
    db.deployment.count({ where }),
  ])
  return toPage<DeploymentRow>(rows, total, page.limit, (row) => row.id)
}

/** The newest deployment of each app, for lists of apps. */
export async function latestDeployments(db: Tx, organizationId: string, appIds: string[]): Promise<DeploymentRow[]> {
  if (appIds.length === 0) return []
  const newest = await db.$queryRaw<{ id: string }[]>`
    SELECT n."id" FROM UNNEST(${appIds}::text[]) AS a("id") CROSS JOIN LATERAL (
      SELECT x."id" FROM "Deployment" x WHERE x."appId" = a."id" AND x."organizationId" = ${organizationId} ORDER BY x."number" DESC LIMIT 1) n`
  return db.deployment.findMany({ where: { organizationId, id: { in: newest.map((row) => row.id) } }, include: full })
}

export const findDeploymentsById = (db: Tx, organizationId: string, ids: string[]): Promise<DeploymentRow[]> =>
  ids.length === 0 ? Promise.resolve([]) : db.deployment.findMany({ where: { organizationId, id: { in: ids } }, include: full })

/** The deployment that a build led to at first (later ones of it are redeploys). */
export const findDeploymentOfBuild = (db: Tx, organizationId: string, buildId: string) =>
  db.deployment.findFirst({ where: { organizationId, buildId, kind: 'deploy' }, select: { id: true, number: true } })

export const newestDeployment = (db: Tx, organizationId: string, appId: string): Promise<DeploymentRow | null> =>
  db.deployment.findFirst({ where: { organizationId, appId }, orderBy: { number: 'desc' }, include: full })

/** The newest one that served before: what a rollback without a number takes. */
export const newestRetired = (db: Tx, organizationId: string, appId: string): Promise<DeploymentRow | null> =>
  db.deployment.findFirst({ where: { organizationId, appId, state: 'retired' }, orderBy: { number: 'desc' }, include: full })

/** Waiting: canceled at once. Running: the wish is written down. False when it is too late (switching, serving, over). */
export async function requestDeploymentCancel(tx: Tx, organizationId: string, id: string, now = new Date()): Promise<boolean> {
  const waiting = await tx.deployment.updateMany({
    where: { id, organizationId, state: 'queued' },
    data: { state: 'canceled', cancelRequestedAt: now, finishedAt: now },
  })
  if (waiting.count === 1) {
    await tx.deploymentStep.updateMany({ where: { deploymentId: id, state: { in: ['pending', 'running'] } }, data: { state: 'canceled' } })
    return true
  }
  const running = await tx.deployment.updateMany({
    where: { id, organizationId, state: { in: deploymentStatesBefore('canceled') } },
    data: { cancelRequestedAt: now },
  })
  return running.count === 1
}

/** Of an app that is being deleted. Ids of those in the worker's hands, for the cancel signal. */
export async function cancelDeploymentsOfApp(tx: Tx, organizationId: string, appId: string, now = new Date()): Promise<string[]> {
  await tx.deployment.updateMany({
    where: { organizationId, appId, state: 'queued' },
    data: { state: 'canceled', cancelRequestedAt: now, finishedAt: now },
  })
  const running = await tx.deployment.updateManyAndReturn({
    where: { organizationId, appId, state: { in: ['starting', 'checking', 'switching'] } },
    data: { cancelRequestedAt: now },
    select: { id: true },
  })
  return running.map((row) => row.id)
}
