/**
 * The pages of the registry with something on them, pushed by a real client: reachable to everybody (axe, both themes), nothing wider than a
 * phone, no error in the browser, and commands for the image that is looked at.
 */
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { writeImage } from '../clients/registry/installation'
import { type Ready, readyInstallation } from './support/account'
import { until } from './support/api'
import { type Browser, expectAccessible, launch, type Page } from './support/browser'

const FAILURES = resolve(import.meta.dirname, '../../test-results')
const LONG = 'a-team-with-a-name-of-its-own/service-that-does-everything-at-once-012'
const run = promisify(execFile)

let ready: Ready
let browser: Browser
let page: Page
let folder: string
/** Addresses that hold a secret or an id. */
let links: { invite: string; share: string; webhook: string }
const consoleErrors: string[] = []

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sw-pages-'))
  ready = await readyInstallation()
  const { api, org, installation, cookie, key } = ready
  const push = async (version: string, name: string, tag: string) => {
    const source = join(folder, version)
    await writeImage(source, 'v', `hello ${version}`)
    const to = `docker://127.0.0.1:${installation.registryPort}/${org}/${name}:${tag}`
    await run('skopeo', ['copy', '--insecure-policy', '--dest-tls-verify=false', '--dest-creds', `key:${key}`, `oci:${source}:v`, to])
  }
  await push('one', 'shop', '1.0')
  await push('two', 'shop', '2.0')
  await push('two', LONG, 'latest')
  await push('three', 'shop', 'main')
  await push('four', 'shop', 'main')
  await push('two', 'shop', 'old')
  await api.images.delete.mutate({ org, repository: 'shop', reference: 'old' })
  const { url: invite } = await api.invitations.create.mutate({
    org,
    role: 'developer',
    email: 'grace.hopper@subdomain.of.a.long.example.com',
  })
  const { url: share } = await api.shares.create.mutate({ org, repository: 'shop', reference: '2.0', expiresInHours: 1 })
  await api.teams.create.mutate({ org, name: 'Everybody who works on the shop and what belongs to it' })
  await api.outgoing.create.mutate({ org, name: 'Chat', url: 'http://127.0.0.1:9/hook', events: ['push'], inside: true })
  const [webhook] = (await api.outgoing.list.query({ org })).webhooks
  await push('one', 'shop', '1.1')
  await until('layers are read', async () => (await api.files.state.query({ org, repository: 'shop', reference: '2.0' })).state === 'ready')
  links = { invite: new URL(invite).pathname, share: new URL(share).pathname, webhook: `/acme/settings/webhooks/${webhook?.id}` }
  browser = await launch()
  const context = await browser.newContext({
    viewport: { width: 1360, height: 850 },
    reducedMotion: 'reduce',
    baseURL: installation.webUrl,
  })
  const [name = '', ...value] = cookie.split('; ')[0]?.split('=') ?? []
  await context.addCookies([{ name, value: value.join('='), url: installation.webUrl }])
  page = await context.newPage()
  page.setDefaultTimeout(30_000)
  page.on('console', (message) => message.type() === 'error' && consoleErrors.push(`${page.url()}: ${message.text()}`))
  page.on('pageerror', (error) => consoleErrors.push(`${page.url()}: ${error.message}`))
})
afterAll(async () => {
  await browser?.close()
  await ready?.installation.remove()
  rmSync(folder, { recursive: true, force: true })
})
afterEach(async ({ task }) => {
  if (task.result?.state !== 'fail' || !page) return
  mkdirSync(FAILURES, { recursive: true })
  await page.screenshot({ path: join(FAILURES, `${task.name.replace(/\W+/g, '-').slice(0, 80)}.png`), fullPage: true })
})

async function loaded(): Promise<void> {
  await page.getByRole('heading').first().waitFor()
  await page.waitForFunction(() => document.querySelectorAll('[role=status][aria-label^=Loading]').length === 0)
}

describe('every page', () => {
  it.each([
    ['repositories', '/acme/images'],
    ['tags', '/acme/images/shop'],
    ['a repository of a long name', `/acme/images/${LONG}`],
    ['access', '/acme/images/shop/-/access'],
    ['images without a tag', '/acme/images/shop?show=untagged'],
    ['history of a tag', '/acme/images/shop:main/-/history'],
    ['history of a tag that is gone', '/acme/images/shop:old/-/history'],
    ['image', '/acme/images/shop:2.0'],
    ['files', '/acme/images/shop:2.0/-/files'],
    ['comparison', '/acme/images/shop:2.0/-/compare?with=shop:1.0'],
    ['an image that is not there', '/acme/images/shop:3.0'],
    ['where a file is used', '/acme/where-used?kind=file&q=/hello.txt'],
    ['storage', '/acme/storage'],
    ['members', '/acme/settings/members'],
    ['teams', '/acme/settings/teams'],
    ['upstreams', '/acme/settings/upstreams'],
    ['deliveries of a webhook', () => links.webhook],
    ['activity', '/acme/activity?action=image.push'],
    ['an invitation', () => links.invite],
    ['a shared image', () => links.share],
    ['what is shared', '/-/shared'],
  ] as [string, string | (() => string)][])('%s: accessible in both themes, and no wider than a phone', async (name, path) => {
    // Loaded in each theme: on a busy machine a page that is switched has some colours of the old one for a while.
    for (const theme of ['dark', 'light'] as const) {
      await page.emulateMedia({ colorScheme: theme })
      await page.goto(typeof path === 'string' ? path : path())
      await loaded()
      await expectAccessible(page, `${name} (${theme})`)
    }
    await page.setViewportSize({ width: 390, height: 844 })
    expect(await page.evaluate(() => document.documentElement.scrollWidth), `width of ${name} on a phone`).toBe(390)
    await expectAccessible(page, `${name} (phone)`)
    await page.setViewportSize({ width: 1360, height: 850 })
  })
})

it('tells what differs between two images', async () => {
  await page.goto('/acme/images/shop:2.0/-/compare')
  await page.getByRole('link', { name: '1.0', exact: true }).click()
  await page.getByRole('heading', { name: 'Changed files' }).waitFor()
  await page.getByText('/hello.txt').first().waitFor()
})

it('tells what a tag named, compares it, and points it back', async () => {
  await page.goto('/acme/images/shop')
  await page.getByRole('link', { name: 'History of main' }).click()
  await page.waitForURL('**/shop:main/-/history')
  const rows = page.getByRole('row').filter({ hasText: 'sha256:' })
  await rows.nth(1).waitFor()
  expect(await rows.count()).toBe(2)
  await rows.first().getByText('Now', { exact: true }).waitFor()
  await rows.first().getByText('Ada').filter({ visible: true }).waitFor()
  const digests = await rows.getByRole('link', { name: /^sha256:/ }).allTextContents()
  const compare = await rows
    .first()
    .getByRole('link', { name: /^Compare/ })
    .getAttribute('href')
  expect(decodeURIComponent(compare ?? '')).toContain(digests[1])

  // The version that it had is what no tag names.
  await page.goto('/acme/images/shop?show=untagged')
  await page.getByRole('link', { name: digests[1] }).waitFor()
  await page.getByRole('row').filter({ hasText: digests[1] }).getByRole('link', { name: 'main', exact: true }).click()
  await page.getByRole('button', { name: `Point back to ${digests[1]}` }).click()
  const dialog = page.getByRole('dialog')
  await expectAccessible(page, 'point back')
  await dialog.getByRole('button', { name: 'Point back' }).click()
  await dialog.waitFor({ state: 'hidden' })
  await rows.nth(2).waitFor()
  await rows
    .first()
    .getByText(digests[1] ?? '')
    .waitFor()
  await page.goto('/acme/images/shop?show=untagged')
  await page.getByRole('link', { name: digests[0] }).waitFor()
  expect(await page.getByRole('link', { name: digests[1] }).count()).toBe(0)
  await page.goto(`/acme/images/${LONG}?show=untagged`)
  await page.getByRole('heading', { name: 'No image without a tag' }).waitFor()

  await ready.api.repositories.addRule.mutate({ org: 'acme', repository: 'shop', kind: 'immutable', tags: 'main' })
  await page.goto('/acme/images/shop:main/-/history')
  await page.getByRole('button', { name: `Point back to ${digests[0]}` }).click()
  await dialog.getByRole('button', { name: 'Point back' }).click()
  await dialog
    .getByRole('alert')
    .getByText(/immutable/)
    .waitFor()
  await dialog.getByRole('button', { name: 'Cancel' }).click()

  await page.goto('/acme/images/shop:old/-/history')
  await page.getByText('The tag was deleted').waitFor()
})

it('has the command of each client for the tag that is looked at, from the keyboard', async () => {
  await page.goto('/acme/images/shop:1.1')
  await loaded()
  await page.getByRole('button', { name: 'Pull', exact: true }).focus()
  await page.keyboard.press('Enter')
  const dialog = page.getByRole('dialog')
  const image = `localhost:${ready.installation.registryPort}/acme/shop:1.1`
  await dialog.getByText(`docker pull ${image}`).waitFor()
  await expectAccessible(page, 'pull dialog')
  for (const [use, command] of [
    ['podman', `podman pull --tls-verify=false ${image}`],
    ['skopeo', `skopeo copy --src-tls-verify=false docker://${image} oci:image`],
    ['Slipway', 'npx slipway apps create --image slipway.local/acme/shop:1.1 --wait'],
    ['Dockerfile', 'FROM slipway.local/acme/shop:1.1'],
  ] as const) {
    await dialog.getByRole('radio', { name: use, exact: true }).focus()
    await page.keyboard.press('Space')
    await dialog.getByText(command, { exact: true }).waitFor()
  }
  await page.keyboard.press('Escape')
  await dialog.waitFor({ state: 'hidden' })
})

it.each([
  ['/acme/images/no/such', 'This repository is not here', 'All images', '/acme/images'],
  ['/acme/images/no/such:1', 'This image is not here', 'All images', '/acme/images'],
  ['/acme/images/shop:3.0', 'This image is not here', 'All tags', '/acme/images/shop'],
  ['/acme/apps/nope', 'This app is not here', 'All apps', '/acme/apps'],
  ['/acme/apps/nope/builds/9', 'This build is not here', 'All apps', '/acme/apps'],
  ['/acme/apps/nope/deployments/9', 'This deployment is not here', 'All apps', '/acme/apps'],
  ['/acme/settings/webhooks/out_nope', 'This webhook is not here', 'All webhooks', '/acme/settings/webhooks'],
  ['/acme/settings/replication/rpl_nope', 'This rule is not here', 'All rules', '/acme/settings/replication'],
])('leads back from %s', async (path, title, label, to) => {
  await page.goto(path)
  await page.getByRole('heading', { name: title }).waitFor()
  expect(await page.getByRole('button', { name: 'Try again' }).count()).toBe(0)
  expect(await page.getByRole('link', { name: 'Go to the overview' }).getAttribute('href')).toBe('/')
  await page.getByRole('main').getByRole('link', { name: label, exact: true }).click()
  await page.waitForURL((url) => url.pathname === to)
  await page.getByRole('heading').first().waitFor()
})

it('changes the theme of everything at once, a toast included', async () => {
  await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'no-preference' })
  await page.goto('/acme/images/shop/-/about')
  await page.getByRole('button', { name: 'Edit the description and labels' }).click()
  await page.getByLabel('In a line').fill('Sells things')
  await page.getByRole('button', { name: 'Save' }).click()
  await page.locator('[data-sonner-toast]').waitFor()
  // Read when the theme changes, before anything is painted.
  await page.evaluate(() => {
    const read = () =>
      [...document.querySelectorAll('[data-sonner-toast], main button, nav a')].map((element) => {
        const { backgroundColor, color, borderColor, boxShadow } = getComputedStyle(element)
        return { backgroundColor, color, borderColor, boxShadow }
      })
    const kept = { first: [] as ReturnType<typeof read>, read }
    Object.assign(window, { kept })
    new MutationObserver(() => {
      kept.first = read()
    }).observe(document.documentElement, { attributeFilter: ['data-theme'] })
  })
  await page.emulateMedia({ colorScheme: 'dark' })
  await page.waitForFunction(() => document.documentElement.dataset.theme === 'dark')
  const [first, later] = await page.evaluate(async () => {
    await new Promise((resolve) => setTimeout(resolve, 600))
    const { kept } = window as unknown as { kept: { first: unknown[]; read(): unknown[] } }
    return [kept.first, kept.read()]
  })
  expect(first.length).toBeGreaterThan(5)
  expect(first).toEqual(later)
  await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' })
})

it('has logged no error in the browser', () => {
  // The image that is not there is answered 404, which Chromium logs itself.
  expect(consoleErrors.filter((text) => !/Failed to load resource/.test(text))).toEqual([])
})
