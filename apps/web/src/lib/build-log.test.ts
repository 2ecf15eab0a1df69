import { expect, it } from 'vitest'
import { stepInputs } from './build-graph'
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

it('reads the inputs of steps from their instructions', () => {
  const inputs = stepInputs([
    { position: 1, stage: 'deps', instruction: 'FROM node AS deps' },
    { position: 2, stage: 'deps', instruction: 'RUN npm ci' },
    { position: 3, stage: 'build', instruction: 'FROM --platform=linux/amd64 deps AS build' },
    { position: 4, stage: 'final', instruction: 'FROM node' },
    { position: 5, stage: 'final', instruction: 'COPY --from=build /app/dist ./dist' },
  ])
  expect(inputs.get(2)).toEqual([1])
  expect(inputs.get(3)).toEqual([2])
  expect(inputs.get(5)).toEqual([4, 3])
})
