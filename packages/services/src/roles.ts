import type { views } from '@slipway/contracts'
import { AppError } from '@slipway/core'
import type { Scope } from './scope'

/** What each role may do; everything a use case changes asks this one table. */
const ALLOWED = {
  read: ['owner', 'admin', 'developer', 'guest'],
  /** Projects, apps, builds, deployments, images: the daily work. */
  change: ['owner', 'admin', 'developer'],
  /** Tokens, webhook secrets, variables' values. */
  'read secrets': ['owner', 'admin', 'developer'],
  'manage members': ['owner', 'admin'],
  'make owners': ['owner'],
  /** Rules of the whole registry: quotas, retention, protected tags, robots, upstreams, replication, outgoing webhooks. */
  'manage registry': ['owner', 'admin'],
  /** What holds for all organizations on a host; only in the installation's first organization (`hosts/operator.ts`). */
  'run hosts': ['owner', 'admin'],
} as const satisfies Record<string, readonly views.Role[]>
export type Permission = keyof typeof ALLOWED

export const PERMISSIONS = Object.keys(ALLOWED) as Permission[]

export const may = (role: views.Role, permission: Permission): boolean => (ALLOWED[permission] as readonly views.Role[]).includes(role)

/** Throws FORBIDDEN with who could do it. */
export function assertMay(scope: Scope, permission: Permission): void {
  if (may(scope.role, permission)) return
  throw new AppError({
    kind: 'forbidden',
    code: 'ROLE_TOO_LOW',
    message: `As ${scope.role} of ${scope.organization} you cannot do this. Ask ${ALLOWED[permission].length > 2 ? 'an owner to make you developer' : `one who is ${ALLOWED[permission].join(' or ')}`}.`,
    details: { role: scope.role, permission },
  })
}
