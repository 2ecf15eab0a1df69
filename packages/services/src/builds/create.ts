import { channels } from '@slipway/contracts'
import { notFound } from '@slipway/core'
import { type App, createBuild, type NewBuild, type Tx } from '@slipway/db'
import { announce, type Deps, startJob } from '../deps'

export interface CreatedBuild {
  id: string
  number: number
  superseded: string[]
  /** Running ones that it takes the place of. */
  canceling: string[]
}

/** In the caller's transaction; `announceBuild` comes after its commit. */
export async function insertBuild(tx: Tx, app: Pick<App, 'id' | 'organizationId'>, data: NewBuild): Promise<CreatedBuild> {
  const created = await createBuild(tx, app.organizationId, app.id, data)
  if (!created) throw notFound('app', 'APP_NOT_FOUND')
  const { build, superseded, canceling } = created
  return { id: build.id, number: build.number, superseded: superseded.map((row) => row.id), canceling }
}

export async function announceBuild(deps: Deps, app: Pick<App, 'id' | 'organizationId'>, created: CreatedBuild): Promise<void> {
  await startJob(deps, 'build', { buildId: created.id })
  const { superseded, canceling } = created
  for (const id of canceling) deps.signals.publish(channels.cancel, id)
  announce(deps, { organizationId: app.organizationId, appId: app.id, buildIds: [created.id, ...superseded, ...canceling] })
}
