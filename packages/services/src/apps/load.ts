import { notFound } from '@slipway/core'
import { type AppRow, findApp, type Tx } from '@slipway/db'
import type { Scope } from '../scope'

/** The `(organization, slug)`-scoped loader: everything on an app starts here. */
export async function loadApp(db: Tx, scope: Scope, slug: string): Promise<AppRow> {
  const { within } = scope
  const reached = !within || ('app' in within && within.app === slug)
  const app = reached && (await findApp(db, scope.organizationId, slug))
  if (!app) throw notFound('app', 'APP_NOT_FOUND')
  return app
}
