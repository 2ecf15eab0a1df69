import { claimBuild, finishBuild, replaceBuildSteps, updateBuildSteps } from '@slipway/db'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Scope } from '../scope'
import { createHarness, type Harness } from '../testing/harness'

let h: Harness
let acme: Scope
let evil: Scope
let app: string
const FILES = '1 file changed: src/app.ts'

beforeAll(async () => {
  h = await createHarness()
  acme = await h.organization('Ada', 'acme')
  evil = await h.organization('Eve', 'evil')
  app = (await h.gitApp(acme)).app
})
afterAll(() => h.close())

/** Runs the app's open build to its end, as the worker does. */
async function run(number: number, installMs: number, how: 'succeeded' | 'failed' | 'canceled' = 'succeeded') {
  const row = await h.db.build.findFirstOrThrow({ where: { number, app: { slug: app } } })
  expect((await claimBuild(h.db))?.id).toBe(row.id)
  const step = { stage: 'build', platform: null, name: '', line: 1 }
  await replaceBuildSteps(h.db, row.id, [
    { ...step, position: 1, vertexId: 'v0', instruction: 'COPY . .', inputs: [] },
    { ...step, position: 2, vertexId: 'v1', instruction: 'RUN npm ci', inputs: [1] },
  ])
  await updateBuildSteps(h.db, row.id, new Map([['v0', { state: 'done', durationMs: 20, missReason: 'files-changed', missDetail: FILES }]]))
  await updateBuildSteps(
    h.db,
    row.id,
    new Map([
      [
        'v1',
        {
          state: 'done',
          durationMs: installMs,
          missReason: 'input-changed',
          missDetail: 'x',
          waitMs: 7,
        },
      ],
    ]),
  )
  await finishBuild(h.db, row.id, how)
}
const again = async () => (await h.services.builds.trigger(acme, { app, noCache: false }, 'manual')).number
const insights = (number: number) => h.services.builds.insights(acme, { app, number })

it('compares with the last good build, and adds up what the Dockerfile cost in the last five', async () => {
  await run(1, 4000)
  expect(await insights(1)).toMatchObject({ comparison: null, advice: { savedMs: 4000, builds: 1, of: 1, position: 2 } })
  await run(await again(), 9000, 'failed')
  await run(await again(), 6000)
  const { comparison, advice } = await insights(3)
  expect(comparison).toMatchObject({ number: 1, changes: [{ kind: 'slower', position: 2, before: 4000, after: 6000 }] })
  expect(advice).toMatchObject({ savedMs: 19_000, builds: 3, of: 3, manifests: ['package.json', 'package-lock.json'] })
  const { steps } = await h.services.builds.get(acme, { app, number: 3 })
  expect(steps[1]).toMatchObject({ inputs: [1], waitMs: 7 })
})

it('has nothing to say of a build that never came to an end', async () => {
  await run(await again(), 5000, 'canceled')
  expect(await insights(4)).toEqual({ comparison: null, advice: null })
  await again()
  expect(await insights(5)).toEqual({ comparison: null, advice: null })
})

it('tells another organization nothing', async () => {
  await expect(h.services.builds.insights(evil, { app, number: 1 })).rejects.toMatchObject({ code: 'APP_NOT_FOUND' })
})
