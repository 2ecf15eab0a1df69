import { createHash, randomBytes } from 'node:crypto'
import { type inputs, robotGrants, type views } from '@slipway/contracts'
import { AppError, notFound } from '@slipway/core'
import {
  countRobots,
  createRobot,
  deleteRobot,
  isUniqueViolation,
  listRobots,
  type Robot,
  type RobotChange,
  updateRobot,
} from '@slipway/db'
import type { z } from 'zod'
import { audit } from '../audit'
import { type Deps, registryHost } from '../deps'
import { assertMay } from '../roles'
import type { Scope } from '../scope'
import type { RobotsService } from './service'

const DAY_MS = 24 * 60 * 60 * 1000
const MAX_ROBOTS = 100

export const createRobots = ({ db, config }: Pick<Deps, 'db' | 'config'>): RobotsService => {
  const made = (scope: Scope, robot: Robot, secret: string): views.CreatedRobotView => {
    const view = toView(scope, robot)
    // In single quotes: a shell would take $acme for a variable.
    return { secret, view, command: `echo ${secret} | docker login ${registryHost(config)} -u '${view.login}' --password-stdin` }
  }

  return {
    async list(scope) {
      assertMay(scope, 'manage registry')
      return (await listRobots(db, scope.organizationId)).map((robot) => toView(scope, robot))
    },

    async create(scope, input) {
      assertMay(scope, 'manage registry')
      const { secret, prefix, hash } = newSecret()
      try {
        const robot = await db.$transaction(async (tx) => {
          if ((await countRobots(tx, scope.organizationId)) >= MAX_ROBOTS)
            throw new AppError({
              kind: 'conflict',
              code: 'TOO_MANY_ROBOTS',
              message: `An organization has at most ${MAX_ROBOTS} robots. Delete one that is not used any more.`,
            })
          const created = await createRobot(tx, scope.organizationId, {
            name: input.name,
            prefix,
            hash,
            grants: input.grants,
            createdBy: scope.actor.label,
            expiresAt: inDays(input.expiresInDays),
          })
          await tell(tx, scope, 'robot.create', created, { grants: input.grants })
          return created
        })
        return made(scope, robot, secret)
      } catch (cause) {
        if (!isUniqueViolation(cause, 'name')) throw cause
        const message = 'A robot with this name is there already. Choose another one.'
        throw new AppError({ kind: 'conflict', code: 'ROBOT_NAME_TAKEN', message, cause })
      }
    },

    async update(scope, { id, grants, expiresInDays, disabled }) {
      assertMay(scope, 'manage registry')
      const change: RobotChange = {
        ...(grants && { grants }),
        ...(expiresInDays !== undefined && { expiresAt: inDays(expiresInDays) }),
        ...(disabled !== undefined && { disabledAt: disabled ? new Date() : null }),
      }
      const action = disabled === undefined ? 'robot.update' : disabled ? 'robot.disable' : 'robot.enable'
      return toView(scope, await changed(scope, id, change, action, grants ? { grants } : {}))
    },

    async rotate(scope, { id }) {
      assertMay(scope, 'manage registry')
      const { secret, prefix, hash } = newSecret()
      return made(scope, await changed(scope, id, { prefix, hash }, 'robot.rotate', {}), secret)
    },

    async delete(scope, { id }) {
      assertMay(scope, 'manage registry')
      const robot = await db.$transaction(async (tx) => {
        const gone = await deleteRobot(tx, scope.organizationId, id)
        if (!gone) throw notFound('robot', 'ROBOT_NOT_FOUND')
        await tell(tx, scope, 'robot.delete', gone, {})
        return gone
      })
      return toView(scope, robot)
    },
  }

  function changed(scope: Scope, id: string, change: RobotChange, action: string, data: { grants?: Grants }): Promise<Robot> {
    return db.$transaction(async (tx) => {
      const robot = await updateRobot(tx, scope.organizationId, id, change)
      if (!robot) throw notFound('robot', 'ROBOT_NOT_FOUND')
      await tell(tx, scope, action, robot, data)
      return robot
    })
  }
}

type Grants = z.infer<typeof inputs.createRobot>['grants']

const tell = (tx: Parameters<typeof audit>[0], scope: Scope, action: string, { id, name }: Robot, data: { grants?: Grants }) =>
  audit(tx, scope, action, { type: 'robot', id, label: name }, data)

/** 256 random bits, so a plain hash is enough: there is nothing to guess. */
function newSecret() {
  const secret = `slr_${randomBytes(32).toString('base64url')}`
  return { secret, prefix: secret.slice(4, 12), hash: createHash('sha256').update(secret).digest('hex') }
}

const inDays = (days: number | null) => (days === null ? null : new Date(Date.now() + days * DAY_MS))

function toView(scope: Scope, robot: Robot): views.RobotView {
  const { id, name, prefix, createdBy, createdAt, expiresAt, lastUsedAt, lastUsedFrom } = robot
  const grants = robotGrants.safeParse(robot.grants)
  const expired = expiresAt !== null && expiresAt <= new Date()
  return {
    id,
    name,
    login: `robot$${scope.organization}+${name}`,
    prefix: `slr_${prefix}…`,
    grants: grants.success ? grants.data : [],
    state: robot.disabledAt ? 'disabled' : expired ? 'expired' : 'active',
    createdBy,
    createdAt,
    expiresAt,
    lastUsedAt,
    lastUsedFrom,
  }
}
