import type { views } from '@slipway/contracts'
import type { GraphVertex } from '@slipway/ui'

/** Stages a step takes from besides the step before it: `FROM build`, `COPY --from=build`. */
function stagesOf(instruction: string): string[] {
  const from = /^FROM\s+(?:--\S+\s+)*(\S+)/i.exec(instruction)?.[1]
  const copies = [...instruction.matchAll(/--from=(\S+)/gi)].map((m) => m[1])
  return [from, ...copies].filter((s) => s !== undefined)
}

/** Ids of the steps whose result each step takes, read from the instructions: the one before it in its stage, and the last of the stages it names. */
export function stepInputs(steps: Pick<views.BuildStepView, 'position' | 'stage' | 'instruction'>[]): Map<number, number[]> {
  const last = new Map<string, number>()
  const inputs = new Map<number, number[]>()
  for (const step of [...steps].sort((a, b) => a.position - b.position)) {
    const before = last.get(step.stage)
    const named = stagesOf(step.instruction).map((stage) => last.get(stage))
    inputs.set(
      step.position,
      [before, ...named].filter((p) => p !== undefined),
    )
    last.set(step.stage, step.position)
  }
  return inputs
}

export interface Timeline {
  vertices: GraphVertex[]
  totalMs: number
}

const CHECKOUT = 'checkout'
const PUBLISH = 'publish'

/**
 * When each part of a build ran, as the graph draws it: the checkout, the steps by their stages, the publishing; null before
 * the build has begun.
 */
export function timelineOf(build: views.BuildView, now: number): Timeline | null {
  if (!build.startedAt) return null
  const origin = build.startedAt.getTime()
  const over = build.finishedAt ? Math.max(0, build.finishedAt.getTime() - origin) : null
  const begun = build.steps.flatMap((s) => (s.startedAt ? [s.startedAt.getTime() - origin] : []))
  const prepared = begun.length > 0 ? Math.max(0, Math.min(...begun)) : null
  const steps = stepVertices(build.steps, origin, now)
  const built = Math.max(prepared ?? 0, ...steps.map((v) => v.end))

  const vertices = [checkoutVertex(build, prepared, over ?? now - origin), ...steps]
  if (build.publishMs !== null && over !== null) {
    const start = Math.max(built, over - build.publishMs)
    const last = steps.at(-1)
    vertices.push({
      id: PUBLISH,
      lane: PUBLISH,
      label: PUBLISH,
      state: 'done',
      inputs: last ? [last.id] : [],
      start,
      end: start + build.publishMs,
    })
  } else if (build.state === 'running' && build.phase === 'publish') {
    const last = steps.at(-1)
    vertices.push({
      id: PUBLISH,
      lane: PUBLISH,
      label: PUBLISH,
      state: 'running',
      inputs: last ? [last.id] : [],
      start: built,
      end: now - origin,
    })
  }
  return { vertices, totalMs: Math.max(1, over ?? now - origin, ...vertices.map((v) => v.end)) }
}

/** What came before the first step: fetching the commit, reading the Dockerfile, finding the base images. */
function checkoutVertex(build: views.BuildView, prepared: number | null, untilNow: number): GraphVertex {
  const ended = build.state === 'canceled' ? 'canceled' : build.state === 'failed' ? 'failed' : 'running'
  return {
    id: CHECKOUT,
    lane: CHECKOUT,
    label: CHECKOUT,
    state: prepared === null ? ended : 'done',
    inputs: [],
    start: 0,
    end: prepared ?? Math.max(0, untilNow),
  }
}

function stepVertices(steps: views.BuildStepView[], origin: number, now: number): GraphVertex[] {
  const inputs = stepInputs(steps)
  return steps.map((s) => {
    const start = s.startedAt ? s.startedAt.getTime() - origin : 0
    const end = s.finishedAt ? s.finishedAt.getTime() - origin : s.state === 'running' ? now - origin : start + (s.durationMs ?? 0)
    const before = (inputs.get(s.position) ?? []).map(String)
    return {
      id: String(s.position),
      lane: stageName(s.stage),
      label: s.instruction,
      state: s.state,
      inputs: before.length > 0 ? before : [CHECKOUT],
      start,
      end: Math.max(start, end),
    }
  })
}

/** Stages without a name are numbered. */
const stageName = (stage: string) => (/^\d+$/.test(stage) ? `stage ${stage}` : stage)
