import { AppError, may, type Permission, rolesThatMay } from '@slipway/core'
import type { Scope } from './scope'

export { may, PERMISSIONS, type Permission } from '@slipway/core'

/** Of whole organizations: a role that a grant gives on one repository or project never reaches them. */
const OF_ORGANIZATIONS: readonly Permission[] = ['manage members', 'make owners', 'manage registry', 'run hosts']

/** Whether the table of core/access.ts allows it; everything a use case changes asks this. */
export const mayIn = (scope: Scope, permission: Permission): boolean =>
  may(scope.role, permission) && !(scope.within && OF_ORGANIZATIONS.includes(permission))

/** Throws FORBIDDEN with who could do it. */
export function assertMay(scope: Scope, permission: Permission): void {
  if (mayIn(scope, permission)) return
  const roles = rolesThatMay(permission)
  const where = scope.within ? 'here' : `of ${scope.organization}`
  throw new AppError({
    kind: 'forbidden',
    code: 'ROLE_TOO_LOW',
    message: `As ${scope.role} ${where} you cannot do this. Ask ${roles.length > 2 ? 'an owner to make you developer' : `one who is ${roles.join(' or ')}`}.`,
    details: { role: scope.role, permission },
  })
}
