import type { BuildPlan, ImageConfig } from '@slipway/contracts'
import type { DockerfileWarning } from '../errors'
import type { Place } from '../instructions/types'
import { LIMITS } from '../limits'
import { type LintOptions, lintDockerfile, readCheckDirective } from '../lint/lint'
import type { Dockerfile } from '../parser'
import { NO_EFFECT_RULE, tellNoEffect } from './buildkit-args'
import { PlanContext, type ScopeOptions } from './context'
import { ImageState } from './image-state'
import type { ContextSource, PlannedContext } from './named-contexts'
import type { Platform } from './platform'
import { readSourceDateEpoch } from './source-date-epoch'
import { StagePlanner } from './stage-planner'
import { type Origin, type PlannedStage, stageGraph } from './stages'
import type { HttpSource } from './urls'
import { StepCounter, shownText, Vertices } from './vertices'

/** What the caller learnt about a base image. */
export interface ResolvedImage {
  /** Manifest digest, or image id of a local image. */
  digest: string
  /** The image's `config.config`. */
  config: ImageConfig
  /** What it is for, when it says so; a name may have no image for the platform that was asked for. */
  platform?: Platform
  /** Normalized name for the plan; default: as written in the Dockerfile. */
  reference?: string
}

export interface PlanOptions extends ScopeOptions, LintOptions {
  /** Keyed as `baseReferences` returned them. */
  resolved: ReadonlyMap<string, ResolvedImage>
}

/**
 * Images the target needs, as written (arguments expanded; of another platform: see `splitBase`), each once: to be resolved before `planBuild`. Triggers of a resolved
 * image may need further ones: ask again with `resolved` until nothing new comes.
 * @throws DockerfileError
 */
export function baseReferences(dockerfile: Dockerfile, options: ScopeOptions = {}): string[] {
  const out = new Set<string>()
  for (const stage of stageGraph(new PlanContext(dockerfile, options)).needed) {
    for (const origin of [stage.base, ...stage.copies.values()]) if (origin.kind === 'image') out.add(origin.key)
  }
  return [...out]
}

export interface PlannedBuild {
  plan: BuildPlan
  warnings: DockerfileWarning[]
  contexts: PlannedContext[]
  /** Seconds since 1970, where the build argument SOURCE_DATE_EPOCH gives them. */
  sourceDateEpoch?: number
  /** What each planned stage's steps run on, by its id. */
  stagePlatforms: ReadonlyMap<string, Platform>
}

/**
 * Dockerfile → BuildPlan, and the contexts that the caller sends with it. Pure: same input, same plan.
 * @throws DockerfileError, also when `resolved` misses an image (`BASE_NOT_RESOLVED`).
 */
export function planBuild(dockerfile: Dockerfile, options: PlanOptions): PlannedBuild {
  const sourceDateEpoch = readSourceDateEpoch(dockerfile, options.buildArgs)
  const context = new PlanContext(dockerfile, options)
  const graph = stageGraph(context)
  const vertices = new Vertices(context)
  const done = new Map<PlannedStage, StagePlanner>()
  const copied = new Map<string, string>()
  const sent = new Map<string, string>()
  const budget = { env: 0, history: 0 }

  const resolve = (origin: Extract<Origin, { kind: 'image' }>): ResolvedImage => {
    const image = options.resolved.get(origin.key)
    if (image) return image
    throw context.fail(
      'BASE_NOT_RESOLVED',
      `The image ${origin.key.replace(/^--platform=(\S+) (.*)$/, '$2 for $1')} was not found.`,
      origin.place,
      origin.word.offset,
      'Check its name and tag.',
    )
  }
  const finished = (stage: PlannedStage): StagePlanner => {
    const planner = done.get(stage)
    if (planner) return planner
    // stageGraph orders inputs first; this would be a bug, told as such by toAppError.
    throw new Error(`stage ${stage.id} is used before it is planned`)
  }
  const contextVertex = (source: ContextSource, user: Place, stage: PlannedStage): string => {
    const name = context.contexts.use(source)
    const known = sent.get(name)
    if (known !== undefined) return known
    if (sent.size >= LIMITS.contexts)
      throw context.fail('TOO_MANY_CONTEXTS', `A build reads at most ${LIMITS.contexts} contexts and Git repositories.`, user)
    const title = source.kind === 'git' ? `${source.url}${source.ref && `#${source.ref}`}` : source.name
    const id = vertices.add(user, stage.id, `[context ${title}] `, 'load', { type: 'context', name })
    sent.set(name, id)
    return id
  }
  const vertexOf = (origin: Origin, user: Place, stage: PlannedStage): string => {
    if (origin.kind === 'stage') return finished(origin.stage).vertex
    if (origin.kind === 'context') return contextVertex(origin.source, user, stage)
    const key = origin.kind === 'image' ? origin.key : ''
    const known = copied.get(key)
    if (known !== undefined) return known
    let id: string
    if (origin.kind === 'scratch') id = vertices.add(user, stage.id, '', 'FROM scratch', { type: 'scratch' })
    else {
      const image = resolve(origin)
      id = vertices.add(user, stage.id, '', `FROM ${origin.reference}`, {
        type: 'image',
        reference: image.reference ?? origin.reference,
        digest: image.digest,
      })
    }
    copied.set(key, id)
    return id
  }

  const fetched = new Map<string, string>()
  const fetch = ({ url, filename }: HttpSource, checksum: string | null, user: Place, stage: PlannedStage): string => {
    const key = JSON.stringify([url, filename, checksum])
    const known = fetched.get(key)
    if (known !== undefined) return known
    const id = vertices.add(user, stage.id, '', `ADD ${url.split('?')[0]}`, { type: 'http', url, checksum, filename })
    fetched.set(key, id)
    return id
  }

  for (const stage of graph.needed) {
    const { from, index } = stage.stage
    const own = stage.instructions.filter(({ kind }) => kind === 'RUN' || kind === 'COPY' || kind === 'ADD' || kind === 'WORKDIR').length
    const steps = new StepCounter(
      graph.named ? (from.name ?? `stage-${index}`) : '',
      own + (stage.base.kind === 'image' || stage.base.kind === 'context' ? 1 : 0),
    )
    let state: ImageState
    let vertex: string
    if (stage.base.kind === 'stage') {
      const base = finished(stage.base.stage)
      state = base.state.child()
      vertex = base.vertex
      stage.platform = stage.base.stage.platform
    } else if (stage.base.kind === 'scratch') {
      state = ImageState.of({ WorkingDir: '/' })
      vertex = vertices.add(from, stage.id, '', 'FROM scratch', { type: 'scratch' })
    } else if (stage.base.kind === 'context') {
      // A context is no layer: the copy of all of it is.
      const files = contextVertex(stage.base.source, from, stage)
      state = ImageState.of({})
      const empty = vertices.add(from, stage.id, '', 'FROM scratch', { type: 'scratch' })
      const copy = { type: 'copy' as const, sources: ['.'], dest: '/', chown: '', chmod: null, extract: false }
      vertex = vertices.add(from, stage.id, steps.prefix(), from.original, { ...copy, input: empty, from: files })
      state.history.push({ createdBy: shownText(from.original), vertex })
    } else {
      const image = resolve(stage.base)
      state = ImageState.of(image.config)
      stage.platform = image.platform ?? stage.platform
      const reference = image.reference ?? stage.base.reference
      vertex = vertices.add(from, stage.id, steps.prefix(), `FROM ${stage.base.reference}`, {
        type: 'image',
        reference,
        digest: image.digest,
      })
    }
    const planner = new StagePlanner({
      context,
      vertices,
      stage,
      state,
      vertex,
      steps,
      budget,
      vertexOf: (origin, user) => vertexOf(origin, user, stage),
      fetch: (source, checksum, user) => fetch(source, checksum, user, stage),
      contextOf: (source, user) => contextVertex(source, user, stage),
    })
    planner.run()
    done.set(stage, planner)
  }

  const target = finished(graph.target)
  tellNoEffect(context)
  const unused = context.unusedBuildArgs()
  if (unused.length > 0)
    context.warn(
      'UnusedBuildArg',
      `No ARG takes the build argument${unused.length > 1 ? 's' : ''} ${unused.slice(0, 20).join(', ')}.`,
      null,
    )
  const plan: BuildPlan = {
    version: 1,
    platform: graph.target.platform,
    vertices: vertices.list,
    target: target.vertex,
    image: { config: target.state.toConfig(), history: target.state.history },
  }
  if (target.state.author !== undefined) plan.image.author = target.state.author
  return {
    plan,
    warnings: checked(dockerfile, [...lintDockerfile(dockerfile, options), ...context.warnings]),
    contexts: context.contexts.planned,
    stagePlatforms: new Map(graph.needed.map((stage) => [stage.id, stage.platform])),
    ...(sourceDateEpoch === undefined ? {} : { sourceDateEpoch }),
  }
}

/** What the `check` directive wants to be told; fails when it makes findings errors. */
function checked(dockerfile: Dockerfile, warnings: DockerfileWarning[]): DockerfileWarning[] {
  const { skips, error } = readCheckDirective(dockerfile.directives.check)
  const told = warnings.filter(({ rule }) => rule === NO_EFFECT_RULE || !skips(rule))
  // What is about the build and not about the file is no finding.
  const found = told.filter(({ line }) => line !== null)
  const [first] = found
  if (!error || !first) return told
  const more = found.length > 1 ? ` (and ${found.length - 1} more)` : ''
  throw dockerfile.source.error(
    'CHECK_FAILED',
    `${first.rule}: ${first.message}${more}`,
    { line: first.line ?? 1, column: 1 },
    { hint: 'The check directive of this file makes findings errors.' },
  )
}
