/** Pull requests against a whole installation: what a fork's build gets, what it leaves behind, and that nothing of one is published. */
import { createHmac, randomUUID } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { startGitServer, type TestGitServer } from '@slipway/testing'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { ADMIN, type Ready, readyInstallation } from './support/account'
import { fetchApp, until } from './support/api'
import { buildOver, createGitApp, serving, textApp } from './support/apps'
import { type Browser, expectAccessible, launch } from './support/browser'

const SHOTS = resolve(import.meta.dirname, '../../test-results')

let ready: Ready
let git: TestGitServer
let browser: Browser
let webhook: { url: string; secret: string }
let app: string
beforeAll(async () => {
  git = await startGitServer()
  git.commit('shop', 'Open the shop', textApp('version one', STEPS))
  ready = await readyInstallation()
  app = await createGitApp(ready.api, ready.org, { name: 'Shop', gitUrl: `${git.url}/shop.git` })
  await serving(ready.api, ready.org, app)
  await ready.api.apps.update.mutate({ org: ready.org, app, buildPullRequests: true })
  await ready.api.apps.setVariables.mutate({
    org: ready.org,
    app,
    variables: [{ scope: 'build', key: 'NPM_TOKEN', value: 'the-very-secret', secret: true }],
  })
  webhook = await ready.api.apps.webhook.query({ org: ready.org, app })
  browser = await launch()
})
afterAll(async () => {
  await browser?.close()
  await ready?.installation.remove()
  await git?.stop()
})

/** A step that takes a moment, so that who has it from the cache is told apart; and one that looks for the secret. */
const STEPS = `RUN echo made by main > /made
RUN --mount=type=secret,id=NPM_TOKEN if [ -e /run/secrets/NPM_TOKEN ]; then wc -c < /run/secrets/NPM_TOKEN; else echo no secret is here; fi
`
const FORK_STEPS = `${STEPS}RUN --mount=type=cache,target=/var/cache echo made by the fork > /forked && ls /var/cache && echo evil > /var/cache/evil
`

async function pullRequest(action: string, number: number, sha: string, { fork = true, title = 'Paint it blue' } = {}) {
  const repo = (id: number) => ({ id, clone_url: 'http://127.0.0.1:1/elsewhere.git' })
  const pull_request = {
    number,
    title,
    user: { login: 'mallory' },
    head: { ref: 'blue', label: 'mallory:blue', sha, repo: repo(fork ? 8 : 7) },
    base: { ref: 'main', repo: repo(7) },
  }
  const body = JSON.stringify({ action, number, pull_request })
  const headers = {
    'content-type': 'application/json',
    'x-github-event': 'pull_request',
    'x-github-delivery': randomUUID(),
    'x-hub-signature-256': `sha256=${createHmac('sha256', webhook.secret).update(body).digest('hex')}`,
  }
  const response = await fetch(webhook.url, { method: 'POST', headers, body })
  return (await response.json()) as { outcome: string; reason: string; build: number | null }
}
const propose = (number: number, text: string, steps: string) =>
  git.commit('shop', `Say ${text}`, textApp(text, steps), { ref: `refs/pull/${number}/head` })
async function built(number: number | null) {
  const build = await buildOver(ready.api, ready.org, app, number ?? 0)
  const logs = await ready.api.builds.logs.query({ org: ready.org, app, number: build.number, after: 0, limit: 5000 })
  const stateOf = (part: string) => build.steps.find((step) => step.instruction.includes(part))?.state
  return { build, stateOf, text: logs.map((chunk) => chunk.text).join('') }
}
const pageOf = async () => (await fetchApp(ready.installation.routerPort, 'shop.localhost')).text
const tags = async () => (await ready.api.images.get.query({ org: ready.org, repository: 'shop', reference: 'build-1' })).tags

it('a fork gets no secret, reads the cache that main wrote, and publishes nothing', async () => {
  const before = await tags()
  const answer = await pullRequest('opened', 12, propose(12, 'version evil', FORK_STEPS))
  expect(answer).toMatchObject({ outcome: 'accepted', reason: 'Build #2 of pull request #12, from a fork, was started.' })
  const { build, stateOf, text } = await built(answer.build)
  expect(build).toMatchObject({
    state: 'succeeded',
    error: null,
    trigger: 'pull_request',
    deploys: false,
    image: null,
    deployment: null,
    branch: 'blue',
    pullRequest: { number: 12, title: 'Paint it blue', kind: 'pull', fromFork: true },
  })
  expect(stateOf('COPY index.html'), 'its own file').toBe('done')
  expect(stateOf('made by the fork')).toBe('done')
  expect(text).toContain('no secret is here')
  expect(text).toMatch(/Dockerfile:4 gets no secret “NPM_TOKEN”: the pull request comes from a fork\./)
  expect(text).toContain('from a fork, of')
  expect(text).not.toContain('the-very-secret')
  expect(await tags()).toEqual(before)
  expect(await ready.api.deployments.list.query({ org: ready.org, app, limit: 10 })).toMatchObject({ total: 1 })
  expect(await pageOf()).toBe('version one\n')
})

it('a fork that changes only its last step has all before it from main’s cache', async () => {
  const { build, stateOf, text } = await built((await pullRequest('synchronize', 12, propose(12, 'version one', FORK_STEPS))).build)
  expect(build.state).toBe('succeeded')
  expect(stateOf('COPY index.html')).toBe('cached')
  expect(stateOf('made by main')).toBe('cached')
  expect(stateOf('made by the fork'), 'the first of its builds left nothing').toBe('done')
  expect(text, 'nor in a cache mount').not.toContain('evil\n')
})

it('main, when it has the fork’s very steps, finds nothing of what the fork made', async () => {
  const sha = git.commit('shop', 'Merge the fork', textApp('version one', FORK_STEPS))
  const { number } = await ready.api.builds.trigger.mutate({ org: ready.org, app })
  const { build, stateOf, text } = await built(number)
  expect(build).toMatchObject({ state: 'succeeded', commit: { sha }, pullRequest: null })
  expect(stateOf('made by main')).toBe('cached')
  expect(stateOf('made by the fork')).toBe('done')
  expect(text).not.toContain('evil\n')
  // And the fork has it from main, from now on.
  const again = await built((await pullRequest('synchronize', 12, propose(12, 'version one', FORK_STEPS))).build)
  expect(again.stateOf('made by the fork')).toBe('cached')
})

it('one of a branch gets the secret, and is as little published', async () => {
  const steps = STEPS.replace('made by main', 'made by a colleague')
  const { build, text } = await built((await pullRequest('opened', 13, propose(13, 'version two', steps), { fork: false })).build)
  expect(build).toMatchObject({ state: 'succeeded', image: null, deployment: null, pullRequest: { fromFork: false } })
  expect(text).toContain('15\n')
  expect(text).not.toContain('no secret')
  await expect(ready.api.builds.made.query({ org: ready.org, app, number: build.number })).rejects.toThrow(/whose image is not kept/)
})

it('what a fork may not have is refused with the line, and a commit that was not announced is not built', async () => {
  const dockerfile = 'FROM slipway.local/acme/shop:build-1\nRUN true\n'
  const sha = git.commit('shop', 'Look inside', { Dockerfile: dockerfile }, { ref: 'refs/pull/14/head' })
  const { build } = await built((await pullRequest('opened', 14, sha)).build)
  expect(build).toMatchObject({
    state: 'failed',
    error: { code: 'BASE_IMAGE_NOT_FOUND', message: expect.stringMatching(/public images only/), details: { line: 1 } },
  })
  const gone = await built((await pullRequest('opened', 14, 'a'.repeat(40))).build)
  expect(gone.build.error?.code).toBe('PULL_REQUEST_MOVED_ON')
  const view = await ready.api.apps.get.query({ org: ready.org, app })
  expect(view).toMatchObject({ state: 'live', inFlightBuild: null })
})

it('is ended when it is closed, and says so', async () => {
  const sha = propose(15, 'version slow', `${STEPS}RUN sleep 300\n`)
  const { build: number } = await pullRequest('opened', 15, sha, {
    title: 'A change with a title that goes on and on, to see where it ends on a page that is not as wide as that',
  })
  await until('it runs', async () => (await ready.api.builds.get.query({ org: ready.org, app, number: number ?? 0 })).phase === 'build')
  expect((await pullRequest('closed', 15, sha)).reason).toBe(`Pull request #15 was closed: build #${number} is canceled.`)
  const { build } = await built(number)
  expect(build).toMatchObject({ state: 'canceled', error: { code: 'PULL_REQUEST_CLOSED' } })
})

it('pages say whose change it is, and what it did not do', async () => {
  const context = await browser.newContext({ viewport: { width: 1440, height: 1000 }, reducedMotion: 'reduce' })
  const page = await context.newPage()
  mkdirSync(SHOTS, { recursive: true })
  const { webUrl } = ready.installation
  await page.goto(`${webUrl}/login`)
  await page.getByLabel('E-mail').fill(ADMIN.email)
  await page.getByLabel('Password', { exact: true }).fill(ADMIN.password)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.waitForURL('**/acme')
  const shot = (name: string) => page.screenshot({ path: join(SHOTS, `pull-requests-${name}.png`), fullPage: true })
  for (const [name, path, text] of [
    ['list', 'builds', /Paint it blue/],
    ['fork', 'builds/2', /From a fork: it reads the build cache, writes nothing to it, gets no secrets/],
    ['closed', 'builds/9', /The pull request was closed/],
    ['refused', 'builds/8', /has a build of its own/],
    ['overview', '', /Serving now/],
    ['settings', 'settings', /Build pull requests/],
  ] as const) {
    await page.goto(`${webUrl}/acme/apps/${app}/${path}`)
    await page.getByText(text).first().waitFor()
    for (const theme of ['dark', 'light'] as const) {
      await page.emulateMedia({ colorScheme: theme })
      await expectAccessible(page, `${name} (${theme})`)
      await shot(theme === 'dark' ? `${name}-dark` : name)
    }
    await page.setViewportSize({ width: 390, height: 844 })
    expect(await page.evaluate(() => document.documentElement.scrollWidth), `width of ${name} on a phone`).toBeLessThanOrEqual(390)
    await shot(`${name}-phone`)
    await page.setViewportSize({ width: 1440, height: 1000 })
  }
  await context.close()
})
