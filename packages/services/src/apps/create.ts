import { randomBytes } from 'node:crypto'
import type { inputs, views } from '@slipway/contracts'
import { AppError, newId, slugify, sshAddress } from '@slipway/core'
import { appSlugTaken, createApp, createWebhook, findProject, isUniqueViolation, listProjects, type Tx } from '@slipway/db'
import type { z } from 'zod'
import { audit } from '../audit'
import { announceBuild, type CreatedBuild, insertBuild } from '../builds/create'
import { announceCreated, type Created } from '../deployments/create'
import { deployImage } from '../deployments/deployments'
import { assertFollowable } from '../deployments/follow'
import type { Deps } from '../deps'
import { createProjectRow } from '../projects/projects'
import { assertMay } from '../roles'
import type { Scope } from '../scope'
import type { AppsService } from '../services'
import { deployKeyLabel, newDeployKey, sealDeployKey } from './deploy-key'
import { freeHostname } from './hostname'
import { resolveImage } from './image-reference'
import { writeVariables } from './variables'

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never
type NewApp = DistributiveOmit<z.infer<typeof inputs.createApp>, 'org' | 'project'>

const NAME_RACES = 5

export const newWebhookSecret = () => randomBytes(32).toString('base64url')

async function freeSlug(tx: Tx, scope: Scope, name: string): Promise<string> {
  const base = slugify(name).slice(0, 40).replace(/-+$/, '') || 'app'
  let slug = base
  for (let n = 2; await appSlugTaken(tx, scope.organizationId, slug); n++) slug = `${base}-${n}`
  return slug
}

/** App, hostname, webhook, variables and its first build or deployment, all or nothing. */
async function insertApp(deps: Deps, tx: Tx, scope: Scope, projectId: string, input: NewApp) {
  const { organizationId } = scope
  const id = newId('app')
  const slug = await freeSlug(tx, scope, input.name)
  const hostname = await freeHostname(tx, slug, scope.organization, deps.config.baseDomain)
  const source =
    input.source === 'git'
      ? {
          gitUrl: input.gitUrl,
          gitBranch: input.gitBranch,
          gitToken: input.gitToken ? deps.sealer.seal(input.gitToken, { kind: 'gitToken', organizationId, id }) : null,
          // Its public half is shown with the app, to be added to the repository.
          ...(sshAddress(input.gitUrl) &&
            sealDeployKey(deps, { organizationId, id }, newDeployKey(deployKeyLabel(scope.organization, slug)))),
          dockerfilePath: input.dockerfilePath,
          contextPath: input.contextPath,
          target: input.target || null,
          autoDeploy: input.autoDeploy,
          buildPullRequests: input.buildPullRequests ?? false,
          ...(input.dockerfile && { keptDockerfile: input.dockerfile }),
          ...ofBuilds(input),
        }
      : input.source === 'image'
        ? { imageReference: input.imageReference.trim(), followTag: input.followTag ?? false }
        : {
            autoDeploy: false,
            ...ofBuilds(input),
          }
  const app = await createApp(
    tx,
    organizationId,
    {
      id,
      projectId,
      slug,
      name: input.name,
      source: input.source,
      ...source,
      port: input.port ?? null,
      healthPath: input.healthPath,
      healthTimeoutSeconds: input.healthTimeoutSeconds,
      memoryLimitBytes: input.memoryLimitBytes ?? null,
      cpuLimitMillis: input.cpuLimitMillis ?? null,
    },
    hostname,
  )
  await writeVariables(deps, tx, scope, id, input.variables)
  const webhookId = newId('webhook')
  await createWebhook(
    tx,
    organizationId,
    id,
    webhookId,
    deps.sealer.seal(newWebhookSecret(), { kind: 'webhook', organizationId, id: webhookId }),
  )
  await audit(tx, scope, 'app.create', { type: 'app', id, label: app.name }, { source: input.source })
  if (input.source === 'image') return { app, build: null, deployment: await deployImage(deps, tx, scope, id, 'create') }
  if (input.source === 'upload') return { app, build: null, deployment: null }
  const build = await insertBuild(tx, app, { trigger: 'create', actorLabel: scope.actor.label, branch: input.gitBranch })
  return { app, build, deployment: null }
}

interface Inserted {
  app: { id: string; slug: string; organizationId: string; project: { slug: string } }
  build: CreatedBuild | null
  deployment: Created | null
}

export const creationMethods = (deps: Deps): Pick<AppsService, 'create' | 'createExample'> => {
  /** Two people may take the same free name in the same instant; the unique index tells, and the slower one tries the next. */
  async function create(scope: Scope, projectOf: (tx: Tx) => Promise<string>, input: NewApp): Promise<views.CreatedAppView> {
    let inserted: Inserted | undefined
    for (let attempt = 1; !inserted; attempt++) {
      try {
        inserted = await deps.db.$transaction(async (tx) => insertApp(deps, tx, scope, await projectOf(tx), input))
      } catch (error) {
        if (!isUniqueViolation(error) || attempt === NAME_RACES) throw error
      }
    }
    const { app, build, deployment } = inserted
    if (build) await announceBuild(deps, app, build)
    if (deployment) await announceCreated(deps, app, deployment)
    return { app: app.slug, project: app.project.slug, build: build?.number ?? null, deployment: deployment?.number ?? null }
  }

  return {
    async create(scope, input) {
      assertMay(scope, 'change')
      const { project: slug, ...app } = input
      const project = await findProject(deps.db, scope.organizationId, slug)
      if (!project)
        throw new AppError({ kind: 'not-found', code: 'PROJECT_NOT_FOUND', message: 'This project does not exist. Choose another one.' })
      // Before anything is written, so that a wrong name is told at the form.
      if (app.source === 'image') await resolveImage(deps, scope, app.imageReference)
      if (app.source === 'image' && app.followTag) assertFollowable(deps, scope, app.imageReference)
      return create(scope, async () => project.id, app)
    },

    async createExample(scope, input) {
      assertMay(scope, 'change')
      const wanted = input.project ? await findProject(deps.db, scope.organizationId, input.project) : null
      if (input.project && !wanted)
        throw new AppError({ kind: 'not-found', code: 'PROJECT_NOT_FOUND', message: 'This project does not exist. Choose another one.' })
      const projectOf = async (tx: Tx) => {
        const project = wanted ?? (await listProjects(tx, scope.organizationId))[0] ?? (await createProjectRow(tx, scope, 'Examples'))
        return project.id
      }
      return create(scope, projectOf, {
        source: 'git',
        name: input.example,
        gitUrl: `${deps.config.webUrl}/api/examples/${input.example}.git`,
        gitBranch: 'main',
        variables: [],
        dockerfilePath: 'Dockerfile',
        contextPath: '.',
        healthPath: '/',
        healthTimeoutSeconds: 60,
        autoDeploy: true,
      })
    },
  }
}

/** What is the same wherever the files come from. */
const ofBuilds = (input: Exclude<NewApp, { source: 'image' }>) => ({
  provenance: input.provenance,
  sbom: input.sbom,
  buildMemoryBytes: input.buildMemoryBytes ?? null,
  buildCpuMillis: input.buildCpuMillis ?? null,
  buildPids: input.buildPids ?? null,
  buildDiskBytes: input.buildDiskBytes ?? null,
  buildTimeoutSeconds: input.buildTimeoutSeconds ?? null,
  buildCacheShare: input.buildCacheShare ?? 'image',
  namedContexts: input.namedContexts ?? [],
  imageFormat: input.imageFormat,
  platforms: input.platforms ?? [],
  reproducible: input.reproducible,
})
