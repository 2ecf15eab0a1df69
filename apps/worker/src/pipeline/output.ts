/** Takes: an app's settings, what a client said instead, the commit, the plan's date. Gives: how the image is to look, and the build arguments for that. */
import type { BuildOutput, inputs } from '@slipway/contracts'
import type { App } from '@slipway/db'

const FORMATS = {
  oci_gzip: {},
  oci_zstd: { compression: 'zstd' },
  docker_gzip: { mediaTypes: 'docker' },
  oci_uncompressed: { compression: 'uncompressed' },
} as const satisfies Record<App['imageFormat'], BuildOutput>

type Settings = Pick<App, 'imageFormat' | 'reproducible'>
export type Form = inputs.ImageForm | null

/** `sourceDateEpoch`: what the planner read from the build argument. */
export function buildOutput(app: Settings, form: Form, sourceDateEpoch: number | undefined): BuildOutput {
  const { reproducible: _, ...look } = form ?? {}
  const output: BuildOutput = { ...FORMATS[app.imageFormat], ...look }
  // Of what was asked for and what is set, which go together in nobody's image, the first counts.
  if (output.compression === 'zstd' && output.mediaTypes === 'docker') {
    if (look.compression === 'zstd') output.mediaTypes = 'oci'
    else output.compression = 'gzip'
  }
  if (output.compression === 'uncompressed' && output.level !== undefined) output.compression = 'gzip'
  if (sourceDateEpoch === undefined) return output
  return { ...output, sourceDateEpoch, ...(isReproducible(app, form) && { rewriteTimestamps: true }) }
}

export const isReproducible = (app: Pick<App, 'reproducible'>, form: Form): boolean => form?.reproducible ?? app.reproducible

/** Of an upload, which has no commit: whatever else could be taken differs from machine to machine. */
export const UPLOADED_AT = new Date(0)

/** A reproducible build is dated by its commit, unless the app's variables, or its client, give a date. */
export const datedArgs = (reproducible: boolean, buildArgs: Record<string, string>, at: Date): Record<string, string> =>
  reproducible && !buildArgs.SOURCE_DATE_EPOCH
    ? { ...buildArgs, SOURCE_DATE_EPOCH: String(Math.max(0, Math.floor(at.getTime() / 1000))) }
    : buildArgs
