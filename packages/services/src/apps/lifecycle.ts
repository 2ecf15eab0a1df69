import { channels, type views } from '@slipway/contracts'
import { AppError } from '@slipway/core'
import { type AppRow, cancelBuildsOfApp, cancelDeploymentsOfApp, countsOfApp, newestSucceeded, type Tx, updateApp } from '@slipway/db'
import { audit } from '../audit'
import { announceBuild, insertBuild } from '../builds/create'
import { announceCreated } from '../deployments/create'
import { redeployInTx } from '../deployments/deployments'
import { announce, type Deps, startJob } from '../deps'
import { assertMay } from '../roles'
import type { Scope } from '../scope'
import type { AppsService, DeploymentsService } from '../services'
import { loadApp } from './load'

/** What deleting removes, named. Images stay in the registry: they may run elsewhere, and are deleted on their own page. */
export async function removalOf(db: Tx, scope: Scope, app: AppRow): Promise<views.AppView['removes']> {
  const counts = await countsOfApp(db, scope.organizationId, app.id)
  return { ...counts, volumes: app.volumes, hostnames: app.domains.map((domain) => domain.hostname), repository: null }
}

export const lifecycleMethods = (
  deps: Deps,
  get: AppsService['get'],
  deployments: Pick<DeploymentsService, 'createFromBuild'>,
): Pick<AppsService, 'stop' | 'start' | 'delete'> => ({
  async stop(scope, input) {
    assertMay(scope, 'change')
    const app = await loadApp(deps.db, scope, input.app)
    const running = await deps.db.$transaction(async (tx) => {
      await updateApp(tx, scope.organizationId, app.id, { desiredState: 'stopped' })
      await audit(tx, scope, 'app.stop', { type: 'app', id: app.id, label: app.name })
      // A deployment under way would start what was just stopped.
      return cancelDeploymentsOfApp(tx, scope.organizationId, app.id)
    })
    for (const id of running) deps.signals.publish(channels.cancel, id)
    await startJob(deps, 'converge', { appId: app.id })
    announce(deps, { organizationId: scope.organizationId, appId: app.id, deploymentIds: running })
    return get(scope, input)
  },

  async start(scope, input) {
    assertMay(scope, 'change')
    const app = await loadApp(deps.db, scope, input.app)
    await deps.db.$transaction(async (tx) => {
      await updateApp(tx, scope.organizationId, app.id, { desiredState: 'running' })
      await audit(tx, scope, 'app.start', { type: 'app', id: app.id, label: app.name })
    })
    if (app.servingDeploymentId) await startJob(deps, 'converge', { appId: app.id })
    else await startFirst(deps, scope, app, deployments)
    announce(deps, { organizationId: scope.organizationId, appId: app.id })
    return get(scope, input)
  },

  async delete(scope, input) {
    assertMay(scope, 'change')
    const app = await loadApp(deps.db, scope, input.app)
    if (input.confirm !== app.slug)
      throw new AppError({ kind: 'bad-input', code: 'CONFIRM_MISMATCH', message: `Type ${app.slug} to confirm.` })
    const removes = await removalOf(deps.db, scope, app)
    const running = await deps.db.$transaction(async (tx) => {
      await updateApp(tx, scope.organizationId, app.id, { deletedAt: new Date(), desiredState: 'stopped' })
      const builds = await cancelBuildsOfApp(tx, scope.organizationId, app.id)
      const under = await cancelDeploymentsOfApp(tx, scope.organizationId, app.id)
      await audit(tx, scope, 'app.delete', { type: 'app', id: app.id, label: app.name }, { ...removes })
      return { builds, under }
    })
    for (const id of [...running.builds, ...running.under]) deps.signals.publish(channels.cancel, id)
    await startJob(deps, 'converge', { appId: app.id })
    announce(deps, { organizationId: scope.organizationId, appId: app.id, buildIds: running.builds, deploymentIds: running.under })
    return removes
  },
})

/** An app that never served: deploy what was built (or what it names), else build. */
async function startFirst(deps: Deps, scope: Scope, app: AppRow, deployments: Pick<DeploymentsService, 'createFromBuild'>): Promise<void> {
  if (app.source === 'image') {
    const created = await deps.db.$transaction((tx) => redeployInTx(deps, tx, scope, app, 'manual'))
    return announceCreated(deps, app, created)
  }
  const built = await newestSucceeded(deps.db, scope.organizationId, app.id)
  if (built) {
    await deployments.createFromBuild(built.id)
    return
  }
  if (app.source === 'upload')
    throw new AppError({
      kind: 'conflict',
      code: 'NOTHING_TO_DEPLOY',
      message: 'Nothing of this app was built to be deployed yet. Run slipway build --deploy where its files are.',
    })
  const created = await deps.db.$transaction((tx) =>
    insertBuild(tx, app, { trigger: 'manual', actorLabel: scope.actor.label, branch: app.gitBranch }),
  )
  await announceBuild(deps, app, created)
}
