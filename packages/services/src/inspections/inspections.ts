/** Looks at repositories: asked for here, done by the worker, read until an hour later. */
import { channels, inspectionResult, type views } from '@slipway/contracts'
import { AppError, isInspectionOver, notFound, sshAddress } from '@slipway/core'
import { createInspection, findInspection, type InspectionRow, requestInspectionCancel } from '@slipway/db'
import { loadApp } from '../apps/load'
import { audit } from '../audit'
import { errorView } from '../builds/views'
import { type Deps, startJob } from '../deps'
import { assertMay } from '../roles'
import type { Scope } from '../scope'
import type { InspectionsService } from '../services'

/** Of one organization at one time, and in ten minutes: each costs a fetch of a whole branch. */
const OPEN = 4
const BEGUN = 40
const WINDOW_MS = 10 * 60_000
/** Longer than the job's own deadline: then no worker has taken it up. */
const LOST_MS = 3 * 60_000

export const createInspections = (deps: Deps): InspectionsService => {
  async function load(scope: Scope, id: string): Promise<InspectionRow> {
    const row = await findInspection(deps.db, scope.organizationId, id)
    if (!row) throw notFound('inspection', 'INSPECTION_NOT_FOUND')
    return row
  }

  return {
    async start(scope, input) {
      assertMay(scope, 'change')
      const { organizationId } = scope
      const source = await sourceOf(scope, input)
      const row = await createInspection(
        deps.db,
        organizationId,
        {
          gitUrl: source.gitUrl,
          gitBranch: source.gitBranch,
          seal: (id) => (source.gitToken ? deps.sealer.seal(source.gitToken, { kind: 'gitToken', organizationId, id }) : null),
        },
        { open: OPEN, begun: BEGUN, since: new Date(Date.now() - WINDOW_MS) },
        (tx, id) => audit(tx, scope, 'repository.inspect', { type: 'inspection', id, label: source.gitUrl }, { branch: source.gitBranch }),
      )
      if (!row)
        throw new AppError({
          kind: 'rate-limited',
          code: 'TOO_MANY_INSPECTIONS',
          message: `Your organization looks at many repositories right now. Wait a minute, then try again; a Dockerfile is found or made by the build, too.`,
        })
      await startJob(deps, 'inspect', { inspectionId: row.id })
      return viewOf(row)
    },

    async get(scope, input) {
      assertMay(scope, 'change')
      return viewOf(await load(scope, input.id))
    },

    async cancel(scope, input) {
      assertMay(scope, 'change')
      const row = await load(scope, input.id)
      await requestInspectionCancel(deps.db, scope.organizationId, row.id)
      deps.signals.publish(channels.cancel, row.id)
      deps.signals.publish(channels.inspection(row.id))
      return viewOf(await load(scope, input.id))
    },
  }

  async function sourceOf(scope: Scope, input: Parameters<InspectionsService['start']>[1]) {
    if (input.of === 'repository') {
      // The key that it is read with is the app's, and there is none before the app.
      if (sshAddress(input.gitUrl))
        throw new AppError({
          kind: 'bad-input',
          code: 'INSPECTION_OVER_SSH',
          message:
            'A repository over SSH is read with the deploy key of its app. Make the app first; its builds find the Dockerfile, or make one.',
        })
      return { gitUrl: input.gitUrl, gitBranch: input.gitBranch, gitToken: input.gitToken ?? null }
    }
    const app = await loadApp(deps.db, scope, input.app)
    if (!app.gitUrl || !app.gitBranch)
      throw new AppError({
        kind: 'conflict',
        code: 'NO_SOURCE_TO_BUILD',
        message: 'This app runs an image and has no repository to look at.',
      })
    // Whatever the server asks for; the worker knows by the address which of them it is.
    const kind = sshAddress(app.gitUrl) ? 'deployKey' : 'gitToken'
    const sealed = app[kind]
    const gitToken = sealed ? deps.sealer.open(sealed, { kind, organizationId: scope.organizationId, id: app.id }) : null
    return { gitUrl: app.gitUrl, gitBranch: app.gitBranch, gitToken }
  }
}

/** One that nobody has taken up in time reads as failed, so that no page waits for ever; the sweep writes it down. */
function viewOf(row: InspectionRow, now = Date.now()): views.InspectionView {
  const lost = !isInspectionOver(row.state) && now - row.createdAt.getTime() > LOST_MS
  const result = inspectionResult.safeParse(row.result)
  return {
    id: row.id,
    state: lost ? 'failed' : row.state,
    gitUrl: row.gitUrl,
    gitBranch: row.gitBranch,
    progress: lost ? null : row.progress,
    result: result.success ? result.data : null,
    error: lost
      ? {
          code: 'INSPECTION_TIMEOUT',
          message: 'The worker did not look at the repository in time. See whether it runs, then try again.',
          details: {},
        }
      : errorView({ ...row, errorDetails: null }),
    createdAt: row.createdAt,
  }
}
