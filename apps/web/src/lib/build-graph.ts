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

/** When each step ran, as the graph draws it; null before the first has begun. Publishing is a lane of its own. */
export function timelineOf(build: views.BuildView, now: number): Timeline | null {
  const times = build.steps.flatMap((s) => (s.startedAt ? [s.startedAt.getTime()] : []))
  if (times.length === 0) return null
  const origin = Math.min(...times)
  const inputs = stepInputs(build.steps)
  const vertices: GraphVertex[] = build.steps.map((s) => {
    const start = s.startedAt ? s.startedAt.getTime() - origin : 0
    const end = s.finishedAt ? s.finishedAt.getTime() - origin : s.state === 'running' ? now - origin : start + (s.durationMs ?? 0)
    return {
      id: String(s.position),
      lane: s.stage,
      label: s.instruction,
      state: s.state,
      inputs: (inputs.get(s.position) ?? []).map(String),
      start,
      end: Math.max(start, end),
    }
  })
  const built = Math.max(...vertices.map((v) => v.end))
  if (build.publishMs !== null && build.finishedAt) {
    const end = Math.max(built + build.publishMs, build.finishedAt.getTime() - origin)
    const before = vertices.at(-1)
    vertices.push({
      id: 'publish',
      lane: 'publish',
      label: 'publish',
      state: 'done',
      inputs: before ? [before.id] : [],
      start: end - build.publishMs,
      end,
    })
  }
  const running = build.finishedAt === null ? now - origin : 0
  return { vertices, totalMs: Math.max(1, running, ...vertices.map((v) => v.end)) }
}
