/**
 * Repositories without a Dockerfile: one is made from their manifests, shown, changed, kept, built, and answers at the app's address.
 * Two builds install packages for real; the other languages have goldens in packages/dockerfile/testdata/detect.
 */
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { startGitServer, type TestGitServer } from '@slipway/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Ready, readyInstallation } from './support/account'
import { fetchApp, until } from './support/api'
import { buildOver, createGitApp, serving, textApp } from './support/apps'
import { APT_AND_NPM_BUILD_MS, baseImages } from './support/base-images'
import { type Browser, expectAccessible, launch, type Page } from './support/browser'

let ready: Ready
let git: TestGitServer
let browser: Browser
let page: Page
beforeAll(async () => {
  git = await startGitServer()
  ready = await readyInstallation()
  await baseImages(ready.installation)
  browser = await launch()
  page = await browser.newPage({ viewport: { width: 1360, height: 850 }, reducedMotion: 'reduce' })
  page.setDefaultTimeout(30_000)
  const cookies = ready.cookie.split('; ').map((cookie) => {
    const at = cookie.indexOf('=')
    return { name: cookie.slice(0, at), value: cookie.slice(at + 1), url: ready.installation.webUrl }
  })
  await page.context().addCookies(cookies)
})
afterAll(async () => {
  await browser?.close()
  await ready?.installation.remove()
  await git?.stop()
})

const GUESTBOOK = resolve(import.meta.dirname, '../../examples/guestbook')
const example = (path: string) => readFileSync(join(GUESTBOOK, path), 'utf8')
const SERVER = `import { createServer } from 'node:http'\ncreateServer((_, answer) => answer.end('from node\\n')).listen(process.env.PORT)\n`
const FLASK = `from flask import Flask\napp = Flask(__name__)\n\n@app.get('/')\ndef root():\n    return 'from flask\\n'\n`

it.each([
  [
    'node',
    {
      'package.json': example('package.json'),
      'package-lock.json': example('package-lock.json'),
      'server.js': SERVER,
      'src/server.js': SERVER,
    },
    'from node\n',
  ],
  ['flask', { 'requirements.txt': 'flask==3.0.3\ngunicorn==22.0.0\n', 'app.py': FLASK }, 'from flask\n'],
])('%s is built and served from a Dockerfile that was made for it', { timeout: 2 * APT_AND_NPM_BUILD_MS }, async (name, files, text) => {
  const { api, org } = ready
  git.commit(name, 'First', files as Record<string, string>)
  const app = await createGitApp(api, org, { name, gitUrl: `${git.url}/${name}.git` })
  const build = await buildOver(api, org, app, 1, APT_AND_NPM_BUILD_MS)
  const logs = JSON.stringify(await api.builds.logs.query({ org, app, number: 1 }))
  expect(build.error, logs).toBeNull()
  expect(logs).toContain('no Dockerfile: made one for')
  const { hostname } = await serving(api, org, app)
  // The router hears of it a moment after Postgres.
  await until(`${name} answers`, async () => (await fetchApp(ready.installation.routerPort, hostname)).text === text)
})

describe('in the browser', () => {
  const button = (name: string) => page.getByRole('button', { name, exact: true })
  const editor = () => page.getByRole('textbox', { name: 'Dockerfile', exact: true }).last()

  it('says in place when the branch does not exist', async () => {
    git.commit('site', 'First', { 'index.html': 'from a file\n' })
    await page.goto(`${ready.installation.webUrl}/${ready.org}/apps/new`)
    await page.getByLabel('Branch').fill('mian')
    await page.getByLabel('Git URL').fill(`${git.url}/site.git`)
    await page.getByLabel('Branch').focus()
    await page.getByText('GIT_BRANCH_NOT_FOUND').waitFor()
    expect(await page.getByText('The repository has no such branch.').isVisible()).toBe(true)
  })

  it('a repository without a Dockerfile is detected, its Dockerfile changed in one line, deployed, and answers', async () => {
    await page.getByLabel('Branch').fill('main')
    await page.getByLabel('Git URL').focus()
    await page.getByText('Detected: static files').waitFor()
    await page.getByText('is the first page').waitFor()
    const made = await editor().inputValue()
    expect(made).toContain('FROM slipway.local/base/busybox')
    await expectAccessible(page, 'a detected app')
    await editor().fill(made.replace('COPY . /srv', 'COPY . /srv\nRUN echo changed > /srv/changed.txt'))
    await page.getByText('The app will keep this Dockerfile.').waitFor()
    await button('Create and build').click()
    await page.waitForURL('**/apps/site/builds/1')
    const { hostname } = await serving(ready.api, ready.org, 'site')
    const { routerPort } = ready.installation
    expect((await fetchApp(routerPort, hostname)).text).toBe('from a file\n')
    expect((await fetchApp(routerPort, hostname, '/changed.txt')).text).toBe('changed\n')
    await page.getByText('This is the Dockerfile that is kept with the app').waitFor()
    expect((await ready.api.builds.get.query({ org: ready.org, app: 'site', number: 1 })).dockerfileOrigin).toMatchObject({
      kind: 'kept',
      stack: ['static files'],
    })
  })

  it('is changed in the settings, and counts from the next build on', async () => {
    await page.goto(`${ready.installation.webUrl}/${ready.org}/apps/site/settings`)
    await editor().fill((await editor().inputValue()).replace('echo changed', 'echo again'))
    const card = page.locator('form', { has: page.getByRole('heading', { name: 'Dockerfile', exact: true }) })
    await card.getByRole('button', { name: 'Save' }).click()
    await page.getByText('Settings saved').waitFor()
    await ready.api.builds.trigger.mutate({ org: ready.org, app: 'site' })
    const build = await buildOver(ready.api, ready.org, 'site', 2)
    expect(build.error).toBeNull()
    expect(build.dockerfileText).toContain('echo again')
  })

  it('the repository’s own Dockerfile wins when it appears, and no longer where the app’s is always to be used', async () => {
    const { api, org } = ready
    git.commit('site', 'Own file', textApp('own'))
    await api.builds.trigger.mutate({ org, app: 'site' })
    expect((await buildOver(api, org, 'site', 3)).dockerfileOrigin?.kind).toBe('repository')
    const { settings } = await api.apps.get.query({ org, app: 'site' })
    if (!settings.dockerfile) throw new Error('nothing is kept')
    await api.apps.update.mutate({ org, app: 'site', dockerfile: { ...settings.dockerfile, when: 'always' } })
    await api.builds.trigger.mutate({ org, app: 'site' })
    expect((await buildOver(api, org, 'site', 4)).dockerfileOrigin?.kind).toBe('kept')
  })

  it('lets choose the folder where a repository holds several apps', async () => {
    git.commit('several', 'First', { 'one/index.html': 'one\n', 'two/index.html': 'two\n' })
    await page.goto(`${ready.installation.webUrl}/${ready.org}/apps/new`)
    await page.getByLabel('Git URL').fill(`${git.url}/several.git`)
    await page.getByLabel('Branch').focus()
    await page.getByText('2 apps were found in the repository.').waitFor()
    await page.getByRole('combobox', { name: 'Folder of the app' }).click()
    await page.getByRole('option', { name: 'two · static files' }).click()
    await button('Create and build').click()
    await page.waitForURL('**/apps/several/builds/1')
    const { hostname } = await serving(ready.api, ready.org, 'several')
    expect((await fetchApp(ready.installation.routerPort, hostname)).text).toBe('two\n')
  })

  it('looks at a repository that was entered before the page was alive', async () => {
    git.commit('early', 'First', { 'one/index.html': 'one\n', 'two/index.html': 'two\n' })
    let go: () => void = () => undefined
    const held = new Promise<void>((resolve) => (go = resolve))
    await page.route('**/_next/static/**/*.js', async (route) => {
      await held
      await route.continue()
    })
    try {
      await page.goto(`${ready.installation.webUrl}/${ready.org}/apps/new`, { waitUntil: 'commit' })
      await page.getByLabel('Git URL').fill(`${git.url}/early.git`)
      await page.getByLabel('Branch').focus()
      go()
      await page.getByText('2 apps were found in the repository.').waitFor()
      expect(await page.getByLabel('Name', { exact: true }).inputValue()).toBe('early')
    } finally {
      go()
      await page.unroute('**/_next/static/**/*.js')
    }
  })
})
