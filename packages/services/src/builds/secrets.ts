import type { BuildRunRow } from '@slipway/db'
import { openVariables } from '../apps/variables'
import type { Deps } from '../deps'
import { openUpload, uploadOptions } from './upload-options'

/**
 * What a build in the worker's hands needs in clear: the access token of its repository, its build arguments, and what
 * `RUN --mount=type=secret,id=<key>` may ask for: the build variables that are secret. An ARG may still name one of those, but
 * then its value is in the image's history. What an uploaded build was given comes on top. `deployKey` is what the SSH agent
 * `default` signs with, unless who started the build answers for that one: `forwarded`.
 */
export function openBuildSecrets(
  deps: Pick<Deps, 'sealer'>,
  build: BuildRunRow,
): {
  gitToken: string | null
  buildArgs: Record<string, string>
  buildSecrets: Record<string, string>
  deployKey: string | null
  forwarded: readonly string[]
} {
  const { app } = build
  const given = build.upload === null ? { buildArgs: {}, secrets: {} } : openUpload(deps.sealer, build)
  const deployKey = { kind: 'deployKey', organizationId: app.organizationId, id: app.id } as const
  return {
    gitToken: app.gitToken ? deps.sealer.open(app.gitToken, { kind: 'gitToken', organizationId: app.organizationId, id: app.id }) : null,
    buildArgs: { ...openVariables(deps, app.variables, 'build'), ...given.buildArgs },
    buildSecrets: {
      ...openVariables(
        deps,
        app.variables.filter((variable) => variable.secret),
        'build',
      ),
      ...given.secrets,
    },
    deployKey: app.deployKey ? deps.sealer.open(app.deployKey, deployKey) : null,
    forwarded: uploadOptions(build)?.ssh.ids ?? [],
  }
}
