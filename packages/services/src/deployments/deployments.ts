import { channels, deploymentSettings, OWN_REGISTRY_HOST } from '@slipway/contracts'
import { AppError, canRollBackTo, notFound } from '@slipway/core'
import {
  type DeploymentRow,
  findBuildToDeploy,
  findDeployment,
  findDeploymentById,
  findDeploymentOfBuild,
  findDeploymentToRun,
  listDeployments,
  newestDeployment,
  newestRetired,
  requestDeploymentCancel,
  type Tx,
  updateApp,
} from '@slipway/db'
import { resolveImage } from '../apps/image-reference'
import { loadApp } from '../apps/load'
import { audit } from '../audit'
import { announce, type Deps } from '../deps'
import { assertMay } from '../roles'
import type { Scope } from '../scope'
import type { DeploymentsService } from '../services'
import {
  announceCreated,
  type Created,
  environmentOf,
  hopsOfBuild,
  insertDeployment,
  lockedApp,
  nothingToDeploy,
  openEnvironment,
  SKIPPED_HOPS,
  settingsOf,
} from './create'
import { deployFollowers } from './follow'
import { deploymentView, deploymentViews } from './views'

type Via = 'create' | 'manual' | 'api'

async function load(db: Tx, scope: Scope, slug: string, number: number): Promise<DeploymentRow> {
  const app = await loadApp(db, scope, slug)
  const row = await findDeployment(db, scope.organizationId, app.id, number)
  if (!row) throw notFound('deployment', 'DEPLOYMENT_NOT_FOUND')
  return row
}

/** The first deployment of an app "from image", or one after its reference was changed. */
export async function deployImage(deps: Deps, tx: Tx, scope: Scope, appId: string, trigger: Via): Promise<Created> {
  const app = await lockedApp(tx, scope.organizationId, appId)
  if (!app.imageReference) throw nothingToDeploy()
  const { reference, digest } = await resolveImage(deps, scope, app.imageReference)
  return insertDeployment(deps, tx, app, {
    kind: 'deploy',
    trigger,
    actorLabel: scope.actor.label,
    buildId: null,
    sourceDeploymentId: null,
    imageReference: reference,
    imageDigest: digest,
    settings: settingsOf(app),
    environment: environmentOf(deps, app.variables),
    hops: SKIPPED_HOPS,
  })
}

/** The image that serves (or was deployed last) again, with the settings and variables of now. */
async function again(deps: Deps, tx: Tx, scope: Scope, appId: string, trigger: Via): Promise<Created> {
  const app = await lockedApp(tx, scope.organizationId, appId)
  if (app.source === 'image') return deployImage(deps, tx, scope, appId, trigger)
  const serving = app.servingDeploymentId ? await findDeploymentById(tx, scope.organizationId, app.servingDeploymentId) : null
  const last = serving ?? (await newestDeployment(tx, scope.organizationId, appId))
  if (!last) throw nothingToDeploy()
  return insertDeployment(deps, tx, app, {
    kind: 'redeploy',
    trigger,
    actorLabel: scope.actor.label,
    buildId: last.buildId,
    sourceDeploymentId: last.id,
    imageReference: last.imageReference,
    imageDigest: last.imageDigest,
    settings: settingsOf(app),
    environment: environmentOf(deps, app.variables),
    hops: SKIPPED_HOPS,
  })
}

export async function redeployInTx(deps: Deps, tx: Tx, scope: Scope, app: { id: string; name: string }, trigger: Via): Promise<Created> {
  const created = await again(deps, tx, scope, app.id, trigger)
  // Whoever deploys wants it to run.
  await updateApp(tx, scope.organizationId, app.id, { desiredState: 'running' })
  await audit(tx, scope, 'deployment.create', { type: 'app', id: app.id, label: app.name }, { number: created.number })
  return created
}

export const createDeployments = (deps: Deps): DeploymentsService => ({
  async list(scope, input) {
    const app = await loadApp(deps.db, scope, input.app)
    const { rows, next, total } = await listDeployments(deps.db, scope.organizationId, app.id, input)
    return { items: await deploymentViews(deps, scope, rows), next, total }
  },

  async get(scope, input) {
    return deploymentView(deps, scope, await load(deps.db, scope, input.app, input.number))
  },

  async redeploy(scope, input, via) {
    assertMay(scope, 'change')
    const app = await loadApp(deps.db, scope, input.app)
    const created = await deps.db.$transaction((tx) => redeployInTx(deps, tx, scope, app, via))
    await announceCreated(deps, app, created)
    return { number: created.number }
  },

  async rollback(scope, input, via) {
    assertMay(scope, 'change')
    const app = await loadApp(deps.db, scope, input.app)
    const created = await deps.db.$transaction(async (tx) => {
      const locked = await lockedApp(tx, scope.organizationId, app.id)
      const source = input.number
        ? await findDeployment(tx, scope.organizationId, app.id, input.number)
        : await newestRetired(tx, scope.organizationId, app.id)
      if (!source && input.number) throw notFound('deployment', 'DEPLOYMENT_NOT_FOUND')
      if (!source || !canRollBackTo(source.state) || !source.imageDigest)
        throw new AppError({
          kind: 'conflict',
          code: 'CANNOT_ROLL_BACK',
          message: source
            ? `Deployment #${source.number} is ${source.state}; only one that has served before can be rolled back to.`
            : 'There is no earlier deployment that served. Roll back once a second one has replaced the first.',
        })
      const made = await insertDeployment(deps, tx, locked, {
        kind: 'rollback',
        trigger: via,
        actorLabel: scope.actor.label,
        buildId: source.buildId,
        sourceDeploymentId: source.id,
        imageReference: source.imageReference,
        imageDigest: source.imageDigest,
        // Both as they were then: the code may need the variables it was deployed with.
        settings: deploymentSettings.parse(source.settings),
        environment: openEnvironment(deps, source),
        hops: SKIPPED_HOPS,
      })
      await updateApp(tx, scope.organizationId, app.id, { desiredState: 'running' })
      await audit(
        tx,
        scope,
        'deployment.rollback',
        { type: 'app', id: app.id, label: app.name },
        { number: made.number, to: source.number },
      )
      return made
    })
    await announceCreated(deps, app, created)
    return { number: created.number }
  },

  async cancel(scope, input) {
    assertMay(scope, 'change')
    const row = await load(deps.db, scope, input.app, input.number)
    await deps.db.$transaction(async (tx) => {
      if (!(await requestDeploymentCancel(tx, scope.organizationId, row.id)))
        throw new AppError({
          kind: 'conflict',
          code: 'TOO_LATE_TO_CANCEL',
          message: `Deployment #${row.number} is ${row.state} and can no longer be canceled. Roll back instead.`,
        })
      await audit(tx, scope, 'deployment.cancel', { type: 'deployment', id: row.id, label: `${row.app.slug} #${row.number}` })
    })
    deps.signals.publish(channels.cancel, row.id)
    announce(deps, { organizationId: scope.organizationId, appId: row.appId, deploymentIds: [row.id] })
    return deploymentView(deps, scope, await load(deps.db, scope, input.app, input.number))
  },

  async createFromBuild(buildId) {
    const created = await deps.db.$transaction(async (tx) => {
      const build = await findBuildToDeploy(tx, buildId)
      if (!build?.deploys || build.app.deletedAt) return null
      const app = await lockedApp(tx, build.organizationId, build.appId)
      const existing = await findDeploymentOfBuild(tx, build.organizationId, build.id)
      if (existing) return { app, made: { ...existing, superseded: [] } }
      // Stopped meanwhile: the image is there, and starting the app deploys it.
      if (app.desiredState === 'stopped') return null
      if (!build.manifestDigest)
        throw new AppError({
          kind: 'internal',
          code: 'BUILD_NOT_PUBLISHED',
          message: `Build #${build.number} has no published image to deploy.`,
        })
      const repository = build.imageRepository ?? `${OWN_REGISTRY_HOST}/${app.organization.slug}/${app.slug}`
      const made = await insertDeployment(deps, tx, app, {
        kind: 'deploy',
        trigger: build.trigger,
        actorLabel: build.actorLabel,
        buildId: build.id,
        sourceDeploymentId: null,
        imageReference: `${repository}@${build.manifestDigest}`,
        imageDigest: build.manifestDigest,
        settings: settingsOf(app),
        environment: environmentOf(deps, app.variables),
        hops: hopsOfBuild(build),
      })
      return { app, made }
    })
    if (!created) return null
    await announceCreated(deps, created.app, created.made)
    announce(deps, { organizationId: created.app.organizationId, buildIds: [buildId] })
    return { id: created.made.id, number: created.made.number }
  },

  followTags: (moved) => deployFollowers(deps, moved),

  async environment(deploymentId) {
    const row = await findDeploymentToRun(deps.db, deploymentId)
    if (!row) throw notFound('deployment', 'DEPLOYMENT_NOT_FOUND')
    return Object.entries(openEnvironment(deps, row)).map(([key, value]) => `${key}=${value}`)
  },
})
