/**
 * Takes: a checkout, and where in it the Dockerfile and the context lie.
 * Gives: a BuildPlan with every base image resolved, and the context's ignore rules.
 */
import { join } from 'node:path'
import { beneath } from '@slipway/context'
import { type BuildPlan, type DockerfileOrigin, type Finding, imageConfig } from '@slipway/contracts'
import { AppError } from '@slipway/core'
import {
  baseReferencesOf,
  checkDockerfile,
  createIgnoreMatcher,
  DOCKERFILE_CHECK,
  formatPlatform,
  type NamedContext,
  type PlannedContext,
  type Platform,
  parseDockerfile,
  parsePlatform,
  planPlatforms,
  type ResolvedImage,
  readContextValue,
  splitBase,
} from '@slipway/dockerfile'
import { Places } from '@slipway/outbound'
import type { Deps } from '../deps'
import { withAgent } from './agent-back'
import type { SentContext } from './context'
import { type BuiltDockerfile, type DockerfileSource, dockerfileOf, readIgnore } from './dockerfile'
import { gitContext } from './git-context'
import { ensureImage } from './images'
import type { SshIdentity } from './ssh'

export interface PlanSource extends DockerfileSource {
  /** Whose images it may use; null: of a fork's pull request, which may use what anybody may. */
  organization: string | null
  target: string | null
  buildArgs: Record<string, string>
  /** Names of the app's secret build variables. */
  secrets?: string[]
  /** For Git repositories over SSH. */
  ssh: SshIdentity | null
  /** Named contexts that were uploaded, by their digests. */
  trees?: Record<string, string>
  /** As `--build-context` takes them: name → folder of the repository, `docker-image://…`, or a Git repository's address. */
  namedContexts?: Record<string, string>
  /** Of the images, as `--platform` takes them; none: this host's. */
  platforms: string[]
  /** Where Git repositories that the build names are checked out to; removed by the caller. */
  scratch: string
  /** Sent along by a client; then nothing is read from `directory`, which is not there. */
  uploaded?: BuiltDockerfile
}

export interface Planned {
  plan: BuildPlan
  /** What errors call the Dockerfile. */
  file: string
  /** The build context, unless it was uploaded before, and what else the plan reads. */
  sent: SentContext[]
  /** Contexts of the plan that are on the build host already. */
  given: Record<string, { tree: string }>
  warnings: string[]
  /** Seconds since 1970, of the build argument. */
  sourceDateEpoch: number | undefined
  /** The Git repositories among what is sent, and the commits they were at. */
  gitContexts: GitMaterial[]
  uploadedContexts: UploadedMaterial[]
}

export interface GitMaterial {
  /** Of the context. */
  name: string
  url: string
  /** As it was asked for; '' is the server's HEAD. */
  ref: string
  sha: string
}

export interface UploadedMaterial {
  /** What the plan calls it. */
  context: string
  /** What the client calls it. */
  name: string
  /** `sha256:…` of its root. */
  tree: string
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
  onDockerfile: (checked: CheckedDockerfile) => void,
): Promise<Planned> {
  const contextRoot = source.uploaded ? source.directory : await beneath(source.directory, source.contextPath, 'context')
  const { text, ignore, origin } = source.uploaded ?? (await dockerfileOf(contextRoot, source, signal, onProgress))
  // Before it is parsed: a file with a fault is the one that people want to see.
  const secrets = (source.secrets ?? []).filter((name) => !Object.hasOwn(source.buildArgs, name))
  const check = Object.hasOwn(source.buildArgs, DOCKERFILE_CHECK) ? source.buildArgs[DOCKERFILE_CHECK] : undefined
  const parsing = { file: source.dockerfilePath, ...(check !== undefined && { check }) }
  onDockerfile({ text, findings: checkDockerfile(text, { ...parsing, ignore, secrets }), origin })
  const dockerfile = parseDockerfile(text, parsing)
  const { syntax } = dockerfile.directives
  if (syntax !== null)
    onProgress(`syntax=${syntax.slice(0, 200)} is noted: Slipway's own builder reads the file, as that of docker/dockerfile:1.`)
  const contexts = namedContexts(source.namedContexts ?? {})
  for (const name of Object.keys(source.trees ?? {})) contexts.set(name, { kind: 'local' })
  const buildPlatform = { os: 'linux' as const, architecture: process.arch === 'arm64' ? 'arm64' : 'amd64' }
  const options = {
    buildArgs: source.buildArgs,
    target: source.target ?? undefined,
    buildPlatform,
    contexts,
  }
  const platforms = platformsOf(source.platforms)

  const resolved = new Map<string, ResolvedImage>()
  // A base's ONBUILD triggers may copy from images of their own.
  for (let next = missing(); next !== undefined; next = missing()) {
    const key = next
    const { reference, platform } = splitBase(key)
    onProgress(`resolving ${key}`)
    try {
      const image = await withAgent(deps, signal, () => ensureImage(deps, source.organization, reference, signal, onProgress, platform))
      resolved.set(key, {
        reference: image.name,
        digest: image.digest ?? image.id,
        platform: image.platform ?? undefined,
        config: imageConfig.parse(dropNulls(image.config)),
      })
    } catch (error) {
      if (error instanceof AppError && error.code === 'IMAGE_NOT_FOUND')
        throw new AppError({
          kind: 'bad-input',
          code: 'BASE_IMAGE_NOT_FOUND',
          message:
            source.organization === null
              ? `${error.message} The pull request comes from a fork, which may use public images only.`
              : error.message,
          cause: error,
          details: { file: source.dockerfilePath, line: lineOf(text, reference) },
        })
      throw error
    }
  }
  function missing() {
    return baseReferencesOf(dockerfile, { ...options, resolved }, platforms).find((name) => !resolved.has(name))
  }
  const planned = planPlatforms(dockerfile, { ...options, resolved, ignore, secrets }, platforms)
  const sent: SentContext[] = source.uploaded ? [] : [{ root: contextRoot, ignore }]
  const gitContexts: GitMaterial[] = []
  const uploadedContexts: UploadedMaterial[] = []
  for (const context of planned.contexts) {
    const from = context.source
    const tree = from.kind === 'named' ? source.trees?.[from.name] : undefined
    if (from.kind === 'named' && tree !== undefined) uploadedContexts.push({ context: context.name, name: from.name, tree })
    else sent.push(await sentContext(deps, context, source, signal, onProgress, gitContexts))
  }
  return {
    plan: planned.plan,
    file: source.dockerfilePath,
    sent,
    given: Object.fromEntries(uploadedContexts.map(({ context, tree }) => [context, { tree }])),
    warnings: planned.warnings.map((warning) => warning.message),
    sourceDateEpoch: planned.sourceDateEpoch,
    gitContexts,
    uploadedContexts,
  }
}

/** Each once, whatever it is called (`linux/arm64/v8` is `linux/arm64`). */
function platformsOf(given: string[]): Platform[] {
  const platforms = given.map((text) => {
    const platform = parsePlatform(text)
    if (platform) return platform
    throw new AppError({
      kind: 'bad-input',
      code: 'BAD_PLATFORM',
      message: `"${text.slice(0, 60)}" is no platform that images can be built for. Write linux/amd64, linux/arm64 or linux/arm/v7.`,
    })
  })
  return [...new Map(platforms.map((platform) => [formatPlatform(platform), platform])).values()]
}

function namedContexts(given: Record<string, string>): Map<string, NamedContext> {
  return new Map(
    Object.entries(given).map(([name, value]): [string, NamedContext] => {
      const read = readContextValue(value)
      if (read) return [name, read.kind === 'local' ? { kind: 'local' } : read]
      throw new AppError({
        kind: 'bad-input',
        code: 'BAD_NAMED_CONTEXT',
        message: `The named context ${name} is neither a folder of the repository, nor an image (docker-image://…), nor a Git address (https://….git). Correct it in the settings.`,
      })
    }),
  )
}

/** A folder of the repository with its own .dockerignore, or a Git repository, which has none. */
async function sentContext(
  deps: Deps,
  { name, source: from }: PlannedContext,
  source: PlanSource,
  signal: AbortSignal,
  onProgress: (line: string) => void,
  gitContexts: GitMaterial[],
): Promise<SentContext> {
  if (from.kind === 'git') {
    onProgress(`Fetching ${from.url}${from.ref && ` at ${from.ref}`}`)
    const { downloadInside } = await withAgent(deps, signal, () => deps.agent.health())
    const reach = { inside: new Places(downloadInside), ssh: source.ssh }
    const { root, sha } = await gitContext(from, join(source.scratch, name), signal, onProgress, reach)
    gitContexts.push({ name, url: from.url, ref: from.ref, sha })
    return { name, root, ignore: createIgnoreMatcher('') }
  }
  const root = await beneath(source.directory, source.namedContexts?.[from.name] ?? '', 'folder')
  return { name, root, ignore: (await readIgnore([[root, '.dockerignore']])) ?? createIgnoreMatcher('') }
}

/** Docker's inspect gives null where OCI leaves the field out. */
const dropNulls = (config: Record<string, unknown>) =>
  Object.fromEntries(Object.entries(config).filter(([, value]) => value !== null && value !== ''))

function lineOf(text: string, reference: string): number | undefined {
  const index = text.split('\n').findIndex((line) => /^\s*(FROM|COPY|ADD)\s/i.test(line) && line.includes(reference))
  return index < 0 ? undefined : index + 1
}
