import { newId } from '@slipway/core'
import type { Tx } from './client'
import type { Prisma } from './generated/client'

export interface HostFacts {
  instance: string | null
  version: string | null
  os: string | null
  kernel: string | null
  architecture: string | null
  cpus: number | null
  memoryBytes: bigint | null
}

/** The worker says what the agent of a host told of itself; called at start and with every heartbeat. */
export const upsertHost = (db: Tx, name: string, facts: HostFacts, now = new Date()) =>
  db.host.upsert({
    where: { name },
    create: { id: newId('host'), name, state: 'online', lastSeenAt: now, ...facts },
    update: { state: 'online', lastSeenAt: now, ...facts },
  })

export const markHostOffline = (db: Tx, name: string) => db.host.updateMany({ where: { name }, data: { state: 'offline' } })

/** Hosts belong to the installation; the containers shown on them are only those of one organization. */
export const listHosts = (db: Tx, organizationId: string) =>
  db.host.findMany({
    orderBy: { name: 'asc' },
    include: {
      containers: {
        where: { organizationId, state: { not: 'removed' } },
        orderBy: { createdAt: 'asc' },
        include: { host: { select: { name: true } } },
      },
    },
  })

export const hostBuildPolicy = (db: Tx, id: string) =>
  db.host.findUnique({ where: { id }, select: { name: true, instance: true, buildPolicy: true } })

export const setHostBuildPolicy = (tx: Tx, id: string, buildPolicy: Prisma.InputJsonValue) =>
  tx.host.update({ where: { id }, data: { buildPolicy } })
