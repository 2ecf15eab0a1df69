import { expect, it } from 'vitest'
import { buildTip } from './build-tip'

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
  missReason,
  missDetail,
  durationMs,
})
const steps = (detail: string, command = 'RUN npm ci') => [
  step(1, 'FROM node', null, null, 0),
  step(2, 'COPY . .', 'files-changed', detail, 30),
  step(3, command, 'input-changed', '`COPY . .` before it ran again', 8000),
  step(4, 'RUN npm run build', 'input-changed', '`RUN npm ci` before it ran again', 9000),
]

it('names the install that other files made run again', () => {
  expect(buildTip(steps('2 files changed: src/app.ts, README.md'))).toMatchObject({
    manifests: ['package.json', 'package-lock.json'],
    step: { position: 3 },
    savedMs: 8000,
  })
  expect(buildTip(steps('1 file changed: a.txt', 'RUN apt-get update && apt-get -y install git'))?.manifests).toBeNull()
})
it('says nothing when it cannot be sure', () => {
  expect(buildTip(steps('2 files changed: src/app.ts, package.json'))).toBeNull()
  expect(buildTip(steps('1 file changed: web/package-lock.json'))).toBeNull()
  expect(buildTip(steps('30 files changed: a, b, …'))).toBeNull()
  expect(buildTip(steps('the files are copied in another order or from another place'))).toBeNull()
  expect(buildTip(steps('1 file changed: a.ts', 'RUN make'))).toBeNull()
  expect(buildTip([step(1, 'RUN npm ci', 'first-time', 'this step has not been built before', 9000)])).toBeNull()
})
it('leaves out what is not worth the while', () => {
  expect(buildTip(steps('1 file changed: a.ts').map((s) => ({ ...s, durationMs: 100 })))).toBeNull()
})
