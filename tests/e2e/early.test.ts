/** What somebody writes before the page is alive, and answers that come in another order than they were asked for. */
import { startGitServer, type TestGitServer } from '@slipway/testing'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { type Ready, readyInstallation } from './support/account'
import { type Browser, launch, type Page } from './support/browser'

let ready: Ready
let git: TestGitServer
let browser: Browser
let page: Page
beforeAll(async () => {
  git = await startGitServer()
  git.commit('site', 'First', { 'index.html': 'from a file\n' })
  ready = await readyInstallation()
  browser = await launch()
})
afterAll(async () => {
  await browser?.close()
  await ready?.installation.remove()
  await git?.stop()
})
beforeEach(async () => {
  page = await browser.newPage({ viewport: { width: 1360, height: 850 }, reducedMotion: 'reduce' })
  page.setDefaultTimeout(30_000)
  const cookies = ready.cookie.split('; ').map((cookie) => {
    const at = cookie.indexOf('=')
    return { name: cookie.slice(0, at), value: cookie.slice(at + 1), url: ready.installation.webUrl }
  })
  await page.context().addCookies(cookies)
  return () => page.close()
})

const newApp = () => page.goto(`${ready.installation.webUrl}/${ready.org}/apps/new`, { waitUntil: 'commit' })
const throttle = async (rate: number) => (await page.context().newCDPSession(page)).send('Emulation.setCPUThrottlingRate', { rate })
const gitUrl = () => `${git.url}/site.git`

it.each([1, 4, 10])('looks at the repository and branch that were written at once, on a machine %d times as slow', async (rate) => {
  await throttle(rate)
  await newApp()
  await page.getByLabel('Branch').fill('mian')
  await page.getByLabel('Git URL').fill(gitUrl())
  await page.getByLabel('Branch').focus()
  await page.getByText('GIT_BRANCH_NOT_FOUND').waitFor()
  expect(await page.getByLabel('Branch').inputValue()).toBe('mian')
})

it('does so when its code comes long after', async () => {
  let release: () => void = () => undefined
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  await page.route('**/_next/static/**/*.js', async (route) => {
    await released
    await route.continue()
  })
  await newApp()
  await page.getByLabel('Branch').fill('mian')
  await page.getByLabel('Git URL').fill(gitUrl())
  await page.getByLabel('Git URL').press('Enter')
  await page.getByLabel('Branch').focus()
  release()
  await page.getByText('GIT_BRANCH_NOT_FOUND').waitFor()
  expect(page.url(), 'nothing was sent by the browser itself').toBe(`${ready.installation.webUrl}/${ready.org}/apps/new`)
})

it('shows the answer to what was asked last, also when an answer to what was asked before comes behind it', async () => {
  let release: () => void = () => undefined
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  let held = 0
  await page.route('**/inspections.start*', async (route) => {
    if (held++ === 0) await released
    await route.continue()
  })
  await newApp()
  await page.getByLabel('Git URL').fill(gitUrl())
  await page.getByLabel('Branch').focus()
  await expect.poll(() => held).toBe(1)
  await page.getByLabel('Branch').fill('mian')
  await page.getByLabel('Git URL').focus()
  await page.getByText('GIT_BRANCH_NOT_FOUND').waitFor()
  const cancelled = page.waitForResponse((response) => response.url().includes('inspections.cancel'))
  const late = page.waitForResponse((response) => response.url().includes('inspections.start'))
  release()
  await late
  await cancelled
  expect(await page.getByText('GIT_BRANCH_NOT_FOUND').isVisible()).toBe(true)
  expect(await page.getByText('Detected: static files').count()).toBe(0)
})

it('keeps what was written when Enter comes before the page’s code', async () => {
  await page.route('**/_next/static/**/*.js', () => undefined)
  const url = `${ready.installation.webUrl}/new-organization`
  await page.goto(url, { waitUntil: 'commit' })
  const name = page.getByLabel('Name', { exact: true })
  await name.fill('Early birds')
  // A page that the browser loads itself has another document.
  await page.evaluate('document.written = true')
  await name.press('Enter')
  await page.waitForTimeout(500)
  expect(await page.evaluate('document.written')).toBe(true)
  expect([page.url(), await name.inputValue()]).toEqual([url, 'Early birds'])
})
