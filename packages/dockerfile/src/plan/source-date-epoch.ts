/** https://reproducible-builds.org/specs/source-date-epoch/ as a build argument, as BuildKit takes it. */
import { MAX_SOURCE_DATE_EPOCH } from '@slipway/contracts'
import type { Dockerfile } from '../parser'

/** The image is dated by it without an ARG; a RUN sees it after one. */
export const SOURCE_DATE_EPOCH = 'SOURCE_DATE_EPOCH'

/**
 * Seconds since 1970; undefined when the argument is absent or empty.
 * @throws DockerfileError `SOURCE_DATE_EPOCH_INVALID`
 */
export function readSourceDateEpoch(dockerfile: Dockerfile, buildArgs: Readonly<Record<string, string>> = {}): number | undefined {
  const given = Object.hasOwn(buildArgs, SOURCE_DATE_EPOCH) ? (buildArgs[SOURCE_DATE_EPOCH] ?? '') : ''
  if (given === '') return undefined
  const seconds = /^\d{1,11}$/.test(given) ? Number(given) : Number.NaN
  if (seconds <= MAX_SOURCE_DATE_EPOCH) return seconds
  throw dockerfile.source.error(
    'SOURCE_DATE_EPOCH_INVALID',
    `The build argument SOURCE_DATE_EPOCH is "${given.slice(0, 40)}", which is no time in seconds since 1970.`,
    undefined,
    { hint: 'Write a whole number, like the output of git log -1 --pretty=%ct.' },
  )
}
