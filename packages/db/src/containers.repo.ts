import { newId } from '@slipway/core'
import type { Tx } from './client'
import type { Prisma } from './generated/client'

export interface NewContainer {
  organizationId: string
  appId: string
  deploymentId: string
  hostId: string
  /** 64 hex digits. */
  engineId: string
  name: string
  port: number
}

/** Before it is started: whatever happens next, the row says that there may be a container to remove. */
export const createContainer = (db: Tx, data: NewContainer) =>
  db.container.create({ data: { id: newId('container'), state: 'created', ...data } })

export type ContainerState = 'created' | 'running' | 'exited' | 'removed'

/** What the agent says of a container now. A removed one stays removed. */
export const updateContainer = (
  db: Tx,
  engineId: string,
  data: {
    state?: ContainerState
    address?: string | null
    exitCode?: number | null
    oomKilled?: boolean
    startedAt?: Date | null
    finishedAt?: Date | null
  },
) => db.container.updateMany({ where: { engineId, state: { not: 'removed' } }, data })

/** One that ran before runs again. False when that is known already, or when it is the first start, which its deployment notes. */
export async function noteRestart(db: Tx, engineId: string, address: string): Promise<boolean> {
  const known: Prisma.ContainerWhereInput = { engineId, state: { in: ['running', 'exited'] }, address: { not: null } }
  const moved = { ...known, NOT: { state: 'running' as const, address } }
  return (await db.container.updateMany({ where: moved, data: { state: 'running', address } })).count > 0
}

/** All that is not removed, on one host: to compare with the agent's own list. */
export const containersOnHost = (db: Tx, hostId: string) => db.container.findMany({ where: { hostId, state: { not: 'removed' } } })

export const containersOfDeployment = (db: Tx, deploymentId: string) =>
  db.container.findMany({ where: { deploymentId, state: { not: 'removed' } }, orderBy: { createdAt: 'asc' } })

export const containersOfApp = (db: Tx, organizationId: string, appId: string) =>
  db.container.findMany({ where: { organizationId, appId, state: { not: 'removed' } }, orderBy: { createdAt: 'asc' } })

const route = {
  domains: { select: { hostname: true } },
  containers: { where: { state: 'running' }, select: { engineId: true, deploymentId: true, address: true, port: true, name: true } },
} satisfies Prisma.AppInclude

export interface RouteRow {
  appId: string
  hostnames: string[]
  deploymentId: string
  /** Running containers of the serving deployment; none when they all have exited. */
  containers: { engineId: string; name: string; address: string; port: number }[]
}

/** Everything that the router shall know: apps that shall run, are not being deleted, and have a serving deployment. */
export async function listRoutes(db: Tx): Promise<RouteRow[]> {
  const apps = await db.app.findMany({
    where: { deletedAt: null, desiredState: 'running', servingDeploymentId: { not: null } },
    select: { id: true, servingDeploymentId: true, ...route },
    orderBy: { id: 'asc' },
  })
  return apps.map((app) => ({
    appId: app.id,
    hostnames: app.domains.map((domain) => domain.hostname),
    deploymentId: app.servingDeploymentId ?? '',
    containers: app.containers.flatMap(({ deploymentId, address, ...rest }) =>
      deploymentId === app.servingDeploymentId && address !== null ? [{ ...rest, address }] : [],
    ),
  }))
}
