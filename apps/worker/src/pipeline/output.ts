/** Takes: an app's settings, its commit, the plan's date. Gives: how its image is to look, and the build arguments for that. */
import type { BuildOutput } from '@slipway/contracts'
import type { App } from '@slipway/db'

const FORMATS = {
  oci_gzip: {},
  oci_zstd: { compression: 'zstd' },
  docker_gzip: { mediaTypes: 'docker' },
} as const satisfies Record<App['imageFormat'], BuildOutput>

/** `sourceDateEpoch`: what the planner read from the build argument. */
export const buildOutput = (app: Pick<App, 'imageFormat' | 'reproducible'>, sourceDateEpoch: number | undefined): BuildOutput => ({
  ...FORMATS[app.imageFormat],
  ...(sourceDateEpoch !== undefined && { sourceDateEpoch, ...(app.reproducible && { rewriteTimestamps: true }) }),
})

/** A reproducible build is dated by its commit, unless the app's variables give a date. */
export const datedArgs = (app: Pick<App, 'reproducible'>, buildArgs: Record<string, string>, commitAt: Date): Record<string, string> =>
  app.reproducible && !buildArgs.SOURCE_DATE_EPOCH
    ? { ...buildArgs, SOURCE_DATE_EPOCH: String(Math.max(0, Math.floor(commitAt.getTime() / 1000))) }
    : buildArgs
