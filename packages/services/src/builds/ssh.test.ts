/** Who answers for the SSH agent of a build: who started it, while it runs, and nobody else. */
import { randomUUID } from 'node:crypto'
import { channels, inputs, OVER, type SshAnswer, sshAnswer } from '@slipway/contracts'
import type { AppError } from '@slipway/core'
import { afterAll, beforeAll, beforeEach, expect, it, onTestFinished } from 'vitest'
import type { Scope } from '../scope'
import { createHarness, type Harness } from '../testing/harness'
import { optionsColumn, uploadOptions } from './upload-options'

let h: Harness
let ada: Scope
let bob: Scope
let target: { app: string; number: number }
let buildId: string

beforeAll(async () => {
  h = await createHarness()
  ada = await h.organization('Ada', 'acme')
  const user = await h.user('Bob')
  await h.join(user.userId, 'acme', 'admin')
  bob = await h.scope(user, 'acme')
  const { app } = await h.gitApp(ada)
  const build = await h.db.build.findFirstOrThrow()
  buildId = build.id
  target = { app, number: build.number }
})
afterAll(() => h.close())

const OPTIONS = { tree: `sha256:${'a'.repeat(64)}`, dockerfilePath: 'Dockerfile', ignore: '', target: null, push: false, tag: 'latest' }
async function is(state: 'queued' | 'running' | 'succeeded', by: string | null = ada.actor.userId): Promise<void> {
  const options = uploadOptions({ upload: { ...OPTIONS, ssh: { by, ids: ['default'] } } })
  await h.db.build.update({ where: { id: buildId }, data: { state, ...(options && { upload: optionsColumn(options) }) } })
}
beforeEach(() => is('running'))

const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'none',
    (error: AppError) => error.code,
  )
/** The code of the first item, or of its refusal. */
const first = (scope: Scope) => codeOf(h.services.builds.sshRequests(scope, target, AbortSignal.timeout(300)).next())
const answer = (scope: Scope, ask = randomUUID()) => codeOf(h.services.builds.sshAnswer(scope, { ...target, ask, message: 'BQ==' }))

it('is nobody else’s, nor of a build that forwards none', async () => {
  expect([await first(bob), await answer(bob)]).toEqual(['NOT_YOUR_BUILD', 'NOT_YOUR_BUILD'])
  expect([await first({ ...ada, role: 'guest' }), await answer({ ...ada, role: 'guest' })]).toEqual(['ROLE_TOO_LOW', 'ROLE_TOO_LOW'])
  await is('running', null)
  expect([await first(ada), await answer(ada)]).toEqual(['NOT_YOUR_BUILD', 'NOT_YOUR_BUILD'])
  await is('running')
  expect([await first(ada), await answer(ada)]).toEqual(['none', 'none'])
})

it('takes no answer of a build that does not run', async () => {
  await is('queued')
  expect([await first(ada), await answer(ada)]).toEqual(['none', 'BUILD_OVER'])
  await is('succeeded')
  expect(await answer(ada)).toBe('BUILD_OVER')
  expect(await h.services.builds.sshRequests(ada, target, undefined).next()).toEqual({ done: true, value: undefined })
})

it('is told what is asked, once for each time, and its answer gets back; until the build is over', async () => {
  const answers: SshAnswer[] = []
  onTestFinished(h.deps.signals.subscribe(channels.sshAnswers(buildId), (payload) => answers.push(sshAnswer.parse(JSON.parse(payload)))))
  const requests = h.services.builds.sshRequests(ada, target, undefined)
  const next = requests.next()
  const request = { ask: randomUUID(), id: 'default', message: 'Cw==' }
  const tell = (text = JSON.stringify(request)) => h.deps.signals.publish(channels.sshRequests(buildId), text)
  // Until it listens; what is no question is passed over.
  const telling = setInterval(() => {
    tell('{}')
    tell('no JSON')
    tell()
  }, 50)
  expect(await next).toEqual({ done: false, value: request })
  clearInterval(telling)
  await expect.poll(() => answers).toContainEqual({ ask: request.ask })
  await h.services.builds.sshAnswer(ada, { ...target, ask: request.ask, message: 'DAAAAAA=' })
  await expect.poll(() => answers).toContainEqual({ ask: request.ask, message: 'DAAAAAA=' })
  // Handed back, as by a worker that stops: not over.
  const more = (async () => {
    const asked = []
    for await (const one of requests) asked.push(one.ask)
    return asked
  })()
  await is('queued')
  h.deps.signals.publish(channels.build(buildId), OVER)
  await is('running')
  const second = { ...request, ask: randomUUID() }
  const again = setInterval(() => tell(JSON.stringify(second)), 50)
  onTestFinished(() => clearInterval(again))
  await expect.poll(() => answers).toContainEqual({ ask: second.ask })
  await is('succeeded')
  h.deps.signals.publish(channels.build(buildId), OVER)
  expect(await more).toContain(second.ask)
})

it('takes only what could be a message', () => {
  const whole = { org: 'acme', ...target, ask: randomUUID(), message: 'BQ==' }
  expect(inputs.answerSsh.safeParse(whole).success).toBe(true)
  for (const bad of [{ message: '' }, { message: 'not base64!' }, { message: 'A'.repeat(400_000) }, { ask: 'x' }, { message: undefined }])
    expect(inputs.answerSsh.safeParse({ ...whole, ...bad }).success).toBe(false)
})
