/** The main job, as a person does it: first account → app from Git → URL → push → new content → rollback → image. */
import { mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { startGitServer, type TestGitServer } from '@slipway/testing'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { ADMIN } from './support/account'
import { fetchApp, until } from './support/api'
import { textApp } from './support/apps'
import { type Browser, expectAccessible, githubPush, launch, type Page } from './support/browser'
import { createInstallation, type Installation } from './support/installation'
import { startLoad } from './support/load'

const FAILURES = resolve(import.meta.dirname, '../../test-results')

let installation: Installation
let git: TestGitServer
let browser: Browser
let page: Page
const consoleErrors: string[] = []

beforeAll(async () => {
  git = await startGitServer()
  git.commit('shop', 'Open the shop', textApp('version one'))
  installation = await createInstallation()
  await installation.start()
  browser = await launch()
  page = await browser.newPage({ viewport: { width: 1360, height: 850 }, reducedMotion: 'reduce' })
  page.setDefaultTimeout(30_000)
  page.on('console', (message) => {
    if (message.type() === 'error') consoleErrors.push(`${page.url()}: ${message.text()}`)
  })
  page.on('pageerror', (error) => consoleErrors.push(`${page.url()}: ${error.message}`))
})
afterAll(async () => {
  await browser?.close()
  await installation?.remove()
  await git?.stop()
})
afterEach(async ({ task }) => {
  if (task.result?.state !== 'fail' || !page) return
  mkdirSync(FAILURES, { recursive: true })
  await page.screenshot({ path: join(FAILURES, `${task.name.replace(/\W+/g, '-').slice(0, 80)}.png`), fullPage: true })
})

const go = (path: string) => open(`${installation.webUrl}${path}`)
/** Chromium breaks a page load off when an address of the host changes, as it does when a container starts; people press reload. */
const open = (url: string) =>
  page.goto(url).catch((error: Error) => {
    if (!error.message.includes('ERR_NETWORK_CHANGED')) throw error
    return page.goto(url)
  })
const button = (name: string | RegExp) => page.getByRole('button', { name })
const app = (hostname: string) => fetchApp(installation.routerPort, hostname)
const answers = (hostname: string, text: string) =>
  until(`${hostname} answers “${text}”`, async () => (await app(hostname)).text.includes(text))

describe('from nothing to a running URL', () => {
  it('refuses a setup link with a wrong token', async () => {
    await go('/setup?token=guessed')
    await page.getByLabel('Your name').fill('Mallory')
    await page.getByLabel('E-mail').fill('mallory@example.com')
    await page.getByLabel('Password', { exact: true }).fill('long enough to pass')
    await page.getByLabel('Organization').fill('Evil')
    await button('Create account').click()
    await page
      .getByText(/link|token/i)
      .first()
      .waitFor()
    expect(new URL(page.url()).pathname).toBe('/setup')
  })

  it('creates the first account with the one-time link', async () => {
    expect(installation.setupLink).toBeTruthy()
    await open(installation.setupLink ?? '')
    await expectAccessible(page, 'setup')
    await page.getByLabel('Your name').fill('Ada Lovelace')
    await page.getByLabel('E-mail').fill(ADMIN.email)
    await page.getByLabel('Password', { exact: true }).fill(ADMIN.password)
    await page.getByLabel('Organization').fill(ADMIN.organization)
    await button('Create account').click()
    await page.waitForURL('**/acme')
    await page.getByRole('heading', { name: 'From a push to a running URL' }).waitFor()
    await expectAccessible(page, 'first run')
  })

  it('the link works once', async () => {
    const other = await browser.newPage()
    await other.goto(installation.setupLink ?? '')
    await other.getByText('Already set up').waitFor()
    await other.close()
  })

  it('deploys the example with one button', async () => {
    await button('Deploy the example').click()
    await page.waitForURL('**/apps/hello/builds/1')
    await page.getByText('FROM slipway.local/base/busybox').first().waitFor()
    await answers('hello.localhost', 'Hello from Slipway')
  })

  it('builds and serves an app from a Git repository', async () => {
    await go('/acme/apps/new')
    await page.getByLabel('Git URL').fill(`${git.url}/shop.git`)
    await expect.poll(() => page.getByRole('textbox', { name: 'Name', exact: true }).inputValue()).toBe('shop')
    await expectAccessible(page, 'new app')
    await button('Create and build').click()
    await page.waitForURL('**/apps/shop/builds/1')
    const link = page.getByRole('link', { name: /shop\.localhost/ }).first()
    await link.waitFor({ timeout: 60_000 })
    expect(await link.getAttribute('href')).toContain(`http://shop.localhost:${installation.routerPort}`)
    await answers('shop.localhost', 'version one')
    await page.getByRole('heading', { name: 'Where the time went' }).waitFor()
    await page.getByRole('heading', { name: 'Dockerfile', exact: true }).waitFor()
    await expectAccessible(page, 'build')
    await open(`http://shop.localhost:${installation.routerPort}/`)
    expect(await page.textContent('body')).toContain('version one')
  })

  it('shows what runs: image, commit, container, host, log', async () => {
    await go('/acme/apps/shop')
    await page.getByText('Serving now').waitFor()
    await page.getByText('Open the shop').first().waitFor()
    await page
      .getByText(/sha256:/)
      .first()
      .waitFor()
    await expectAccessible(page, 'app')
    await go('/acme/apps/shop/logs')
    await app('shop.localhost')
    await page
      .getByText(/GET|response:200|url:\//)
      .first()
      .waitFor()
    await expectAccessible(page, 'logs')
  })
})

describe('a push', () => {
  let webhook: { url: string; secret: string }

  it('finds the webhook’s address and secret on the settings page', async () => {
    await go('/acme/apps/shop/settings')
    await button('Show the secret').click()
    const card = page.locator('#webhook')
    const [url = '', secret = ''] = await card.locator('code').allTextContents()
    webhook = { url, secret }
    expect(url).toContain('/api/webhooks/')
    expect(secret.length).toBeGreaterThan(20)
    await expectAccessible(page, 'settings')
  })

  it('replaces the old version without a failed request', async () => {
    const load = startLoad(installation.routerPort, 'shop.localhost', 50)
    const sha = git.commit('shop', 'Change the sign', { 'index.html': 'version two\n' })
    const from = Date.now()
    const response = await fetch(webhook.url, { method: 'POST', ...githubPush(webhook.secret, { branch: 'main', sha, id: 'delivery-1' }) })
    expect(response.status).toBeLessThan(300)
    await answers('shop.localhost', 'version two')
    process.stdout.write(`webhook to new content: ${Date.now() - from} ms\n`)
    // Past the drain, so that the end of the old container is under load too.
    await new Promise((r) => setTimeout(r, 7000))
    const result = await load.stop()
    expect(result.failed).toEqual([])
    expect([...result.bodies.keys()]).toEqual(['version one', 'version two'])
  })

  it('lists every delivery with its outcome; a repeated one does nothing, a forged or foreign one is refused', async () => {
    const push = (secret: string, body: { branch: string; sha: string; id: string }) =>
      fetch(webhook.url, { method: 'POST', ...githubPush(secret, body) })
    const sha = 'a'.repeat(40)
    expect((await push(webhook.secret, { branch: 'main', sha, id: 'delivery-1' })).status).toBe(200)
    expect((await push('wrong', { branch: 'main', sha, id: 'delivery-2' })).status).toBe(401)
    expect((await push(webhook.secret, { branch: 'other', sha, id: 'delivery-3' })).status).toBe(200)
    const huge = await fetch(webhook.url, {
      method: 'POST',
      headers: { 'x-github-event': 'push', 'content-type': 'application/json' },
      body: 'x'.repeat(1024 * 1024 + 1),
    })
    expect(huge.status).toBe(413)
    await go('/acme/apps/shop/settings')
    const card = page.locator('#webhook')
    for (const text of [/signature does not match/, /built from main/, /over 1 MB/, /received before/])
      await card.getByText(text).first().waitFor()
    await go('/acme/apps/shop/builds')
    await page.getByText('Change the sign').first().waitFor()
    expect(await page.getByText('#3', { exact: true }).count()).toBe(0)
  })

  it('tells what the push changed about the build', async () => {
    await go('/acme/apps/shop/builds/2')
    await page.getByRole('heading', { name: 'Compared with the last good build' }).waitFor()
    await button('Try a change').click()
    await page.getByRole('textbox', { name: /^Copy of/ }).fill('FROM scratch\nRUNN true\n')
    await page.getByText('UNKNOWN_INSTRUCTION').waitFor()
    await expectAccessible(page, 'build with a draft')
  })

  it('rolls back in a click', async () => {
    await go('/acme/apps/shop/deployments')
    await button('Roll back').first().click()
    await page.getByRole('dialog').waitFor()
    await expectAccessible(page, 'roll back dialog')
    await page.getByRole('dialog').getByRole('button', { name: 'Roll back' }).click()
    await page.waitForURL('**/deployments/3')
    await answers('shop.localhost', 'version one')
    await expectAccessible(page, 'deployment')
  })

  it('stops and starts', async () => {
    await go('/acme/apps/shop')
    await button('More actions').click()
    await page.getByRole('menuitem', { name: 'Stop' }).click()
    await until('it is stopped', async () => (await app('shop.localhost')).status >= 404)
    await page.getByRole('button', { name: 'Start', exact: true }).first().click()
    await answers('shop.localhost', 'version one')
  })
})

describe('images', () => {
  it('are listed with tags, digests, sizes, layers and the step that made each', async () => {
    await go('/acme/images')
    await page.getByRole('link', { name: /shop/ }).first().click()
    await page
      .getByRole('link', { name: /build-2/ })
      .first()
      .click()
    await page.getByText('COPY index.html /www/index.html').first().waitFor()
    await expectAccessible(page, 'image')
    await button(/^Pull$/).click()
    await page
      .getByText(/docker pull/)
      .first()
      .waitFor()
    await expectAccessible(page, 'how an image is pulled')
    await page.keyboard.press('Escape')
  })

  it('can be deployed as an app', async () => {
    await go('/acme/apps/new?source=image')
    await page.getByLabel('Image reference').fill('slipway.local/acme/shop:build-2')
    await page.getByRole('textbox', { name: 'Name', exact: true }).fill('From image')
    await button(/Create and deploy|Deploy|Create/)
      .last()
      .click()
    await page.waitForURL('**/apps/from-image/deployments/1')
    await answers('from-image.localhost', 'version two')
  })
})

describe('the rest of the panel', () => {
  it.each([
    '/acme',
    '/acme/apps',
    '/acme/builds',
    '/acme/images',
    '/acme/storage',
    '/acme/where-used?kind=file&q=sh',
    '/acme/hosts',
    '/acme/activity',
    '/acme/settings/webhooks',
    '/acme/settings',
    '/acme/settings/members',
    '/acme/settings/robots',
    '/s/none',
    '/acme/settings/upstreams',
    '/acme/settings/teams',
    '/-/shared',
    '/account',
    '/acme/apps/shop/variables',
    '/acme/apps/shop/deployments',
    '/acme/apps/none',
  ])('%s is accessible in both themes and has no error', async (path) => {
    await go(path)
    await page.getByRole('heading').first().waitFor()
    for (const theme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme: theme })
      await expectAccessible(page, `${path} (${theme})`)
    }
    await page.emulateMedia({ colorScheme: 'light' })
  })

  it('looks into an image: its files, and where one of them is used', async () => {
    await go('/acme/images/shop')
    await page.getByRole('table').getByRole('link').first().click()
    await page.getByRole('link', { name: 'Files', exact: true }).click()
    await page.getByRole('tree').waitFor({ timeout: 60_000 })
    await page.getByRole('heading', { name: 'Wasted' }).waitFor()
    for (const theme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme: theme })
      await expectAccessible(page, `files (${theme})`)
    }
    await page.emulateMedia({ colorScheme: 'light' })
    await page.getByRole('tree').focus()
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('ArrowRight')
    await page.getByRole('treeitem', { expanded: true }).first().waitFor()
    await page.getByRole('searchbox', { name: 'Search files' }).fill('busybox')
    await page.getByRole('list', { name: 'Found files' }).getByRole('button').first().click()
    await page.getByRole('dialog').getByRole('link', { name: 'Where used' }).click()
    await page.waitForURL('**/where-used?**')
    await page.getByRole('table').getByText('shop').first().waitFor()
  })

  it('makes and revokes an API key', async () => {
    await go('/account')
    await button(/New API key|New key/)
      .first()
      .click()
    await page.getByRole('dialog').getByLabel('Name').fill('laptop')
    await page
      .getByRole('dialog')
      .getByRole('button', { name: /Create|Make/ })
      .click()
    const key = await page.getByRole('dialog').getByText(/^slp_/).first().textContent()
    expect(key).toMatch(/^slp_/)
    const health = await fetch(`${installation.webUrl}/api/trpc/me.get`, { headers: { authorization: `Bearer ${key}` } })
    expect(health.status).toBe(200)
    await page.keyboard.press('Escape')
    await page.getByText('laptop').first().waitFor()
  })

  it('finds and runs everything from the keyboard', async () => {
    await go('/acme')
    await page.getByRole('heading').first().waitFor()
    await page.keyboard.press('Control+k')
    await page.getByRole('dialog').waitFor()
    await page.keyboard.type('shop')
    await page.getByRole('option', { name: /shop/ }).first().waitFor()
    await page.keyboard.press('Enter')
    await page.waitForURL('**/apps/shop**')
  })

  it('deletes an app after naming what goes', async () => {
    await go('/acme/apps/from-image/settings')
    await button(/^Delete/)
      .first()
      .click()
    const dialog = page.getByRole('alertdialog').or(page.getByRole('dialog'))
    await dialog.getByRole('textbox').fill('from-image')
    await dialog.getByRole('button', { name: /Delete/ }).click()
    await page.waitForURL(/\/acme(\/apps)?$/)
    await until('it is gone', async () => (await app('from-image.localhost')).status === 404)
  })

  it('signs out, and asks to sign in again', async () => {
    // An open page notices by itself and goes to sign in; here it is about a page that is opened later.
    await page.goto('about:blank')
    await page.context().clearCookies()
    await go('/acme/apps/shop')
    await page.waitForURL('**/login**')
    await page.getByRole('heading', { name: 'Sign in' }).waitFor()
    await page.waitForLoadState('networkidle')
    await expectAccessible(page, 'sign in')
    await page.getByLabel('E-mail').fill(ADMIN.email)
    await page.getByLabel('Password', { exact: true }).fill('not the password')
    await button('Sign in').click()
    await page
      .getByText(/do not belong together/)
      .first()
      .waitFor()
    await page.getByLabel('Password', { exact: true }).fill(ADMIN.password)
    await button('Sign in').click()
    await page.waitForURL('**/acme/apps/shop')
  })

  it('has logged no error in the browser', () => {
    // Refused requests that the tests made on purpose are logged by Chromium itself.
    expect(consoleErrors.filter((text) => !/Failed to load resource/.test(text))).toEqual([])
  })
})
