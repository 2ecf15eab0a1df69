import { mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { BrowserContextOptions, Locator } from 'playwright-core'
import { expect } from 'vitest'
import type { Ready } from './account'
import type { Browser, Page } from './browser'

const FAILURES = resolve(import.meta.dirname, '../../../test-results')
export const PHONE = { width: 390, height: 844 }

/** Chromium breaks off what it loads when an address of the host changes, as it does when a container starts; people press reload. */
const NEW_ADDRESS = 'ERR_NETWORK_CHANGED'

export interface SignedIn {
  page: Page
  /** What the browser's console was told is wrong, with the page that said so. */
  errors: string[]
}

/** A page of somebody who has signed in; addresses are paths. */
export async function signedIn(browser: Browser, ready: Ready, options: BrowserContextOptions = {}): Promise<SignedIn> {
  const { webUrl } = ready.installation
  const context = await browser.newContext({
    viewport: { width: 1440, height: 900 },
    reducedMotion: 'reduce',
    baseURL: webUrl,
    ...options,
  })
  const cookies = ready.cookie.split('; ').map((cookie) => {
    const at = cookie.indexOf('=')
    return { name: cookie.slice(0, at), value: cookie.slice(at + 1), url: webUrl }
  })
  await context.addCookies(cookies)
  const page = await context.newPage()
  page.setDefaultTimeout(30_000)
  const errors: string[] = []
  page.on('console', (message) => {
    if (message.type() === 'error' && !message.text().includes(NEW_ADDRESS)) errors.push(`${page.url()}: ${message.text()}`)
  })
  page.on('pageerror', (error) => errors.push(`${page.url()}: ${error.message}`))
  return { page, errors }
}

export async function visit(page: Page, path: string): Promise<void> {
  await page.goto(path).catch((error: Error) => {
    if (!error.message.includes(NEW_ADDRESS)) throw error
    return page.goto(path)
  })
}

export async function keepPicture(page: Page | undefined, test: string): Promise<void> {
  if (!page || page.isClosed()) return
  mkdirSync(FAILURES, { recursive: true })
  await page.screenshot({ path: join(FAILURES, `${test.replace(/\W+/g, '-').slice(0, 80)}.png`), fullPage: true })
}

/** From where the focus is, with Tab alone; fails when a whole round does not come by. */
export async function tabTo(page: Page, target: Locator): Promise<void> {
  await target.waitFor()
  for (let presses = 0; presses < 120; presses++) {
    await page.keyboard.press('Tab')
    if (await target.evaluate((element) => element === document.activeElement)) return
  }
  throw new Error(`Tab never reaches ${target}`)
}

export async function expectNoSidewaysScroll(page: Page, name: string): Promise<void> {
  const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
  expect(over, `${name} is wider than its window`).toBeLessThanOrEqual(0)
}
