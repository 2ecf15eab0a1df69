// Stores a picture of each page of a running installation in docs/screenshots.
//   npm run screenshots -- --url http://localhost:3000 --email you@example.com --password-file /path [--org slug]
// With `--only image,image-compare` these pages, in all their variants, and no others.
// It signs in, looks for what there is (an app that serves, a failed build, an image) and leaves everything as it was.
import { mkdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { chromium } from 'playwright-core'
import { findPages } from './pages.mjs'

const { values } = parseArgs({
  options: {
    url: { type: 'string', default: process.env.SLIPWAY_URL ?? 'http://localhost:3000' },
    email: { type: 'string', default: process.env.SLIPWAY_ADMIN_EMAIL ?? '' },
    'password-file': { type: 'string', default: process.env.SLIPWAY_ADMIN_PASSWORD_FILE ?? '' },
    org: { type: 'string', default: '' },
    only: { type: 'string', default: '' },
    out: { type: 'string', default: path.join(path.dirname(fileURLToPath(import.meta.url)), '../../docs/screenshots') },
    chromium: { type: 'string', default: process.env.SLIPWAY_CHROMIUM ?? '/usr/bin/chromium' },
  },
})
if (!values.email || !values['password-file']) {
  console.error('Say who signs in: --email you@example.com --password-file /path/to/a/file/with/the/password')
  process.exit(2)
}

const DESKTOP = { width: 1360, height: 850 }
const PHONE = { width: 500, height: 900 }
const password = (await readFile(values['password-file'], 'utf8')).trim()
await mkdir(values.out, { recursive: true })
const browser = await chromium.launch({ executablePath: values.chromium, args: process.getuid?.() === 0 ? ['--no-sandbox'] : [] })

try {
  const context = await browser.newContext({ viewport: DESKTOP, reducedMotion: 'reduce', baseURL: values.url })
  const page = await context.newPage()
  await page.goto('/login')
  await page.getByLabel('E-mail').fill(values.email)
  await shoot(page, 'login')
  await page.getByLabel('Password', { exact: true }).fill(password)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('navigation', { name: 'Places' }).waitFor({ timeout: 30_000 })
  const org = values.org || (new URL(page.url()).pathname.split('/')[1] ?? '')
  const state = await context.storageState()
  const found = await findPages(context.request, org)
  const only = values.only.split(',').filter(Boolean)
  const pages = only.length === 0 ? found : found.filter(({ name }) => only.includes(name))

  for (const { name, href } of pages) {
    await page.goto(href)
    await shoot(page, name)
  }
  await page.goto(`/${org}`)
  await page.keyboard.press('Control+k')
  await shoot(page, 'palette')

  for (const [suffix, options] of Object.entries({
    dark: { viewport: DESKTOP, colorScheme: /** @type {const} */ ('dark') },
    phone: { viewport: PHONE },
  })) {
    const other = await browser.newContext({ ...options, reducedMotion: 'reduce', baseURL: values.url, storageState: state })
    const view = await other.newPage()
    for (const { name, href } of pages.filter((p) => p.everywhere)) {
      await view.goto(href)
      await shoot(view, `${name}-${suffix}`, suffix === 'phone')
    }
    await other.close()
  }
} finally {
  await browser.close()
}

/**
 * Waits until nothing loads any more; live streams never end, so the network being idle tells nothing.
 * @param {import('playwright-core').Page} page
 * @param {string} name
 * @param {boolean} fullPage
 */
async function shoot(page, name, fullPage = false) {
  await page.waitForFunction(
    () => document.querySelectorAll(':is([role=status][aria-label^=Loading], [role=status][aria-label^=Reading])').length === 0,
    undefined,
    {
      timeout: 20_000,
    },
  )
  await page.waitForTimeout(900)
  const file = path.join(values.out, `${name}.png`)
  await page.screenshot({ path: file, fullPage })
  console.log(path.relative(process.cwd(), file))
}
