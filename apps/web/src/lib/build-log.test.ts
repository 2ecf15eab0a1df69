import type { views } from '@slipway/contracts'
import { expect, it } from 'vitest'
import { detailsOf, timelineOf } from './build-graph'
import { BuildLog, PIPELINE } from './build-log'

const chunk = (seq: number, text: string, position: number | null = 1, stream: 'stdout' | 'stderr' | 'system' = 'stdout') => ({
  seq,
  position,
  stream,
  at: new Date(seq),
  text,
})
const texts = (log: BuildLog, step = 1) => log.lines(step).map((l) => l.text)

it('joins a line that two chunks share, per step and stream', () => {
  const log = new BuildLog()
  log.append([chunk(1, 'one\ntw'), chunk(2, 'elsewhere\n', 2), chunk(3, 'warning\n', 1, 'stderr'), chunk(4, 'o\nthree\n')])
  expect(texts(log)).toEqual(['one', 'two', 'warning', 'three'])
  expect(texts(log, 2)).toEqual(['elsewhere'])
})
it('grows an open line chunk by chunk', () => {
  const log = new BuildLog()
  log.append([chunk(1, 'a')])
  log.append([chunk(2, 'b')])
  log.append([chunk(3, 'c\n')])
  expect(texts(log)).toEqual(['abc'])
})
it('leaves out what it has seen and says which steps got lines', () => {
  const log = new BuildLog()
  expect([...log.append([chunk(1, 'x\n'), chunk(2, 'checkout\n', null, 'system')])].sort()).toEqual([PIPELINE, 1])
  expect(log.append([chunk(1, 'x\n'), chunk(2, 'checkout\n', null, 'system')]).size).toBe(0)
  expect(texts(log)).toEqual(['x'])
})
it('gives a changed step a new list and keeps the newest lines of a flood', () => {
  const log = new BuildLog()
  log.append([chunk(1, 'x\n')])
  const before = log.lines(1)
  log.append([chunk(2, Array.from({ length: 25_000 }, (_, i) => `${i}\n`).join(''))])
  expect(log.lines(1)).not.toBe(before)
  expect(log.lines(1)).toHaveLength(20_000)
  expect(texts(log).at(-1)).toBe('24999')
})

const plain = {
  stage: '0',
  platform: null,
  state: 'done',
  inputs: [] as number[],
  missReason: null,
  missDetail: null,
  waitMs: null,
  cpuMs: null,
  peakMemoryBytes: null,
  layerSize: null,
  unpackedSize: null,
  diskReadBytes: null,
  diskWrittenBytes: null,
}

it('names what a step took, and nothing that is not known', () => {
  const step = {
    ...plain,
    waitMs: 1200,
    cpuMs: 900,
    peakMemoryBytes: 104_000_000,
    layerSize: 12_000_000,
    unpackedSize: 34_000_000,
    diskReadBytes: 0,
  }
  expect(detailsOf(step as unknown as views.BuildStepView)).toEqual([
    'waited 1.2 s',
    'CPU 0.9 s',
    'peak memory 104 MB',
    'layer 12 MB, unpacked 34 MB',
    'read 0 B from disk',
  ])
  expect(detailsOf(plain as unknown as views.BuildStepView)).toEqual([])
})

it('draws the checkout, the steps and the publishing on one axis', () => {
  const at = (ms: number) => new Date(1000 + ms)
  const timeline = timelineOf(
    {
      startedAt: at(0),
      finishedAt: at(2000),
      publishMs: 400,
      state: 'succeeded',
      phase: null,
      steps: [
        { ...plain, position: 1, instruction: 'FROM node', state: 'cached', startedAt: at(800), finishedAt: at(805), durationMs: 5 },
        { ...plain, position: 2, inputs: [1], instruction: 'RUN make', startedAt: at(805), finishedAt: at(1500), durationMs: 695 },
      ],
    } as views.BuildView,
    0,
  )
  expect(timeline?.totalMs).toBe(2000)
  expect(timeline?.vertices.map((v) => v.inputs)).toEqual([[], ['checkout'], ['1'], ['2']])
  expect(timeline?.vertices.map((v) => [v.lane, v.start, v.end])).toEqual([
    ['checkout', 0, 800],
    ['stage 0', 800, 805],
    ['stage 0', 805, 1500],
    ['publish', 1600, 2000],
  ])
})
it('draws no step that was canceled before it began', () => {
  const build = {
    startedAt: new Date(0),
    finishedAt: new Date(900),
    publishMs: null,
    state: 'canceled',
    phase: null,
    steps: [
      {
        ...plain,
        position: 1,
        instruction: 'RUN a',
        state: 'canceled',
        startedAt: new Date(500),
        finishedAt: new Date(900),
        durationMs: null,
      },
      { ...plain, position: 2, instruction: 'RUN b', state: 'canceled', startedAt: null, finishedAt: null, durationMs: null },
    ],
  }
  expect(timelineOf(build as unknown as views.BuildView, 0)?.vertices.map((v) => v.state)).toEqual(['done', 'canceled', 'skipped'])
})
it('draws a checkout that goes on, and one that failed', () => {
  const build = {
    startedAt: new Date(0),
    finishedAt: null,
    publishMs: null,
    state: 'running',
    phase: 'checkout',
    steps: [] as views.BuildStepView[],
  }
  expect(timelineOf(build as unknown as views.BuildView, 700)?.vertices).toMatchObject([{ state: 'running', start: 0, end: 700 }])
  const failed = { ...build, state: 'failed', finishedAt: new Date(300) }
  expect(timelineOf(failed as unknown as views.BuildView, 700)).toMatchObject({ totalMs: 300, vertices: [{ state: 'failed', end: 300 }] })
})
