/**
 * Takes: a checkout, and where in it the Dockerfile and the context lie.
 * Gives: a BuildPlan with every base image resolved, and the context's ignore rules.
 */
import { posix } from 'node:path'
import { type BuildPlan, type Finding, imageConfig } from '@slipway/contracts'
import { AppError } from '@slipway/core'
import {
  baseReferences,
  checkDockerfile,
  createIgnoreMatcher,
  type IgnoreMatcher,
  LIMITS,
  parseDockerfile,
  planBuild,
  type ResolvedImage,
} from '@slipway/dockerfile'
import type { Deps } from '../deps'
import { withAgent } from './agent-back'
import { beneath, readTextBeneath } from './context'
import { makeDockerfile } from './detect'
import { ensureImage } from './images'

export interface PlanSource {
  organization: string
  directory: string
  contextPath: string
  dockerfilePath: string
  target: string | null
  buildArgs: Record<string, string>
}

export interface Planned {
  plan: BuildPlan
  contextRoot: string
  ignore: IgnoreMatcher
  warnings: string[]
}

/** What the build page shows of the file that a plan was made of. */
export interface CheckedDockerfile {
  text: string
  findings: Finding[]
}

export async function plan(
  deps: Deps,
  source: PlanSource,
  signal: AbortSignal,
  onProgress: (line: string) => void,
  onDockerfile: (checked: CheckedDockerfile) => Promise<void>,
): Promise<Planned> {
  const contextRoot = await beneath(source.directory, source.contextPath, 'context')
  const { text, ignore: madeIgnore } = await dockerfileOf(contextRoot, source, onProgress)
  const ignore = (await readIgnore(contextRoot, source)) ?? createIgnoreMatcher(madeIgnore)
  // Before it is parsed: a file with a fault is the one that people want to see.
  await onDockerfile({ text, findings: checkDockerfile(text, { file: source.dockerfilePath, ignore }) })
  const dockerfile = parseDockerfile(text, { file: source.dockerfilePath })
  const options = { buildArgs: source.buildArgs, target: source.target ?? undefined }

  const resolved = new Map<string, ResolvedImage>()
  // A base's ONBUILD triggers may copy from images of their own.
  for (let next = missing(); next !== undefined; next = missing()) {
    const reference = next
    onProgress(`resolving ${reference}`)
    try {
      const image = await withAgent(deps, signal, () => ensureImage(deps, source.organization, reference, signal, onProgress))
      resolved.set(reference, {
        reference: image.name,
        digest: image.digest ?? image.id,
        config: imageConfig.parse(dropNulls(image.config)),
      })
    } catch (error) {
      if (error instanceof AppError && error.code === 'IMAGE_NOT_FOUND')
        throw new AppError({
          kind: 'bad-input',
          code: 'BASE_IMAGE_NOT_FOUND',
          message: error.message,
          cause: error,
          details: { file: source.dockerfilePath, line: lineOf(text, reference) },
        })
      throw error
    }
  }
  function missing() {
    return baseReferences(dockerfile, { ...options, resolved }).find((name) => !resolved.has(name))
  }
  const platform = { os: 'linux' as const, architecture: process.arch === 'arm64' ? 'arm64' : 'amd64' }
  const planned = planBuild(dockerfile, { ...options, platform, resolved, ignore })
  return {
    plan: planned.plan,
    contextRoot,
    ignore,
    warnings: planned.warnings.map((warning) => warning.message),
  }
}

/** The repository's own file; one made from its manifests only where nobody said which file it is, so that a typo stays an error. */
async function dockerfileOf(contextRoot: string, source: PlanSource, onProgress: (line: string) => void) {
  try {
    const text = await readTextBeneath(source.directory, source.dockerfilePath, LIMITS.fileLength, 'Dockerfile')
    return { text, ignore: '' }
  } catch (error) {
    const usual = ['Dockerfile', posix.join(source.contextPath, 'Dockerfile')].includes(posix.normalize(source.dockerfilePath))
    if (!(error instanceof AppError && error.code === 'DOCKERFILE_NOT_FOUND' && usual)) throw error
    return await makeDockerfile(contextRoot, error, onProgress)
  }
}

/** `<Dockerfile>.dockerignore` beside the Dockerfile wins over `.dockerignore` of the context, as in docker. */
async function readIgnore(contextRoot: string, source: PlanSource): Promise<IgnoreMatcher | null> {
  const candidates: [string, string][] = [
    [source.directory, `${source.dockerfilePath}.dockerignore`],
    [contextRoot, '.dockerignore'],
  ]
  for (const [root, path] of candidates) {
    try {
      return createIgnoreMatcher(await readTextBeneath(root, posix.normalize(path), LIMITS.ignoreFileLength, 'Dockerfile'), path)
    } catch (error) {
      if (!(error instanceof AppError && error.code === 'DOCKERFILE_NOT_FOUND')) throw error
    }
  }
  return null
}

/** Docker's inspect gives null where OCI leaves the field out. */
const dropNulls = (config: Record<string, unknown>) =>
  Object.fromEntries(Object.entries(config).filter(([, value]) => value !== null && value !== ''))

function lineOf(text: string, reference: string): number | undefined {
  const index = text.split('\n').findIndex((line) => /^\s*(FROM|COPY|ADD)\s/i.test(line) && line.includes(reference))
  return index < 0 ? undefined : index + 1
}
