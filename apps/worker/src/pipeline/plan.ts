/**
 * Takes: a checkout, and where in it the Dockerfile and the context lie.
 * Gives: a BuildPlan with every base image resolved, and the context's ignore rules.
 */
import { type BuildPlan, type DockerfileOrigin, type Finding, imageConfig } from '@slipway/contracts'
import { AppError } from '@slipway/core'
import { baseReferences, checkDockerfile, type IgnoreMatcher, parseDockerfile, planBuild, type ResolvedImage } from '@slipway/dockerfile'
import type { Deps } from '../deps'
import { withAgent } from './agent-back'
import { beneath } from './context'
import { type DockerfileSource, dockerfileOf } from './dockerfile'
import { ensureImage } from './images'

export interface PlanSource extends DockerfileSource {
  organization: string
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
  origin: DockerfileOrigin
}

export async function plan(
  deps: Deps,
  source: PlanSource,
  signal: AbortSignal,
  onProgress: (line: string) => void,
  onDockerfile: (checked: CheckedDockerfile) => Promise<void>,
): Promise<Planned> {
  const contextRoot = await beneath(source.directory, source.contextPath, 'context')
  const { text, ignore, origin } = await dockerfileOf(contextRoot, source, signal, onProgress)
  // Before it is parsed: a file with a fault is the one that people want to see.
  await onDockerfile({ text, findings: checkDockerfile(text, { file: source.dockerfilePath, ignore }), origin })
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

/** Docker's inspect gives null where OCI leaves the field out. */
const dropNulls = (config: Record<string, unknown>) =>
  Object.fromEntries(Object.entries(config).filter(([, value]) => value !== null && value !== ''))

function lineOf(text: string, reference: string): number | undefined {
  const index = text.split('\n').findIndex((line) => /^\s*(FROM|COPY|ADD)\s/i.test(line) && line.includes(reference))
  return index < 0 ? undefined : index + 1
}
