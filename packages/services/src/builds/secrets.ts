import type { BuildRunRow } from '@slipway/db'
import { openVariables } from '../apps/variables'
import type { Deps } from '../deps'

/** What a build in the worker's hands needs in clear: the access token of its repository, and its build arguments. */
export function openBuildSecrets(
  deps: Pick<Deps, 'sealer'>,
  { app }: BuildRunRow,
): { gitToken: string | null; buildArgs: Record<string, string> } {
  return {
    gitToken: app.gitToken ? deps.sealer.open(app.gitToken, { kind: 'gitToken', organizationId: app.organizationId, id: app.id }) : null,
    buildArgs: openVariables(deps, app.variables, 'build'),
  }
}
