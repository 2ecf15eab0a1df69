/**
 * Hosts belong to the installation, and any signed-in person may make an organization of their own: what holds for all organizations on a
 * host is for the owners and admins of the first one to say, the one that the set-up made.
 */
import { AppError } from '@slipway/core'
import { type Db, firstOrganizationId } from '@slipway/db'
import { assertMay, mayIn } from '../roles'
import type { Scope } from '../scope'

export const mayRunHosts = async (db: Db, scope: Scope): Promise<boolean> =>
  mayIn(scope, 'run hosts') && (await firstOrganizationId(db)) === scope.organizationId

export async function assertRunsHosts(db: Db, scope: Scope): Promise<void> {
  assertMay(scope, 'run hosts')
  if ((await firstOrganizationId(db)) === scope.organizationId) return
  throw new AppError({
    kind: 'forbidden',
    code: 'HOSTS_OF_OTHERS',
    message: 'Hosts are shared by all organizations here. Ask an owner or admin of the installation’s first organization to change them.',
  })
}
