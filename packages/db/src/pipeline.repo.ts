/** Look-ups of the worker that belong to no single area's page. */
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

/** Whether a repository may be read by everybody; null when it does not exist. For no caller to see, only to decide. */
export const repositoryVisibility = async (db: Tx, organization: string, repository: string) =>
  (await db.repository.findFirst({ where: { name: repository, organization: { slug: organization } }, select: { visibility: true } }))
    ?.visibility ?? null

/** Serving deployments of apps that shall run, with what it takes to bring their containers back. */
export const servingDeployments = (db: Tx) =>
  db.app.findMany({
    where: { deletedAt: null, desiredState: 'running', servingDeploymentId: { not: null } },
    select: { id: true, servingDeploymentId: true },
  })
