import type { views } from '@slipway/contracts'

export type ComparedStep = Pick<
  views.BuildStepView,
  'position' | 'stage' | 'platform' | 'instruction' | 'state' | 'missReason' | 'missDetail' | 'durationMs' | 'layerSize'
>
export interface ComparedBuild {
  number: number
  durationMs: number | null
  steps: ComparedStep[]
}

/** Less than this is the weather of the host, not a change. */
const SLOWER = { ms: 500, ratio: 1.25 }
/** A step that came from the cache is good news where it had taken at least this long. */
const WORTH_MS = 100
const BIGGER = { bytes: 100_000, ratio: 1.05 }
const MOST = 20
/** The gravest first: what ran again, what grew, what is new; then the good news. */
const ORDER: views.StepChange['kind'][] = ['miss', 'slower', 'bigger', 'new', 'gone', 'hit', 'faster', 'smaller']

/** What this build did otherwise than the one before it. */
export function compareBuilds(now: ComparedBuild, before: ComparedBuild): views.BuildComparison {
  const { pairs, gone } = match(now.steps, before.steps)
  const changes = [
    ...pairs.flatMap(([step, old]) => changesOf(step, old)),
    ...gone.map((old) => change('gone', old, old.durationMs, null, null)),
  ]
  const weight = ({ before, after }: views.StepChange) => Math.abs((after ?? 0) - (before ?? 0))
  changes.sort((a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind) || weight(b) - weight(a))
  return {
    number: before.number,
    durationMs: now.durationMs,
    previousDurationMs: before.durationMs,
    layerBytes: bytes(now.steps),
    previousLayerBytes: bytes(before.steps),
    cachedSteps: cached(now.steps),
    previousCachedSteps: cached(before.steps),
    changes: changes.slice(0, MOST),
  }
}

const bytes = (steps: ComparedStep[]) => steps.reduce((sum, s) => sum + (s.layerSize ?? 0), 0)
const cached = (steps: ComparedStep[]) => steps.filter((s) => s.state === 'cached').length

const keyOf = ({ platform, stage, instruction }: ComparedStep) => `${platform ?? ''}\n${stage}\n${instruction}`

/** Equal instructions of a stage in their order; what is left over in a stage is new or gone. */
function match(now: ComparedStep[], before: ComparedStep[]): { pairs: [ComparedStep, ComparedStep | null][]; gone: ComparedStep[] } {
  const left = new Map<string, ComparedStep[]>()
  for (const old of before) {
    const key = keyOf(old)
    left.set(key, [...(left.get(key) ?? []), old])
  }
  const pairs = now.map((step): [ComparedStep, ComparedStep | null] => [step, left.get(keyOf(step))?.shift() ?? null])
  return { pairs, gone: [...left.values()].flat() }
}

function changesOf(step: ComparedStep, old: ComparedStep | null): views.StepChange[] {
  if (step.state !== 'cached' && step.state !== 'done') return []
  if (!old) return [change('new', step, null, step.durationMs, step.missDetail)]
  const out: views.StepChange[] = []
  const [ms, oldMs] = [step.durationMs ?? 0, old.durationMs ?? 0]
  if (step.state === 'done' && old.state === 'cached') out.push(change('miss', step, oldMs, ms, step.missDetail))
  else if (step.state === 'cached' && old.state === 'done') {
    if (oldMs >= WORTH_MS) out.push(change('hit', step, oldMs, ms, null))
  } else if (step.state === 'done' && old.state === 'done') {
    if (ms - oldMs >= SLOWER.ms && ms >= oldMs * SLOWER.ratio) out.push(change('slower', step, oldMs, ms, null))
    if (oldMs - ms >= SLOWER.ms && oldMs >= ms * SLOWER.ratio) out.push(change('faster', step, oldMs, ms, null))
  }
  const [size, oldSize] = [step.layerSize, old.layerSize]
  if (size !== null && oldSize !== null) {
    if (size - oldSize >= BIGGER.bytes && size >= oldSize * BIGGER.ratio) out.push(change('bigger', step, oldSize, size, null))
    if (oldSize - size >= BIGGER.bytes && oldSize >= size * BIGGER.ratio) out.push(change('smaller', step, oldSize, size, null))
  }
  return out
}

const change = (
  kind: views.StepChange['kind'],
  { position, stage, platform, instruction }: ComparedStep,
  before: number | null,
  after: number | null,
  reason: string | null,
): views.StepChange => ({ position: kind === 'gone' ? null : position, stage, platform, instruction, kind, before, after, reason })
