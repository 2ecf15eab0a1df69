import { OWN_REGISTRY_HOST, type views } from '@slipway/contracts'
import { canRollBackTo, type Hop } from '@slipway/core'
import { type Container, type DeploymentRow, deploymentNumbers } from '@slipway/db'
import { commitView, elapsed, errorView } from '../builds/views'
import type { Deps } from '../deps'
import { imageFacts } from '../images/facts'
import type { Scope } from '../scope'

export const containerView = (container: Container & { host: { name: string } }): views.ContainerView => ({
  id: container.id,
  name: container.name,
  engineId: container.engineId,
  host: container.host.name,
  address: container.address,
  port: container.port,
  state: container.state,
  exitCode: container.exitCode,
  oomKilled: container.oomKilled,
  startedAt: container.startedAt,
})

/** `slipway.local/acme/shop:build-3@sha256:…` → `slipway.local/acme/shop` */
export const repositoryOf = (reference: string) => reference.replace(/@.*$/, '').replace(/:[^:/]*$/, '')

/** Views of several deployments of one organization with a constant number of queries. */
export async function deploymentViews(deps: Pick<Deps, 'db'>, scope: Scope, rows: DeploymentRow[]): Promise<views.DeploymentView[]> {
  const present = <T>(values: (T | null)[]) => values.filter((value) => value !== null)
  const [facts, numbers] = await Promise.all([
    imageFacts(deps.db, scope.organizationId, present(rows.map((row) => row.imageDigest))),
    deploymentNumbers(deps.db, scope.organizationId, present(rows.map((row) => row.sourceDeploymentId))),
  ])
  const ours = `${OWN_REGISTRY_HOST}/${scope.organization}/`
  return rows.map((row) => {
    const unknown = { size: null, layers: null, sharedLayers: null }
    return {
      id: row.id,
      number: row.number,
      kind: row.kind,
      state: row.state,
      trigger: row.trigger,
      actor: row.actorLabel,
      commit: row.build ? commitView(row.build) : null,
      build: row.build ? { number: row.build.number, state: row.build.state } : null,
      source: row.kind === 'rollback' && row.sourceDeploymentId ? (numbers.get(row.sourceDeploymentId) ?? null) : null,
      image: row.imageDigest
        ? { repository: repositoryOf(row.imageReference), digest: row.imageDigest, ...(facts.get(row.imageDigest) ?? unknown) }
        : null,
      imageReference: row.imageReference,
      imageGone: row.imageDigest !== null && row.imageReference.startsWith(ours) && !facts.has(row.imageDigest),
      hops: row.steps.map(({ hop, state, proof, startedAt, finishedAt, durationMs }) => ({
        hop: hop as Hop,
        state,
        proof,
        startedAt,
        finishedAt,
        durationMs,
      })),
      containers: row.containers.map(containerView),
      error: errorView(row),
      canRollBack: canRollBackTo(row.state),
      queuedAt: row.queuedAt,
      startedAt: row.startedAt,
      servingAt: row.servingAt,
      finishedAt: row.finishedAt,
      durationMs: elapsed(row.startedAt, row.servingAt ?? row.finishedAt),
    }
  })
}

export async function deploymentView(deps: Pick<Deps, 'db'>, scope: Scope, row: DeploymentRow): Promise<views.DeploymentView> {
  const [view] = await deploymentViews(deps, scope, [row])
  if (!view) throw new Error('one row gives one view')
  return view
}
