import type { views } from '@slipway/contracts'
import { type AppState, isBuildOver, isDeploymentSettled } from '@slipway/core'
import { type AppRow, type BuildSummaryRow, type DeploymentRow, findDeploymentsById, latestBuilds, latestDeployments } from '@slipway/db'
import { commitView } from '../builds/views'
import { type Deps, publicUrl } from '../deps'
import type { Scope } from '../scope'

export interface AppActivity {
  build: BuildSummaryRow | null
  deployment: DeploymentRow | null
  serving: DeploymentRow | null
}

/** The newest build and deployment of each app, and the deployment that serves, with three queries for all of them. */
export async function activities(deps: Pick<Deps, 'db'>, scope: Scope, apps: AppRow[]): Promise<Map<string, AppActivity>> {
  const ids = apps.map((app) => app.id)
  const servingIds = apps.flatMap((app) => app.servingDeploymentId ?? [])
  const [builds, deployments, serving] = await Promise.all([
    latestBuilds(deps.db, scope.organizationId, ids),
    latestDeployments(deps.db, scope.organizationId, ids),
    findDeploymentsById(deps.db, scope.organizationId, servingIds),
  ])
  return new Map(
    apps.map((app) => [
      app.id,
      {
        build: builds.find((row) => row.appId === app.id) ?? null,
        deployment: deployments.find((row) => row.appId === app.id) ?? null,
        serving: serving.find((row) => row.id === app.servingDeploymentId) ?? null,
      },
    ]),
  )
}

export async function summarize(deps: Deps, scope: Scope, apps: AppRow[]): Promise<views.AppSummary[]> {
  const found = await activities(deps, scope, apps)
  return apps.map((app) => summaryOf(deps, app, found.get(app.id) ?? { build: null, deployment: null, serving: null }))
}

export function summaryOf(deps: Pick<Deps, 'config'>, app: AppRow, activity: AppActivity): views.AppSummary {
  const { state, words } = describe(app, activity)
  const build = activity.serving?.build ?? activity.build
  return {
    id: app.id,
    slug: app.slug,
    name: app.name,
    project: app.project,
    source: app.source,
    state,
    url: publicUrl(deps.config, app.domains[0]?.hostname ?? `${app.slug}.${deps.config.baseDomain}`),
    activity: words,
    commit: build ? commitView(build) : null,
    imageReference: app.imageReference,
    updatedAt: latest(app.updatedAt, activity.build?.queuedAt, activity.deployment?.queuedAt, activity.serving?.servingAt),
    servingSince: app.desiredState === 'running' ? (activity.serving?.servingAt ?? null) : null,
  }
}

const latest = (...dates: (Date | null | undefined)[]) => new Date(Math.max(...dates.map((date) => date?.getTime() ?? 0)))

/** One word and one short line. What is under way comes first, then what serves, then what failed. */
function describe(app: AppRow, { build, deployment, serving }: AppActivity): { state: AppState; words: string } {
  if (build && !isBuildOver(build.state)) return { state: 'building', words: `Build #${build.number} ${build.state}` }
  if (deployment && !isDeploymentSettled(deployment.state))
    return { state: 'deploying', words: `Deployment #${deployment.number} ${deployment.state}` }
  if (app.desiredState === 'stopped') return { state: 'stopped', words: 'Stopped' }
  const failure = newestFailure(build, deployment)
  if (serving) {
    const gone = serving.containers.filter((container) => container.state !== 'removed')
    const exited = gone.length > 0 && gone.every((container) => container.state === 'exited') ? gone[0] : undefined
    if (exited) {
      const why = exited.oomKilled ? 'Out of memory' : `Container exited (${exited.exitCode ?? 'unknown'})`
      return { state: 'failed', words: why }
    }
    return { state: 'live', words: failure ?? `Serving #${serving.number}` }
  }
  if (failure) return { state: 'failed', words: failure }
  if (build || deployment) return { state: 'empty', words: build ? `Build #${build.number} ${build.state}` : 'Not deployed' }
  return { state: 'empty', words: 'Not deployed yet' }
}

/** Only when nothing newer went well: a failed build before the serving deployment is history. */
function newestFailure(build: BuildSummaryRow | null, deployment: DeploymentRow | null): string | null {
  if (build?.state === 'failed' && (!deployment || deployment.queuedAt < build.queuedAt)) return `Build #${build.number} failed`
  return deployment?.state === 'failed' ? `Deployment #${deployment.number} failed` : null
}
