import { inputs, keptDockerfile } from '@slipway/contracts'
import { isBuildOver, isDeploymentSettled } from '@slipway/core'
import { listApps } from '@slipway/db'
import { buildSummary } from '../builds/views'
import { deploymentView } from '../deployments/views'
import type { Deps } from '../deps'
import type { AppsService, DeploymentsService } from '../services'
import { creationMethods } from './create'
import { deployKeyMethod } from './deploy-key'
import { lifecycleMethods, removalOf } from './lifecycle'
import { loadApp } from './load'
import { logsMethod } from './logs'
import { statsMethod } from './stats'
import { activities, summarize, summaryOf } from './summaries'
import { updateMethod } from './update'
import { variableMethods } from './variables'

export function createApps(deps: Deps, deployments: Pick<DeploymentsService, 'createFromBuild'>): AppsService {
  const get: AppsService['get'] = async (scope, input) => {
    const app = await loadApp(deps.db, scope, input.app)
    const activity = (await activities(deps, scope, [app])).get(app.id) ?? { build: null, deployment: null, serving: null }
    const { build, deployment, serving } = activity
    const inFlight = deployment && !isDeploymentSettled(deployment.state) ? deployment : null
    const [servingView, inFlightView, removes] = await Promise.all([
      serving && app.desiredState === 'running' ? deploymentView(deps, scope, serving) : null,
      inFlight ? deploymentView(deps, scope, inFlight) : null,
      removalOf(deps.db, scope, app),
    ])
    return {
      ...summaryOf(deps, app, activity),
      createdAt: app.createdAt,
      hostnames: app.domains.map((domain) => domain.hostname),
      desiredState: app.desiredState,
      serving: servingView,
      inFlight: inFlightView,
      inFlightBuild: build && !isBuildOver(build.state) ? buildSummary(build) : null,
      settings: {
        gitUrl: app.gitUrl,
        gitBranch: app.gitBranch,
        hasGitToken: app.gitToken !== null,
        deployKey: app.deployKeyPublic,
        dockerfilePath: app.dockerfilePath,
        contextPath: app.contextPath,
        target: app.target,
        dockerfile: keptDockerfile.safeParse(app.keptDockerfile).data ?? null,
        imageReference: app.imageReference,
        followTag: app.followTag,
        port: app.port,
        healthPath: app.healthPath,
        healthTimeoutSeconds: app.healthTimeoutSeconds,
        memoryLimitBytes: app.memoryLimitBytes === null ? null : Number(app.memoryLimitBytes),
        cpuLimitMillis: app.cpuLimitMillis,
        buildMemoryBytes: app.buildMemoryBytes === null ? null : Number(app.buildMemoryBytes),
        buildCpuMillis: app.buildCpuMillis,
        buildPids: app.buildPids,
        buildDiskBytes: app.buildDiskBytes === null ? null : Number(app.buildDiskBytes),
        buildTimeoutSeconds: app.buildTimeoutSeconds,
        buildCacheShare: app.buildCacheShare,
        namedContexts: inputs.namedContexts.parse(app.namedContexts),
        imageFormat: app.imageFormat,
        platforms: app.platforms,
        reproducible: app.reproducible,
        autoDeploy: app.autoDeploy,
        buildPullRequests: app.buildPullRequests,
        provenance: app.provenance,
        sbom: app.sbom,
      },
      removes,
    }
  }

  return {
    list: async (scope) => summarize(deps, scope, await listApps(deps.db, scope.organizationId)),
    get,
    ...creationMethods(deps),
    update: updateMethod(deps, get),
    setDeployKey: deployKeyMethod(deps, get),
    ...variableMethods(deps),
    ...lifecycleMethods(deps, get, deployments),
    logs: logsMethod(deps),
    stats: statsMethod(deps),
  }
}
