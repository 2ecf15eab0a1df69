/**
 * A build's page while it runs: steps and lines as they come, the network lost and found, cancel, the queue, and what is said at once of
 * one that fails. Builds are real; none is waited for but by what its page shows.
 */
import { startGitServer, type TestGitServer } from '@slipway/testing'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type Ready, readyInstallation } from './support/account'
import { until } from './support/api'
import { buildOver, createGitApp, type NewGitApp } from './support/apps'
import { type Browser, expectAccessible, launch, type Page } from './support/browser'
import { openLine } from './support/line'
import { expectNoSidewaysScroll, keepPicture, PHONE, signedIn, tabTo, visit } from './support/pages'

let ready: Ready
let git: TestGitServer
let browser: Browser
let page: Page

beforeAll(async () => {
  git = await startGitServer()
  ready = await readyInstallation()
  browser = await launch()
  ;({ page } = await signedIn(browser, ready))
})
afterAll(async () => {
  await browser?.close()
  await ready?.installation.remove()
  await git?.stop()
})
afterEach(({ task }) => (task.result?.state === 'fail' ? keepPicture(page, task.name) : undefined))

const create = (name: string, Dockerfile: string, settings: Partial<NewGitApp> = {}) => {
  git.commit(name, 'First', { Dockerfile })
  return createGitApp(ready.api, ready.org, { name, gitUrl: `${git.url}/${name}.git`, ...settings })
}
const open = (app: string) => visit(page, `/${ready.org}/apps/${app}/builds/1`)
const status = (text: string | RegExp) => page.getByRole('status').getByText(text)
const cancel = (app: string) => ready.api.builds.cancel.mutate({ org: ready.org, app, number: 1 })
const log = (position: number) => page.getByRole('region', { name: `Log of step ${position}` })
/** The row of a step, which opens and closes what there is to say of it. */
const step = (name: RegExp) => page.locator('tr[id^=step-]').getByRole('button', { name })
const dockerfileLine = (line: number) => page.locator(`#dockerfile-L${line}`)

/** As many lines as are all drawn at once by a log that shows its end. */
const LINES = 40
const counting = `FROM slipway.local/base/busybox
RUN echo ready
RUN i=0; while [ $i -lt ${LINES} ]; do echo "line $i"; i=$((i+1)); sleep 0.3; done
`
const endless = (name: string) =>
  `FROM slipway.local/base/busybox\nRUN i=0; while true; do echo "${name} $i, and then some more so that no phone has room for the whole line of it"; i=$((i+1)); sleep 0.1; done\n`
const numbers = (text: string | null) => [...(text ?? '').matchAll(/line (\d+)/g)].map(([, n]) => Number(n))

describe('a running build', () => {
  it('shows lines as they come, is offline for a while, and has each of them once', async () => {
    await create('counting', counting)
    const line = await openLine(Number(new URL(ready.installation.webUrl).port))
    try {
      await visit(page, `http://localhost:${line.port}/${ready.org}/apps/counting/builds/1`)
      await log(3).getByText('line 5', { exact: true }).waitFor()
      await status('Building').waitFor()
      // The same step in another app: it waits for this one's and takes its result.
      await create('twin', counting)
      // Connections that are there already, Chromium leaves alone.
      await page.context().setOffline(true)
      line.cut()
      await status('Connection lost, trying again').waitFor()
      const before = numbers(await log(3).textContent())
      await until('lines are written meanwhile', async () => {
        const chunks = await ready.api.builds.logs.query({ org: ready.org, app: 'counting', number: 1 })
        return numbers(chunks.map((chunk) => chunk.text).join('')).length > before.length + 5
      })
      expect(numbers(await log(3).textContent())).toEqual(before)
      await page.context().setOffline(false)
      await status('Connection lost, trying again').waitFor({ state: 'detached' })
      await status(/^Built in/).waitFor()
      // Its log has closed with the step.
      await step(/^RUN i=0/).click()
      expect(numbers(await log(3).textContent())).toEqual(Array.from({ length: LINES }, (_, i) => i))
    } finally {
      await page.context().setOffline(false)
      await line.close()
    }
  })

  it('says how long a step waited for the same one of another build', async () => {
    await buildOver(ready.api, ready.org, 'twin', 1)
    await open('twin')
    await step(/^RUN i=0/).click()
    await page.getByText(/^waited [\d.]+ s/).waitFor()
  })

  it('follows the end of its log until the reader scrolls up, and again when asked', async () => {
    await create('endless', endless('endless'))
    await open('endless')
    await page.setViewportSize(PHONE)
    const newest = async () => Number(/.*endless (\d+)/s.exec((await log(2).textContent()) ?? '')?.[1] ?? 0)
    const atEnd = () => log(2).evaluate((e) => e.scrollHeight - e.scrollTop - e.clientHeight < 60)
    await expect.poll(newest, { timeout: 30_000 }).toBeGreaterThan(60)
    await expect.poll(atEnd).toBe(true)
    expect(await page.getByRole('button', { name: 'Latest' }).count()).toBe(0)
    await expectNoSidewaysScroll(page, 'a running build')
    await page
      .getByText(/^\d+ s$/)
      .last()
      .waitFor()
    await expectAccessible(page, 'a running build on a phone')
    await page.setViewportSize({ width: 1440, height: 900 })
    await log(2).focus()
    await page.keyboard.press('Home')
    const latest = page.getByRole('button', { name: 'Latest' })
    await latest.waitFor()
    // The browser may glide there: who presses the button before that is over goes on up.
    await expect.poll(() => log(2).evaluate((e) => e.scrollTop)).toBe(0)
    await latest.click()
    await expect.poll(atEnd).toBe(true)
    await latest.waitFor({ state: 'detached' })
  })

  it.each(['light', 'dark'] as const)('is for everybody (%s)', async (colorScheme) => {
    await page.emulateMedia({ colorScheme })
    await expectAccessible(page, `a running build (${colorScheme})`)
    await page.emulateMedia({ colorScheme: 'light' })
  })

  it('is canceled from the keyboard, and the page says so', async () => {
    await tabTo(page, page.getByRole('button', { name: 'Cancel', exact: true }))
    await page.keyboard.press('Enter')
    await status(/^Canceled after/).waitFor()
    await page
      .getByRole('row', { name: /RUN i=0/ })
      .getByText('Canceled')
      .filter({ visible: true })
      .waitFor()
    expect((await buildOver(ready.api, ready.org, 'endless', 1)).state).toBe('canceled')
  })
})

describe('the queue', () => {
  it('shows how many are before a build, and moves it up until its turn', async () => {
    // Two run at once.
    for (const [name, state] of [
      ['first', 'running'],
      ['second', 'running'],
      ['third', 'queued'],
      ['fourth', 'queued'],
    ] as const) {
      await create(name, endless(name))
      await until(
        `${name} is ${state}`,
        async () => (await ready.api.builds.get.query({ org: ready.org, app: name, number: 1 })).state === state,
      )
    }
    await open('fourth')
    await status('Queued, 3 before it').waitFor()
    await page.getByText('Waiting for its turn: 3 builds are running or before it.').waitFor()
    await expectAccessible(page, 'a queued build')
    await cancel('third')
    await status('Queued, 2 before it').waitFor()
    await cancel('first')
    await status('Building').waitFor()
    await log(2)
      .getByText(/^fourth 3,/)
      .waitFor()
    await cancel('second')
    await cancel('fourth')
    await status(/^Canceled after/).waitFor()
    await open('third')
    await status('Canceled before it began').waitFor()
  })
})

describe('a failed build', () => {
  it('opens the step that failed, marks its line, and says why on top', async () => {
    await create(
      'broken',
      'FROM slipway.local/base/busybox\nRUN echo fine\nRUN echo "no such setting: COLOUR" >&2; \\\n    exit 42\nRUN true\n',
    )
    await open('broken')
    await status(/^Failed after/).waitFor()
    const alert = page.getByRole('alert').filter({ hasText: 'EXEC_FAILED' })
    await alert.getByRole('heading', { name: 'Step 3 failed' }).waitFor()
    await alert.getByText('exit code 42').last().waitFor()
    await log(3).getByText('no such setting: COLOUR').waitFor()
    await dockerfileLine(3).getByText('failed').waitFor()
    await page
      .getByRole('list', { name: 'The way of this deployment' })
      .getByText(/Step 3 ended with exit code 42$/)
      .waitFor()
    for (const [name, to] of [
      ['Dockerfile:3', dockerfileLine(3)],
      ['Log of step 3', log(3)],
    ] as const) {
      await tabTo(page, alert.getByRole('link', { name }))
      await page.keyboard.press('Enter')
      await expect.poll(() => to.evaluate((e) => e.getBoundingClientRect().top < innerHeight)).toBe(true)
    }
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme })
      await expectAccessible(page, `a failed build (${colorScheme})`)
    }
    await page.emulateMedia({ colorScheme: 'light' })
    await page.setViewportSize(PHONE)
    await expectNoSidewaysScroll(page, 'a failed build')
    await page.setViewportSize({ width: 1440, height: 900 })
  })

  it('that ran out of memory names the step and its peak', async () => {
    const Dockerfile = 'FROM slipway.local/base/busybox\nRUN echo fine\nRUN x=aaaaaaaaaaaaaaaa; while true; do x=$x$x; done\n'
    await create('greedy', Dockerfile, { buildMemoryBytes: 64_000_000 })
    await open('greedy')
    const alert = page.getByRole('alert').filter({ hasText: 'OUT_OF_MEMORY' })
    await alert.getByRole('heading', { name: 'Step 3 ran out of memory' }).waitFor()
    await alert.getByText('RUN x=aaaaaaaaaaaaaaaa', { exact: false }).first().waitFor()
    await alert.getByText(/^peak \d+(\.\d)? MB$/).waitFor()
    await page
      .getByRole('row', { name: /RUN x=aaaa/ })
      .getByText('Out of memory')
      .filter({ visible: true })
      .waitFor()
    await page
      .getByText(/peak memory \d+(\.\d)? MB/)
      .filter({ visible: true })
      .first()
      .waitFor()
    await dockerfileLine(3).getByText('failed').waitFor()
  })

  it('stands in the list of builds with its reason in one line, on a phone too', async () => {
    await page.setViewportSize(PHONE)
    await visit(page, `/${ready.org}/builds`)
    await page.getByText('Step 3 ran out of memory').waitFor()
    await page.getByText('Step 3 ended with exit code 42').waitFor()
    await expectNoSidewaysScroll(page, 'the builds')
    const name = await page.getByText('greedy', { exact: true }).filter({ visible: true }).boundingBox()
    expect(name?.width).toBeGreaterThan(100)
  })
})
