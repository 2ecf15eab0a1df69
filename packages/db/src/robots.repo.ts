import { newId } from '@slipway/core'
import type { Tx } from './client'
import type { Prisma } from './generated/client'

/** Every read and write of people names the organization. */
export const listRobots = (db: Tx, organizationId: string) => db.robot.findMany({ where: { organizationId }, orderBy: { name: 'asc' } })

export const countRobots = (db: Tx, organizationId: string) => db.robot.count({ where: { organizationId } })

export interface NewRobot {
  name: string
  prefix: string
  hash: string
  grants: Prisma.InputJsonArray
  createdBy: string
  expiresAt: Date | null
}

/** Throws a unique violation when the organization has one of this name. */
export const createRobot = (tx: Tx, organizationId: string, data: NewRobot) =>
  tx.robot.create({ data: { id: newId('robot'), organizationId, ...data } })

export interface RobotChange {
  grants?: Prisma.InputJsonArray
  expiresAt?: Date | null
  disabledAt?: Date | null
  prefix?: string
  hash?: string
}

/** The robot after the change, or null when the organization has none with this id. */
export async function updateRobot(tx: Tx, organizationId: string, id: string, change: RobotChange) {
  const { count } = await tx.robot.updateMany({ where: { id, organizationId }, data: change })
  return count === 1 ? tx.robot.findUnique({ where: { id } }) : null
}

export async function deleteRobot(tx: Tx, organizationId: string, id: string) {
  const robot = await tx.robot.findFirst({ where: { id, organizationId } })
  if (robot) await tx.robot.delete({ where: { id } })
  return robot
}

const isLive = (robot: { expiresAt: Date | null; disabledAt: Date | null }, now: Date) =>
  robot.disabledAt === null && (robot.expiresAt === null || robot.expiresAt > now)

/** A live robot by the hash of its secret. Its last use is written at most once a minute and address. */
export async function useRobot(db: Tx, hash: string, address: string, now = new Date()) {
  const robot = await db.robot.findUnique({ where: { hash }, include: { organization: { select: { slug: true } } } })
  if (!robot || !isLive(robot, now)) return null
  if (!robot.lastUsedAt || now.getTime() - robot.lastUsedAt.getTime() > 60_000 || robot.lastUsedFrom !== address)
    await db.robot.updateMany({ where: { id: robot.id }, data: { lastUsedAt: now, lastUsedFrom: address } })
  return robot
}

/** A live robot by its id, for what it asks after its login. */
export async function findLiveRobot(db: Tx, id: string, now = new Date()) {
  const robot = await db.robot.findUnique({ where: { id }, include: { organization: { select: { slug: true } } } })
  return robot && isLive(robot, now) ? robot : null
}
