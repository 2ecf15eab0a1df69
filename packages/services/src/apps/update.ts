import { AppError, sshAddress } from '@slipway/core'
import { Prisma, updateApp } from '@slipway/db'
import { audit } from '../audit'
import { assertFollowable } from '../deployments/follow'
import { announce, type Deps } from '../deps'
import { assertMay } from '../roles'
import type { AppsService } from '../services'
import { resolveImage } from './image-reference'
import { loadApp } from './load'

const OF_GIT = ['gitUrl', 'gitBranch', 'dockerfilePath', 'contextPath', 'target', 'dockerfile', 'namedContexts', 'buildPullRequests']
const OF_IMAGE = ['imageReference', 'followTag']
const FOREIGN = { git: OF_IMAGE, image: OF_GIT, upload: [...OF_GIT, ...OF_IMAGE, 'gitToken'] } as const
const ORIGIN = { git: 'a repository', image: 'an image', upload: 'uploaded files' } as const

/** A token goes over http(s) only. */
const originOf = (gitUrl: string) => (sshAddress(gitUrl) ? 'ssh' : new URL(gitUrl).origin)

/** Takes effect with the next build or deployment: what runs now keeps the settings it was deployed with. */
export const updateMethod =
  (deps: Deps, get: AppsService['get']): AppsService['update'] =>
  async (scope, { app: slug, gitToken, dockerfile, ...named }) => {
    // A procedure hands on its whole input, which also says whose it is; every other key is a column.
    const { org: _, ...input }: typeof named & { org?: string } = named
    assertMay(scope, 'change')
    const app = await loadApp(deps.db, scope, slug)
    const { organizationId } = scope
    const foreign: readonly string[] = FOREIGN[app.source]
    const given = dockerfile === undefined ? Object.keys(input) : [...Object.keys(input), 'dockerfile']
    const wrong = given.find((key) => foreign.includes(key))
    if (wrong)
      throw new AppError({
        kind: 'bad-input',
        code: 'SETTING_OF_OTHER_SOURCE',
        message: `${wrong} does not apply to an app made from ${ORIGIN[app.source]}.`,
      })
    if (input.imageReference) await resolveImage(deps, scope, input.imageReference)
    if (input.followTag ?? app.followTag) assertFollowable(deps, scope, input.imageReference ?? app.imageReference ?? '')
    for (const { value } of input.namedContexts ?? [])
      if (value.startsWith('docker-image://')) await resolveImage(deps, scope, value.slice('docker-image://'.length))

    const data: Omit<Prisma.AppUncheckedUpdateManyInput, 'id' | 'organizationId'> = { ...input }
    if (dockerfile !== undefined) data.keptDockerfile = dockerfile ?? Prisma.DbNull
    if (gitToken) data.gitToken = deps.sealer.seal(gitToken, { kind: 'gitToken', organizationId, id: app.id })
    // A token was given for one host; sending it to another because the address changed would give it away.
    else if (gitToken === null || (input.gitUrl && app.gitUrl && originOf(input.gitUrl) !== originOf(app.gitUrl))) data.gitToken = null

    await deps.db.$transaction(async (tx) => {
      await updateApp(tx, organizationId, app.id, data)
      await audit(tx, scope, 'app.update', { type: 'app', id: app.id, label: input.name ?? app.name }, { changed: Object.keys(data) })
    })
    announce(deps, { organizationId, appId: app.id })
    return get(scope, { app: slug })
  }
