import { channels } from '@slipway/contracts'
import { AppError, notFound } from '@slipway/core'
import { type BuildRow, findBuild, listBuilds, queuePosition, readBuildLogs, requestBuildCancel, type Tx, updateApp } from '@slipway/db'
import { loadApp } from '../apps/load'
import { audit } from '../audit'
import { announce, type Deps } from '../deps'
import { imageFacts } from '../images/facts'
import { assertMay } from '../roles'
import type { Scope } from '../scope'
import type { BuildsService } from '../services'
import { announceBuild, insertBuild } from './create'
import { insightsOf } from './insights'
import { outputMethods } from './output'
import { sshMethods } from './ssh'
import { uploadMethod } from './upload'
import { buildSummary, buildView } from './views'

async function load(db: Tx, scope: Scope, slug: string, number: number): Promise<BuildRow> {
  const app = await loadApp(db, scope, slug)
  const row = await findBuild(db, scope.organizationId, app.id, number)
  if (!row) throw notFound('build', 'BUILD_NOT_FOUND')
  return row
}

export const createBuilds = (deps: Deps): BuildsService => {
  const viewOf = async (scope: Scope, row: BuildRow) => {
    const digest = row.manifestDigest
    const facts = digest ? await imageFacts(deps.db, scope.organizationId, [digest]) : null
    const image = digest
      ? {
          repository: row.imageRepository ?? '',
          ...(facts?.get(digest) ?? {
            digest,
            size: row.imageSize === null ? null : Number(row.imageSize),
            layers: null,
            sharedLayers: null,
          }),
        }
      : null
    return buildView(row, image, await queuePosition(deps.db, row))
  }

  return {
    async list(scope, { app: slug, ...page }) {
      const app = slug ? await loadApp(deps.db, scope, slug) : null
      const { rows, next, total } = await listBuilds(deps.db, scope.organizationId, { ...page, ...(app && { appId: app.id }) })
      return { items: rows.map(buildSummary), next, total }
    },

    get: async (scope, input) => viewOf(scope, await load(deps.db, scope, input.app, input.number)),

    async trigger(scope, input, via) {
      assertMay(scope, 'change')
      const app = await loadApp(deps.db, scope, input.app)
      if (app.source !== 'git')
        throw new AppError({
          kind: 'conflict',
          code: 'NO_SOURCE_TO_BUILD',
          message:
            app.source === 'upload'
              ? 'This app is built from uploaded files. Run slipway build where they are.'
              : 'This app runs an image and has no repository to build. Redeploy it instead.',
        })
      const created = await deps.db.$transaction(async (tx) => {
        const build = await insertBuild(tx, app, {
          trigger: via,
          actorLabel: scope.actor.label,
          branch: app.gitBranch,
          noCache: input.noCache,
        })
        await updateApp(tx, scope.organizationId, app.id, { desiredState: 'running' })
        await audit(tx, scope, 'build.trigger', { type: 'app', id: app.id, label: app.name }, { number: build.number })
        return build
      })
      await announceBuild(deps, app, created)
      return { number: created.number }
    },

    upload: uploadMethod(deps),
    ...outputMethods(deps, (scope, app, number) => load(deps.db, scope, app, number)),
    ...sshMethods(deps, (scope, app, number) => load(deps.db, scope, app, number)),

    async cancel(scope, input) {
      assertMay(scope, 'change')
      const row = await load(deps.db, scope, input.app, input.number)
      await deps.db.$transaction(async (tx) => {
        if (!(await requestBuildCancel(tx, scope.organizationId, row.id)))
          throw new AppError({ kind: 'conflict', code: 'BUILD_OVER', message: `Build #${row.number} is over already.` })
        await audit(tx, scope, 'build.cancel', { type: 'build', id: row.id, label: `${row.app.name} #${row.number}` })
      })
      deps.signals.publish(channels.cancel, row.id)
      announce(deps, { organizationId: scope.organizationId, appId: row.appId, buildIds: [row.id] })
      return viewOf(scope, await load(deps.db, scope, input.app, input.number))
    },

    async insights(scope, input) {
      return insightsOf(deps.db, scope.organizationId, await load(deps.db, scope, input.app, input.number))
    },

    async logs(scope, input) {
      const row = await load(deps.db, scope, input.app, input.number)
      const chunks = await readBuildLogs(deps.db, scope.organizationId, row.id, input.after, input.limit)
      return chunks.map(({ seq, position, stream, at, text }) => ({ seq, position, stream: streamOf(stream), at, text }))
    },
  }
}

const streamOf = (stream: string) => (stream === 'stdout' || stream === 'stderr' ? stream : 'system')
