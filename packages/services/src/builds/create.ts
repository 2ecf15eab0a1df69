import { notFound } from '@slipway/core'
import { type App, createBuild, type NewBuild, type Tx } from '@slipway/db'
import { announce, type Deps, startJob } from '../deps'

export interface CreatedBuild {
  id: string
  number: number
  superseded: string[]
}

/** In the caller's transaction; `announceBuild` comes after its commit. */
export async function insertBuild(tx: Tx, app: Pick<App, 'id' | 'organizationId'>, data: NewBuild): Promise<CreatedBuild> {
  const created = await createBuild(tx, app.organizationId, app.id, data)
  if (!created) throw notFound('app', 'APP_NOT_FOUND')
  return { id: created.build.id, number: created.build.number, superseded: created.superseded.map((row) => row.id) }
}

export async function announceBuild(deps: Deps, app: Pick<App, 'id' | 'organizationId'>, created: CreatedBuild): Promise<void> {
  await startJob(deps, 'build', { buildId: created.id })
  announce(deps, { organizationId: app.organizationId, appId: app.id, buildIds: [created.id, ...created.superseded] })
}
