/**
 * The pages around a build that is over: where its time went, why each step ran, what it did otherwise than the one before, what would
 * save most, what lint says of its Dockerfile, and what is attached to its image. All of it from real builds of one app.
 */
import { startGitServer, type TestGitServer } from '@slipway/testing'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type Ready, readyInstallation } from './support/account'
import { buildOver, createGitApp } from './support/apps'
import { type Browser, expectAccessible, launch, type Page } from './support/browser'
import { expectNoSidewaysScroll, keepPicture, PHONE, signedIn, tabTo, visit } from './support/pages'
import { commitBase, numbered, SHOP } from './support/slow-shop'

let ready: Ready
let git: TestGitServer
let browser: Browser
let page: Page
let errors: string[]

/** Each of the builds of the shop is of one kind; later tests look at them in any order. */
const FIRST = 1
const FILES = 2
const ARGUMENT = 3
const BASE_MOVED = 4
const EVICTED = 5

beforeAll(async () => {
  git = await startGitServer()
  ready = await readyInstallation()
  const { api, org } = ready
  const url = (name: string) => `${git.url}/${name}.git`
  const next = async (app: string, number: number, what: () => unknown) => {
    await what()
    await api.builds.trigger.mutate({ org, app })
    await good(app, number)
  }
  const good = async (app: string, number: number) => expect((await buildOver(api, org, app, number)).error).toBeNull()
  commitBase(git, 'one')
  git.commit('shop', 'Open the shop', SHOP)
  await createGitApp(api, org, { name: 'Base', gitUrl: url('base') })
  await good('base', 1)
  await createGitApp(api, org, { name: 'Shop', gitUrl: url('shop') })
  await good('shop', FIRST)
  await next('shop', FILES, () =>
    git.commit('shop', 'Sell many more things', { 'src/cart.js': 'two\n', 'src/old.js': null, ...numbered(23, 'first') }),
  )
  const Dockerfile = SHOP.Dockerfile.replace('COLOUR=red', 'COLOUR=blue')
  await next('shop', ARGUMENT, () => git.commit('shop', 'Paint it blue', { 'src/cart.js': 'three\n', Dockerfile }))
  await next('base', 2, () => commitBase(git, 'two'))
  await next('shop', BASE_MOVED, () => undefined)
  await next('shop', EVICTED, () => api.buildCache.clear.mutate({ org }))
  browser = await launch()
  ;({ page, errors } = await signedIn(browser, ready))
})
afterAll(async () => {
  await browser?.close()
  await ready?.installation.remove()
  await git?.stop()
})
afterEach(({ task }) => (task.result?.state === 'fail' ? keepPicture(page, task.name) : undefined))

async function open(number: number, on = page): Promise<void> {
  await visit(on, `/${ready.org}/apps/shop/builds/${number}`)
  await on.getByRole('heading', { name: 'Where the time went' }).waitFor()
  await on.getByRole('heading', { name: 'Dockerfile', exact: true }).waitFor()
}
const card = (title: string | RegExp) => page.locator('section', { has: page.getByRole('heading', { name: title }) })
const graph = () => page.getByRole('toolbar', { name: 'Steps by stage and time' })
const bar = (name: RegExp) => graph().getByRole('button', { name })
/** The row of the step whose instruction begins so; its button opens what more there is to say. */
const step = (instruction: string) => page.locator('tr[id^=step-]', { has: page.getByRole('button', { name: instruction }) })
/** Why it ran, in the row itself: in a column, or beneath the instruction on a phone. */
const reason = (instruction: string, text: string | RegExp) => step(instruction).getByText(text).filter({ visible: true })
const unfolded = (instruction: string) =>
  step(instruction)
    .locator('xpath=following-sibling::tr[1]')
    .filter({ hasText: /Not from the cache|layer/ })

describe('where the time went', () => {
  it('has a lane for each stage, hits and misses, time and size, and the path that decided', async () => {
    await open(ARGUMENT)
    for (const lane of ['checkout', 'build', 'assets', 'stage 2', 'publish'])
      await graph().getByText(lane, { exact: true }).first().waitFor()
    await bar(/^RUN npm ci, ran, [\d.]+ s, 6\.3 MB/).waitFor()
    await bar(/^FROM slipway\.local\/acme\/base:main AS build, from the cache/).waitFor()
    expect(await bar(/on the critical path$/).count()).toBeGreaterThan(3)
    await card('Where the time went').getByText('6 of 13 steps from cache').waitFor()
  })

  it('draws what ran at the same time one above the other', async () => {
    const install = await bar(/^RUN npm ci/).boundingBox()
    const paint = await bar(/^RUN echo "painting/).boundingBox()
    if (!install || !paint) throw new Error('not drawn')
    expect(paint.y).toBeGreaterThan(install.y + install.height)
    const overlap = Math.min(install.x + install.width, paint.x + paint.width) - Math.max(install.x, paint.x)
    expect(overlap).toBeGreaterThan(install.width / 2)
  })

  it('is walked with the arrows, tells all it knows, and leads to the step', async () => {
    await open(ARGUMENT)
    await tabTo(page, bar(/^checkout/))
    await page.keyboard.press('ArrowDown')
    for (let i = 0; i < 3; i++) await page.keyboard.press('ArrowRight')
    await expect.poll(() => bar(/^RUN npm ci/).evaluate((e) => e === document.activeElement)).toBe(true)
    const tip = page.getByRole('tooltip')
    for (const text of [/on the critical path/, /CPU \d/, /peak memory [\d.]+ MB/, /layer 6\.3 MB/])
      await tip.getByText(text).first().waitFor()
    await page.keyboard.press('Enter')
    await expect
      .poll(() =>
        step('RUN npm ci')
          .getByRole('button')
          .evaluate((e) => e === document.activeElement),
      )
      .toBe(true)
    await page.keyboard.press('Enter')
    await page.getByRole('region', { name: 'Log of step 4' }).getByText('added 214 packages').waitFor()
    await unfolded('RUN npm ci')
      .getByText(/CPU .* · peak memory .* · layer 6\.3 MB, unpacked 6\.3 MB · read .+ from disk · wrote [\d.]+ MB to disk/)
      .waitFor()
  })

  it('says that what earlier builds waste', async () => {
    await open(ARGUMENT)
    const tip = card('Where the time went').locator('p').last()
    await expect.poll(() => tip.textContent()).toMatch(/Copy package\.json package-lock\.json and run npm ci before the other files/)
    expect(await tip.textContent()).toMatch(/from the cache in 1 of the last 3 builds and saved [\d.]+ s\.$/)
  })
})

describe('why a step ran', () => {
  it('the first time', async () => {
    await open(FIRST)
    await reason('COPY . .', 'this step has not been built before').waitFor()
  })

  it('files that were changed, added and removed: twenty names and how many', async () => {
    await open(FILES)
    await step('COPY . .').getByRole('button').click()
    const why = await unfolded('COPY . .').textContent()
    expect(why).toContain('1 file changed: src/cart.js; 23 files added: src/part-01.js, ')
    expect(why).toContain('src/part-20.js, …; 1 file removed: src/old.js')
    expect(why).not.toContain('src/part-21.js')
    // What follows it says only that.
    await reason('RUN npm ci', /because of line 3, COPY \. \.$/).waitFor()
  })

  it('an argument with another value', async () => {
    await open(ARGUMENT)
    await reason('RUN echo "painting', 'the value of COLOUR changed').waitFor()
  })

  it('a base image that moved', async () => {
    await open(BASE_MOVED)
    await reason('WORKDIR /src', /slipway\.local\/acme\/base:main moved from sha256:[0-9a-f]{12} to sha256:[0-9a-f]{12}/).waitFor()
  })

  it('a result that had left the cache', async () => {
    await open(EVICTED)
    await reason('WORKDIR /src', 'its result was removed from the cache to free space').waitFor()
  })
})

it('tells what it did otherwise than the last good build, and leads to it', async () => {
  await open(ARGUMENT)
  const comparison = card('Compared with the last good build')
  const row = comparison.getByRole('link', { name: /^Ran again/ }).first()
  await row.getByText(/RUN echo "painting/).waitFor()
  await row.getByText('the value of COLOUR changed').waitFor()
  await row.getByText(/^cached → [\d.]+ s$/).waitFor()
  await tabTo(page, row)
  await page.keyboard.press('Enter')
  await page.waitForURL('**#step-8')
  await comparison.getByRole('link', { name: `Build #${FILES}` }).click()
  await page.waitForURL(`**/builds/${FILES}`)
  await comparison.getByText('Now cached').first().waitFor()
})

describe('lint', () => {
  it('stands beneath the lines of the Dockerfile that was built', async () => {
    await open(ARGUMENT)
    const view = page.getByRole('region', { name: 'Dockerfile' })
    await view.getByText(/Copy package\.json and package-lock\.json first/).waitFor()
    await view.getByText('CopyBeforeInstall').waitFor()
    await card('Dockerfile').getByText('2 findings').waitFor()
  })

  it('checks a change while it is typed, with line, column and what to write, and leads there', async () => {
    await tabTo(page, page.getByRole('button', { name: 'Try a change' }))
    await page.keyboard.press('Enter')
    const editor = page.getByRole('textbox', { name: 'Copy of Dockerfile' })
    await editor.fill('FROM scratch\nCOPY a b\n  RUNN true\n')
    const finding = page.getByRole('button', { name: /line 3:3.*Unknown instruction RUNN\. Did you mean RUN\?/ })
    await tabTo(page, finding)
    await page.keyboard.press('Enter')
    const selected = await editor.evaluate((e) => {
      const area = e as HTMLTextAreaElement
      return area.value.slice(area.selectionStart, area.selectionEnd)
    })
    expect(selected).toBe('RUNN true')
    await page.keyboard.type('RUN true')
    await page.getByText('UNKNOWN_INSTRUCTION').waitFor({ state: 'detached' })
    await expectAccessible(page, 'a change that is tried')
  })

  it('checks the Dockerfile that was made for a repository without one', async () => {
    git.commit('plain', 'First', { 'index.html': 'plain\n' })
    await visit(page, `/${ready.org}/apps/new`)
    await page.getByLabel('Git URL').fill(`${git.url}/plain.git`)
    await page.getByLabel('Branch').focus()
    await page.getByText('Detected: static files').waitFor()
    const editor = page.getByRole('textbox', { name: 'Dockerfile', exact: true }).last()
    const made = await editor.inputValue()
    await editor.fill(`${made}COPY /srv\n`)
    const line = made.split('\n').length
    await page.getByRole('button', { name: new RegExp(`line ${line}:\\d+`) }).waitFor()
    await editor.fill(made.replace('COPY . /srv', 'COPY . /srv\nRUN echo kept > /srv/kept.txt'))
    await page.getByText('The app will keep this Dockerfile.').waitFor()
    await page.getByRole('button', { name: 'Create and build', exact: true }).click()
    await page.waitForURL('**/apps/plain/builds/1')
    await page.getByText('This is the Dockerfile that is kept with the app').waitFor()
    await page.getByRole('region', { name: 'Dockerfile' }).getByText('echo kept').waitFor()
  })
})

it('leads to its image, which has the list of its packages and its provenance', async () => {
  await open(BASE_MOVED)
  await page.getByRole('link', { name: 'Image', exact: true }).click()
  await page.waitForURL(/\/images\/shop@sha256:/)
  const record = card('Provenance')
  await record.getByText(`${git.url}/shop.git`).waitFor()
  await record.getByText('slipway.local/acme/base:main').waitFor()
  for (const [name, from] of [
    ['in-toto', record],
    ['SPDX', card(/packages?$/)],
  ] as const) {
    const saved = page.waitForEvent('download')
    await from.getByRole('button', { name }).click()
    await saved
  }
})

it.each([FIRST, ARGUMENT])('build %i is for everybody in both themes, and no wider than a phone', async (number) => {
  await open(number)
  await step('RUN npm ci').getByRole('button').click()
  for (const theme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme: theme })
    await expectAccessible(page, `build ${number} (${theme})`)
  }
  await page.emulateMedia({ colorScheme: 'light' })
  await page.setViewportSize(PHONE)
  try {
    await page.getByRole('region', { name: 'build', exact: true }).getByText('RUN npm ci').waitFor()
    await expectNoSidewaysScroll(page, `build ${number}`)
    await expectAccessible(page, `build ${number} on a phone`)
  } finally {
    await page.setViewportSize({ width: 1440, height: 900 })
  }
})

it('nothing went wrong in the browser', () => {
  expect(errors).toEqual([])
})
