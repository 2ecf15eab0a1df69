import { type DeploymentSettings, deploymentSettings } from '@slipway/contracts'
import { AppError, formatBytes, newId, notFound } from '@slipway/core'
import { type App, type Build, createDeployment, lockApp, type NewDeployment, type Tx, type Variable } from '@slipway/db'
import { openVariables } from '../apps/variables'
import { commitView } from '../builds/views'
import { announce, type Deps, startJob } from '../deps'

export interface Created {
  id: string
  number: number
  superseded: string[]
}

/** What of an app's settings a deployment remembers. */
export const settingsOf = (app: App): DeploymentSettings => ({
  port: app.port,
  healthPath: app.healthPath,
  healthTimeoutSeconds: app.healthTimeoutSeconds,
  memoryLimitBytes: app.memoryLimitBytes === null ? null : Number(app.memoryLimitBytes),
  cpuLimitMillis: app.cpuLimitMillis,
  pidsLimit: app.pidsLimit,
  drainSeconds: app.drainSeconds,
})

/** The runtime environment of an app now, as `{ KEY: value }`. */
export const environmentOf = (deps: Pick<Deps, 'sealer'>, variables: Variable[]) => openVariables(deps, variables, 'runtime')

export const openEnvironment = (
  deps: Pick<Deps, 'sealer'>,
  { id, organizationId, environment }: { id: string; organizationId: string; environment: Uint8Array },
): Record<string, string> =>
  JSON.parse(deps.sealer.open(environment, { kind: 'environment', organizationId, id })) as Record<string, string>

/** In the caller's transaction; `announceCreated` comes after its commit. */
export async function insertDeployment(
  deps: Deps,
  tx: Tx,
  app: { id: string; organizationId: string },
  data: Omit<NewDeployment, 'id' | 'environment' | 'settings'> & { settings: DeploymentSettings; environment: Record<string, string> },
): Promise<Created> {
  const id = newId('deployment')
  const { organizationId } = app
  const created = await createDeployment(tx, organizationId, app.id, {
    ...data,
    id,
    settings: deploymentSettings.parse(data.settings),
    environment: deps.sealer.seal(JSON.stringify(data.environment), { kind: 'environment', organizationId, id }),
  })
  if (!created) throw notFound('app', 'APP_NOT_FOUND')
  return { id, number: created.deployment.number, superseded: created.superseded.map((row) => row.id) }
}

export async function announceCreated(deps: Deps, app: { id: string; organizationId: string }, created: Created): Promise<void> {
  await startJob(deps, 'deploy', { deploymentId: created.id })
  announce(deps, { organizationId: app.organizationId, appId: app.id, deploymentIds: [created.id, ...created.superseded] })
}

/** The way as a build left it: push, build and publish are done, start and switch are to come. */
export function hopsOfBuild(build: Build & { steps: { state: string }[] }): NewDeployment['hops'] {
  const commit = commitView(build)
  const cached = build.steps.filter((step) => step.state === 'cached').length
  const end = build.finishedAt ?? new Date()
  const published = build.publishMs ?? 0
  const built = new Date(end.getTime() - published)
  const started = build.startedAt ?? build.queuedAt
  return {
    push: {
      state: 'done',
      proof: commit
        ? `${commit.sha.slice(0, 7)} on ${commit.branch}`
        : build.trigger === 'upload'
          ? `from the laptop of ${build.actorLabel}`
          : null,
      startedAt: build.queuedAt,
      finishedAt: started,
      durationMs: Math.max(0, started.getTime() - build.queuedAt.getTime()),
    },
    build: {
      state: 'done',
      proof: build.steps.length > 0 ? `${cached} of ${build.steps.length} cached` : null,
      startedAt: started,
      finishedAt: built,
      durationMs: Math.max(0, built.getTime() - started.getTime()),
    },
    publish: {
      state: 'done',
      proof: build.bytesSent === null ? null : `${formatBytes(build.bytesSent)} sent`,
      startedAt: built,
      finishedAt: end,
      durationMs: published,
    },
  }
}

/** Hops that an image from elsewhere, a redeploy or a rollback does not go through. */
export const SKIPPED_HOPS: NewDeployment['hops'] = {
  push: { state: 'skipped' },
  build: { state: 'skipped' },
  publish: { state: 'skipped' },
}

/** An app's row, locked; NOT_FOUND when it is being deleted. */
export async function lockedApp(tx: Tx, organizationId: string, appId: string) {
  const app = await lockApp(tx, organizationId, appId)
  if (!app) throw notFound('app', 'APP_NOT_FOUND')
  return app
}

export const nothingToDeploy = () =>
  new AppError({
    kind: 'conflict',
    code: 'NOTHING_TO_DEPLOY',
    message: 'This app has no image yet. Start a build first.',
  })
