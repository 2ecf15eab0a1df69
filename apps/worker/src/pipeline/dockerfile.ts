/**
 * Takes: a checkout, where in it the Dockerfile should be, and the one kept with the app if there is one.
 * Gives: the text that is built, the ignore rules of its context, and where the text came from.
 */
import { posix } from 'node:path'
import { makeDockerfile, readTextBeneath } from '@slipway/context'
import type { DockerfileOrigin, KeptDockerfile } from '@slipway/contracts'
import { AppError } from '@slipway/core'
import { createIgnoreMatcher, type IgnoreMatcher, LIMITS } from '@slipway/dockerfile'

export interface DockerfileSource {
  directory: string
  contextPath: string
  dockerfilePath: string
  /** Kept with the app. */
  kept: KeptDockerfile | null
}

export interface BuiltDockerfile {
  text: string
  ignore: IgnoreMatcher
  origin: DockerfileOrigin
}

/**
 * The repository's own file, unless the app's is always to be used; then the app's; then one made from the manifests, but only where
 * nobody said which file it is, so that a typo stays an error.
 */
export async function dockerfileOf(
  contextRoot: string,
  source: DockerfileSource,
  signal: AbortSignal,
  onProgress: (line: string) => void,
): Promise<BuiltDockerfile> {
  const { kept } = source
  const own = await readIgnore([
    [source.directory, `${source.dockerfilePath}.dockerignore`],
    [contextRoot, '.dockerignore'],
  ])
  const built = (text: string, ignore: string, origin: DockerfileOrigin): BuiltDockerfile => ({
    text,
    ignore: own ?? createIgnoreMatcher(ignore),
    origin,
  })
  const fromApp = ({ text, ignore, stack, evidence }: KeptDockerfile) => {
    onProgress('using the Dockerfile that is kept with the app')
    return built(text, ignore, { kind: 'kept', stack, evidence })
  }
  if (kept?.when === 'always') return fromApp(kept)
  try {
    const text = await readTextBeneath(source.directory, source.dockerfilePath, LIMITS.fileLength, 'Dockerfile')
    return built(text, '', { kind: 'repository', stack: [], evidence: [] })
  } catch (error) {
    if (!(error instanceof AppError && error.code === 'DOCKERFILE_NOT_FOUND')) throw error
    if (kept) return fromApp(kept)
    const usual = ['Dockerfile', posix.join(source.contextPath, 'Dockerfile')].includes(posix.normalize(source.dockerfilePath))
    if (!usual) throw error
    const made = await makeDockerfile(contextRoot, error, signal, onProgress)
    for (const line of made.dockerfile.trimEnd().split('\n')) onProgress(`  ${line}`)
    return built(made.dockerfile, made.ignore, { kind: 'generated', stack: made.stack, evidence: made.evidence })
  }
}

/** Of the first that is there: `<Dockerfile>.dockerignore` beside the Dockerfile wins over `.dockerignore` of the context, as in docker. */
export async function readIgnore(candidates: [root: string, path: string][]): Promise<IgnoreMatcher | null> {
  for (const [root, path] of candidates) {
    try {
      return createIgnoreMatcher(await readTextBeneath(root, posix.normalize(path), LIMITS.ignoreFileLength, 'Dockerfile'), path)
    } catch (error) {
      if (!(error instanceof AppError && error.code === 'DOCKERFILE_NOT_FOUND')) throw error
    }
  }
  return null
}
