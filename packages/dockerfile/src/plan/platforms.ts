/** One Dockerfile, several platforms: a plan of each, joined into one that does what is the same for all of them once. */
import type { BuildOp, BuildPlan, BuildVertex } from '@slipway/contracts'
import { LIMITS } from '../limits'
import type { Dockerfile } from '../parser'
import type { ScopeOptions } from './context'
import { NamedContexts } from './named-contexts'
import { baseReferences, type PlannedBuild, type PlanOptions, planBuild } from './plan'
import { formatPlatform, type Platform, samePlatform } from './platform'

/** As `baseReferences`, of all platforms; none: the build host's. */
export const baseReferencesOf = (dockerfile: Dockerfile, options: ScopeOptions, platforms: readonly Platform[]): string[] =>
  platforms.length === 0
    ? baseReferences(dockerfile, options)
    : [...new Set(platforms.flatMap((platform) => baseReferences(dockerfile, { ...options, platform })))]

/**
 * As `planBuild`, for each of `platforms` and no other: several become one plan with `more` images. Nothing is emulated: a RUN whose stage is not of
 * the build host's platform is an error, as ever.
 * @throws DockerfileError
 */
export function planPlatforms(dockerfile: Dockerfile, options: PlanOptions, platforms: readonly Platform[]): PlannedBuild {
  if (platforms.length === 0) return planBuild(dockerfile, options)
  const host = options.buildPlatform
  // The host's own first: results of RUN are found again under the name of the first.
  const ordered = [...platforms].sort((a, b) => Number(isSame(host, b)) - Number(isSame(host, a)))
  const planned = ordered.map((platform) => {
    const one = planBuild(dockerfile, { ...options, platform })
    const made = one.plan.platform
    if (made.architecture !== platform.architecture || (made.variant && platform.variant && made.variant !== platform.variant)) {
      throw dockerfile.source.error(
        'PLATFORM_NOT_MADE',
        `An image for ${formatPlatform(platform)} was asked for, but its last stage stands on an image for ${formatPlatform(made)}.`,
        dockerfile.stages.at(-1)?.from.range.start,
        { hint: `Begin that stage FROM an image for ${formatPlatform(platform)}, or FROM scratch.` },
      )
    }
    one.plan.platform = platform
    return one
  })
  const [first, ...rest] = planned
  if (!first) throw new Error('no platform to plan for')
  return rest.length === 0 ? first : new Joined(dockerfile).join(planned)
}

const isSame = (host: Platform | undefined, platform: Platform) => host !== undefined && samePlatform(host, platform)

interface Shared {
  vertex: BuildVertex
  /** What its stage runs on. */
  stage: string
  /** Platforms whose image needs it. */
  for: Set<string>
}

class Joined {
  readonly #dockerfile: Dockerfile
  readonly #contexts = new NamedContexts()
  readonly #known = new Map<string, Shared>()

  constructor(dockerfile: Dockerfile) {
    this.#dockerfile = dockerfile
  }

  join(planned: PlannedBuild[]): PlannedBuild {
    const [own, ...more] = planned.map((one) => this.#add(one))
    const [first] = planned
    if (!own || !first) throw new Error('no platform to plan for')
    const vertices = [...this.#known.values()].map(({ vertex, stage, for: targets }) => {
      const [only, ...others] = targets
      const platform = others.length > 0 || only === undefined || only === stage ? stage : `${stage}->${only}`
      return { ...vertex, platform, name: named(vertex.name, platform) }
    })
    const warnings = new Map(planned.flatMap((one) => one.warnings).map((warning) => [JSON.stringify(warning), warning]))
    return {
      ...first,
      plan: { version: 1, ...own, vertices, more },
      warnings: [...warnings.values()],
      contexts: this.#contexts.planned,
    }
  }

  /** Gives the target, with its ids in the joined plan. */
  #add({ plan, contexts, stagePlatforms }: PlannedBuild): Pick<BuildPlan, 'platform' | 'target' | 'image'> {
    const target = formatPlatform(plan.platform)
    const names = new Map(contexts.map(({ name, source }) => [name, this.#contexts.use(source)]))
    const ids = new Map<string, string>()
    const to = (id: string) => ids.get(id) ?? id
    for (const vertex of plan.vertices) {
      const stagePlatform = stagePlatforms.get(vertex.stage)
      const stage = stagePlatform ? formatPlatform(stagePlatform) : target
      const op = renamed(vertex.op, to, (name) => names.get(name) ?? name)
      const key = JSON.stringify([stage, vertex.stage, vertex.line, op])
      let shared = this.#known.get(key)
      if (!shared) {
        if (this.#known.size >= LIMITS.vertices)
          throw this.#dockerfile.source.error(
            'TOO_MANY_STEPS',
            `The build has more than ${LIMITS.vertices} steps for all its platforms. Join RUN commands with &&, or build for fewer platforms.`,
          )
        shared = { vertex: { ...vertex, id: `v${this.#known.size}`, op }, stage, for: new Set() }
        this.#known.set(key, shared)
      }
      shared.for.add(target)
      ids.set(vertex.id, shared.vertex.id)
    }
    const history = plan.image.history.map((entry) => ({ ...entry, vertex: entry.vertex === null ? null : to(entry.vertex) }))
    return { platform: plan.platform, target: to(plan.target), image: { ...plan.image, history } }
  }
}

/** `[build 2/5] RUN make` → `[linux/arm64 build 2/5] RUN make`, as BuildKit shows it. */
const named = (name: string, platform: string) => (name.startsWith('[') ? `[${platform} ${name.slice(1)}` : `[${platform}] ${name}`)

/** The same work, with other names for what it takes. */
function renamed(op: BuildOp, to: (id: string) => string, context: (name: string) => string): BuildOp {
  const from = <T extends { from: string | null }>(part: T): T => ({ ...part, from: part.from === null ? null : to(part.from) })
  switch (op.type) {
    case 'context':
      return { ...op, name: context(op.name) }
    case 'exec':
      return {
        ...op,
        input: to(op.input),
        ...(op.mounts && { mounts: op.mounts.map((mount) => ('from' in mount ? from(mount) : mount)) }),
      }
    case 'copy':
      return { ...from(op), input: to(op.input), ...(op.more && { more: op.more.map(from) }) }
    case 'mkdir':
      return { ...op, input: to(op.input) }
    default:
      return op
  }
}
