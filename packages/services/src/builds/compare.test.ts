import { expect, it } from 'vitest'
import { type ComparedStep, compareBuilds } from './compare'

const step = (position: number, instruction: string, more: Partial<ComparedStep> = {}): ComparedStep => ({
  position,
  stage: '0',
  platform: null,
  instruction,
  state: 'done',
  missReason: null,
  missDetail: null,
  durationMs: 1000,
  layerSize: 1_000_000,
  ...more,
})
const compare = (now: ComparedStep[], before: ComparedStep[]) =>
  compareBuilds({ number: 8, durationMs: 9000, steps: now }, { number: 7, durationMs: 4000, steps: before })
const kinds = (now: ComparedStep[], before: ComparedStep[]) => compare(now, before).changes.map((c) => [c.kind, c.position])

it('tells what ran again, what grew and what took longer, in this order', () => {
  const before = [step(1, 'RUN a', { state: 'cached', durationMs: 2 }), step(2, 'RUN b'), step(3, 'RUN c')]
  const now = [
    step(1, 'RUN a', { missDetail: 'the value of V changed', durationMs: 7000 }),
    step(2, 'RUN b', { layerSize: 9_000_000 }),
    step(3, 'RUN c', { durationMs: 5000 }),
  ]
  const found = compare(now, before)
  expect(found.changes).toMatchObject([
    { kind: 'miss', position: 1, before: 2, after: 7000, reason: 'the value of V changed' },
    { kind: 'slower', position: 3, before: 1000, after: 5000 },
    { kind: 'bigger', position: 2, before: 1_000_000, after: 9_000_000 },
  ])
  expect(found).toMatchObject({ number: 7, durationMs: 9000, previousDurationMs: 4000, cachedSteps: 0, previousCachedSteps: 1 })
  expect(found.layerBytes - found.previousLayerBytes).toBe(8_000_000)
})
it('tells the good news too', () => {
  const quick = step(1, 'RUN a', { durationMs: 100, layerSize: 10 })
  expect(kinds([quick], [step(1, 'RUN a', { durationMs: 4000 })])).toEqual([
    ['faster', 1],
    ['smaller', 1],
  ])
  expect(kinds([step(1, 'RUN a', { state: 'cached', durationMs: 1 })], [step(1, 'RUN a')])).toEqual([['hit', 1]])
})
it('finds a step again that moved down, and names what came and went', () => {
  expect(kinds([step(1, 'RUN new'), step(2, 'RUN a')], [step(1, 'RUN a'), step(2, 'RUN old')])).toEqual([
    ['new', 1],
    ['gone', null],
  ])
})
it('takes equal instructions one after the other, and those of other stages for others', () => {
  expect(kinds([step(1, 'RUN a'), step(2, 'RUN a')], [step(1, 'RUN a'), step(2, 'RUN a')])).toEqual([])
  expect(kinds([step(1, 'RUN a', { stage: 'x' })], [step(1, 'RUN a', { stage: 'y' })])).toEqual([
    ['new', 1],
    ['gone', null],
  ])
})
it('takes no notice of noise, nor of steps that came to no end', () => {
  expect(kinds([step(1, 'RUN a', { state: 'cached', durationMs: 0 })], [step(1, 'RUN a', { durationMs: 9 })])).toEqual([])
  expect(kinds([step(1, 'RUN a', { durationMs: 1300, layerSize: 1_010_000 })], [step(1, 'RUN a')])).toEqual([])
  expect(
    kinds([step(1, 'RUN a', { state: 'failed' }), step(2, 'RUN b', { state: 'skipped' })], [step(1, 'RUN a'), step(2, 'RUN b')]),
  ).toEqual([])
})
it('stops at twenty', () => {
  const many = Array.from({ length: 200 }, (_, i) => step(i + 1, `RUN ${i}`))
  expect(compare(many, []).changes).toHaveLength(20)
})
