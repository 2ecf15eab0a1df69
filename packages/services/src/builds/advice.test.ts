import { expect, it } from 'vitest'
import { adviceOf } from './advice'

const step = (
  position: number,
  instruction: string,
  missReason: string | null,
  missDetail: string | null,
  durationMs: number,
  stage = 'build',
) => ({
  position,
  stage,
  instruction,
  state: missReason ? ('done' as const) : ('cached' as const),
  platform: null,
  missReason,
  missDetail,
  durationMs,
})
const steps = (detail: string, command = 'RUN npm ci', ms = 8000) => [
  step(1, 'FROM node', null, null, 0),
  step(2, 'COPY . .', 'files-changed', detail, 30),
  step(3, command, 'input-changed', '`COPY . .` before it ran again', ms),
  step(4, 'RUN npm run build', 'input-changed', '`RUN npm ci` before it ran again', 9000),
]
const of = (...builds: ReturnType<typeof steps>[]) => adviceOf(builds.map((steps) => ({ steps })))

it('names the install that other files made run again', () => {
  expect(of(steps('2 files changed: src/app.ts, README.md'))).toMatchObject({
    manifests: ['package.json', 'package-lock.json'],
    position: 3,
    savedMs: 8000,
    builds: 1,
    of: 1,
  })
  expect(of(steps('1 file changed: a.txt', 'RUN apt-get update && apt-get -y install git'))?.manifests).toBeNull()
})
it('adds up what the last builds lost to it', () => {
  const advice = of(
    steps('1 file changed: a.ts'),
    steps('1 file changed: package.json'),
    steps('1 file changed: b.ts', 'RUN npm ci', 3000),
    steps('1 file added: c.ts', 'RUN npm ci', 4000),
  )
  expect(advice).toMatchObject({ savedMs: 15_000, builds: 3, of: 4 })
})
it('prefers what saves most over what was lost last', () => {
  const [from, copy, install, build] = steps('1 file changed: a.ts', 'RUN npm ci', 1000)
  const both = [from, copy, install, step(5, 'RUN apt-get install -y git', 'input-changed', 'x', 20_000), build].filter(
    (s) => s !== undefined,
  )
  expect(of(both)?.instruction).toBe('RUN apt-get install -y git')
})
it('is silent about a step that the newest build no longer has', () => {
  expect(of([step(1, 'FROM node', null, null, 0)], steps('1 file changed: a.ts'))).toBeNull()
})
it('says nothing when it cannot be sure', () => {
  expect(of(steps('2 files changed: src/app.ts, package.json'))).toBeNull()
  expect(of(steps('1 file changed: web/package-lock.json'))).toBeNull()
  expect(of(steps('30 files changed: a, b, …'))).toBeNull()
  expect(of(steps('the files are copied in another order or from another place'))).toBeNull()
  expect(of(steps('1 file changed: a.ts', 'RUN make'))).toBeNull()
  expect(of([step(1, 'RUN npm ci', 'first-time', 'this step has not been built before', 9000)])).toBeNull()
  expect(of()).toBeNull()
})
it('leaves out what is not worth the while', () => {
  expect(of(steps('1 file changed: a.ts').map((s) => ({ ...s, durationMs: 100 })))).toBeNull()
})
