/** Build arguments that tell BuildKit how to build, so that no ARG need take them. */
import type { PlanContext } from './context'

const HOSTNAME = 'BUILDKIT_SANDBOX_HOSTNAME'
const CACHE_NAMESPACE = 'BUILDKIT_CACHE_MOUNT_NS'
const SYNTAX = 'BUILDKIT_SYNTAX'
/** In the place of the `check` directive; `parseDockerfile` takes it. */
export const DOCKERFILE_CHECK = 'BUILDKIT_DOCKERFILE_CHECK'
const KEEP_GIT_DIR = 'BUILDKIT_CONTEXT_KEEP_GIT_DIR'

/** Of a warning that is never left out. */
export const NO_EFFECT_RULE = 'NoEffect'

/** Those that change nothing, each with why. */
const NO_EFFECT: Readonly<Record<string, string>> = {
  BUILDKIT_INLINE_CACHE:
    'results of steps are kept on the build host, and in the registry as a cache of its own where the app’s settings say so, never inside an image',
  BUILDKIT_MULTI_PLATFORM: 'a build for one platform is an image, and for several an index of them',
  BUILDKIT_SBOM_SCAN_CONTEXT: 'packages are listed of the image that is built',
  BUILDKIT_SBOM_SCAN_STAGE: 'packages are listed of the image that is built',
}

export const BUILTIN_ARGS: ReadonlySet<string> = new Set([
  HOSTNAME,
  CACHE_NAMESPACE,
  SYNTAX,
  DOCKERFILE_CHECK,
  KEEP_GIT_DIR,
  ...Object.keys(NO_EFFECT),
])

const isOn = (value: string | undefined) => value !== undefined && !/^(?:0|f|false|)$/i.test(value)

/** Whether contexts that are repositories go with their `.git`. */
export const keepsGitDir = (context: PlanContext) => isOn(context.buildArgs.get(KEEP_GIT_DIR))

/**
 * What a RUN's machine is called; undefined: what the build host calls it.
 * @throws DockerfileError `BAD_HOSTNAME`
 */
export function sandboxHostname({ buildArgs, dockerfile }: PlanContext): string | undefined {
  const given = buildArgs.get(HOSTNAME) ?? ''
  if (given === '') return undefined
  if (/^(?=.{1,63}$)[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?$/.test(given)) return given
  throw dockerfile.source.error(
    'BAD_HOSTNAME',
    `The build argument ${HOSTNAME} is "${given.slice(0, 70)}", which is no name of a machine.`,
    undefined,
    { hint: 'Write letters, digits, dots and hyphens, at most 63.' },
  )
}

/** The name that a cache mount has on the build host: builds with different namespaces share none. */
export function cacheMountId({ buildArgs }: PlanContext, id: string): string {
  const namespace = (buildArgs.get(CACHE_NAMESPACE) ?? '').slice(0, 1000)
  return namespace === '' ? id : `${namespace}/${id}`
}

/** Says which of the arguments change nothing; those that the file sets, too. */
export function tellNoEffect(context: PlanContext): void {
  const tell = (name: string, why: string) => context.warn(NO_EFFECT_RULE, `${name} has no effect here: ${why}.`, null)
  for (const [name, why] of Object.entries(NO_EFFECT)) {
    const value = context.buildArgs.get(name)
    if (isOn(value) || (value === undefined && context.declared.has(name))) tell(name, why)
  }
  if (context.buildArgs.get(SYNTAX)) tell(SYNTAX, 'Slipway’s own builder reads the file, as that of docker/dockerfile:1')
}
