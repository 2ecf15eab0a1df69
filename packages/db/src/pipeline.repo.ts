/** Look-ups of the worker that belong to no single area's page. */
import { UNSETTLED_DEPLOYMENT_STATES } from '@slipway/core'
import type { Tx } from './client'

/** The oldest build that waits for this app's running one to be over. */
export const nextQueuedBuild = async (db: Tx, appId: string) =>
  (await db.build.findFirst({ where: { appId, state: 'queued' }, orderBy: { number: 'asc' }, select: { id: true } }))?.id ?? null

export const nextQueuedDeployment = async (db: Tx, appId: string) =>
  (await db.deployment.findFirst({ where: { appId, state: 'queued' }, orderBy: { number: 'asc' }, select: { id: true } }))?.id ?? null

/** The number of what serves an app, for the sentence that says so. */
export const servingNumber = async (db: Tx, appId: string) =>
  (await db.app.findUnique({ where: { id: appId }, select: { servingDeployment: { select: { number: true } } } }))?.servingDeployment
    ?.number ?? null

/** Who may read a repository; null when it does not exist. For no caller to see, only to decide. */
export const repositoryVisibility = async (db: Tx, organization: string, repository: string) =>
  (await db.repository.findFirst({ where: { name: repository, organization: { slug: organization } }, select: { visibility: true } }))
    ?.visibility ?? null

/** Serving deployments of apps that shall run, with what it takes to bring their containers back. */
export const servingDeployments = (db: Tx) =>
  db.app.findMany({
    where: { deletedAt: null, desiredState: 'running', servingDeploymentId: { not: null } },
    select: { id: true, servingDeploymentId: true },
  })

/**
 * Of these deployments, the ones whose containers must stay: under way, serving (a stopped app keeps its container), or
 * retired after `retiredSince` and perhaps still draining.
 */
export async function neededDeployments(db: Tx, ids: string[], retiredSince: Date): Promise<Set<string>> {
  const rows = await db.deployment.findMany({
    where: {
      id: { in: ids },
      app: { deletedAt: null },
      OR: [
        { state: { in: UNSETTLED_DEPLOYMENT_STATES } },
        { servingApp: { isNot: null } },
        // While the next one switches.
        { state: 'serving' },
        { state: 'retired', finishedAt: { gt: retiredSince } },
      ],
    },
    select: { id: true },
  })
  return new Set(rows.map((row) => row.id))
}

/** The host's row by name, when it was ever seen. */
export const findHost = async (db: Tx, name: string) => (await db.host.findUnique({ where: { name }, select: { id: true } }))?.id ?? null

/** Apps that shall be stopped and whose containers were last seen running: their converge was lost. */
export const stoppedAppsStillRunning = async (db: Tx) =>
  (
    await db.app.findMany({
      where: { deletedAt: null, desiredState: 'stopped', containers: { some: { state: 'running' } } },
      select: { id: true },
    })
  ).map((app) => app.id)
