import type { BuildRunRow } from '@slipway/db'
import { openVariables } from '../apps/variables'
import type { Deps } from '../deps'
import { openUpload, type UploadSecrets, uploadOptions } from './upload-options'

/**
 * What a build in the worker's hands needs in clear: the access token of its repository, its build arguments, and what
 * `RUN --mount=type=secret,id=<key>` may ask for: the build variables that are secret. Those are no build arguments: as one, a
 * value would be in the image's history and in the environment of later steps. What an uploaded build was given comes on top. `deployKey` is what the SSH agent
 * `default` signs with, unless who started the build answers for that one: `forwarded`.
 *
 * Steps of a fork's pull request are anybody's code, and get none of it: `gitToken` and `deployKey` are for the fetch of its commit from
 * the app's own repository alone, which happens before any of that code runs.
 */
export function openBuildSecrets(
  deps: Pick<Deps, 'sealer'>,
  build: BuildRunRow,
): {
  gitToken: string | null
  buildArgs: Record<string, string>
  buildSecrets: Record<string, string | Uint8Array>
  deployKey: string | null
  forwarded: readonly string[]
} {
  const { app } = build
  const given = build.upload === null ? { buildArgs: {}, secrets: {} } : openUpload(deps.sealer, build)
  const variables = (secret: boolean) =>
    openVariables(
      deps,
      app.variables.filter((variable) => variable.secret === secret),
      'build',
    )
  const deployKey = { kind: 'deployKey', organizationId: app.organizationId, id: app.id } as const
  return {
    gitToken: app.gitToken ? deps.sealer.open(app.gitToken, { kind: 'gitToken', organizationId: app.organizationId, id: app.id }) : null,
    buildArgs: { ...variables(false), ...given.buildArgs },
    buildSecrets: build.fromFork ? {} : { ...variables(true), ...bytesOf(given.secrets) },
    deployKey: app.deployKey ? deps.sealer.open(app.deployKey, deployKey) : null,
    forwarded: uploadOptions(build)?.ssh.ids ?? [],
  }
}

const bytesOf = (secrets: UploadSecrets['secrets']): Record<string, string | Uint8Array> =>
  Object.fromEntries(
    Object.entries(secrets).map(([id, value]) => [id, typeof value === 'string' ? value : Buffer.from(value.base64, 'base64')]),
  )
