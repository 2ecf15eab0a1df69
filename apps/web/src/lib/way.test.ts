import type { views } from '@slipway/contracts'
import { expect, it } from 'vitest'
import { wayOfBuild } from './way'

const build = (over: Partial<views.BuildView>) =>
  wayOfBuild({
    id: 'bld_1',
    number: 1,
    app: { slug: 'a', name: 'a' },
    state: 'queued',
    trigger: 'push',
    deploys: true,
    actor: 'GitHub',
    commit: { sha: 'e41c9a2c9d1e', message: 'm', author: null, branch: 'main', at: null },
    branch: 'main',
    pullRequest: null,
    cachedSteps: 7,
    totalSteps: 9,
    error: null,
    queuedAt: new Date(0),
    startedAt: null,
    finishedAt: null,
    durationMs: null,
    phase: null,
    publishMs: null,
    ...over,
  })
const states = (over: Partial<views.BuildView>) => build(over).map((h) => `${h.hop} ${h.state}`)

it('draws a build as the beginning of the way it is on', () => {
  expect(build({})[0]?.proof).toBe('e41c9a2 on main')
  expect(states({})).toEqual(['push done', 'build pending', 'publish pending', 'start pending', 'switch pending'])
  expect(states({ state: 'running', phase: 'build' })[1]).toBe('build running')
  expect(states({ state: 'running', phase: 'publish' }).slice(1, 3)).toEqual(['build done', 'publish running'])
  expect(states({ state: 'succeeded' }).slice(1, 4)).toEqual(['build done', 'publish done', 'start pending'])
})
it('ends with the build of a pull request', () => {
  const pullRequest = { number: 12, title: 'Blue', kind: 'pull', fromFork: true } as const
  const of = { pullRequest, trigger: 'pull_request', deploys: false } as const
  expect(build(of)[0]?.proof).toBe('e41c9a2 of #12')
  for (const state of ['queued', 'succeeded', 'failed'] as const)
    expect(states({ ...of, state }).slice(2)).toEqual(['publish skipped', 'start skipped', 'switch skipped'])
})
it('says at which hop it failed', () => {
  const error = { code: 'X', message: 'The registry is full.', details: {} }
  expect(states({ state: 'failed', phase: 'build', error }).slice(1, 3)).toEqual(['build failed', 'publish pending'])
  const way = build({ state: 'failed', phase: 'publish', error })
  expect(way[2]).toMatchObject({ state: 'failed', proof: 'The registry is full.' })
})

it('says of a step that failed which and how, in one line, and leads to its log', () => {
  const error = (code: string, exitCode: number) => ({ code, message: '`RUN make` (line 3) ended.', details: { step: 3, exitCode } })
  const way = (code: string, exitCode: number) => build({ state: 'failed', phase: 'build', error: error(code, exitCode) })[1]
  expect(way('EXEC_FAILED', 2)).toMatchObject({ proof: 'Step 3 ended with exit code 2', href: '#step-3' })
  expect(way('OUT_OF_MEMORY', 137)?.proof).toBe('Step 3 ran out of memory')
  expect(way('DISK_LIMIT', 137)?.proof).toBe('`RUN make` (line 3) ended.')
})
