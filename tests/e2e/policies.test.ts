/** Rules, limits, retention, names and READMEs of the registry as people meet them: on its pages, and at the end of a build. */
import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createAgent } from '@slipway/agent-client'
import { newId } from '@slipway/core'
import { createDb, type Db } from '@slipway/db'
import { startGitServer, type TestGitServer } from '@slipway/testing'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { ADMIN, addAccount, type Ready, readyInstallation } from './support/account'
import { until } from './support/api'
import { buildOver, createGitApp, deploymentSettled, serving, textApp } from './support/apps'
import { type Browser, expectAccessible, launch, type Page } from './support/browser'

const FAILURES = resolve(import.meta.dirname, '../../test-results')
const HOSTILE = `# Tools <script>window.hacked = 1</script>

The *team’s* tools. [Docs](https://example.com/docs), [trap](javascript:window.hacked=2),
[![badge](https://evil.example/track.png)](https://evil.example) and <img src=x onerror="window.hacked=3">

<iframe src="https://evil.example"></iframe>

| Tag | For |
|-----|----:|
| v1  | all |

\`\`\`sh
docker run slipway.local/acme/tools:v1
\`\`\`
`

let ready: Ready
let database: Db
let git: TestGitServer
let browser: Browser
let page: Page
const consoleErrors: string[] = []

beforeAll(async () => {
  git = await startGitServer()
  git.commit('shop', 'Open the shop', textApp('version one'))
  ready = await readyInstallation()
  database = createDb(ready.installation.databaseUrl())
  const { api, org } = ready
  await createGitApp(api, org, { name: 'Shop', gitUrl: `${git.url}/shop.git` })
  await serving(api, org, 'shop')
  // In Docker's form: another manifest than the one that runs, which retention would keep wherever it is.
  for (const tag of ['v1', 'v2', 'old']) copy('shop:build-1', `tools:${tag}`, 'v2s2')
  browser = await launch()
  page = await browser.newPage({ viewport: { width: 1360, height: 850 }, reducedMotion: 'reduce' })
  page.setDefaultTimeout(30_000)
  page.on('console', (message) => {
    if (message.type() === 'error') consoleErrors.push(`${page.url()}: ${message.text()}`)
  })
  page.on('pageerror', (error) => consoleErrors.push(`${page.url()}: ${error.message}`))
  await go('/login')
  await page.getByLabel('E-mail').fill(ADMIN.email)
  await page.getByLabel('Password', { exact: true }).fill(ADMIN.password)
  await button('Sign in').click()
  await page.waitForURL('**/acme')
})
afterAll(async () => {
  await browser?.close()
  await database?.$disconnect()
  await ready?.installation.remove()
  await git?.stop()
})
afterEach(async ({ task }) => {
  if (task.result?.state !== 'fail' || !page) return
  mkdirSync(FAILURES, { recursive: true })
  await page.screenshot({ path: join(FAILURES, `${task.name.replace(/\W+/g, '-').slice(0, 80)}.png`), fullPage: true })
})

/** As people move images from one repository to another. */
const copy = (from: string, to: string, format = 'oci') => {
  const at = `docker://127.0.0.1:${ready.installation.registryPort}/${ready.org}`
  const flags = ['--insecure-policy', 'copy', '--format', format, '--src-tls-verify=false', '--dest-tls-verify=false']
  execFileSync('skopeo', [...flags, '--src-creds', `key:${ready.key}`, '--dest-creds', `key:${ready.key}`, `${at}/${from}`, `${at}/${to}`])
}
const go = (path: string) => open(`${ready.installation.webUrl}${path}`)
/** Chromium breaks a page load off when an address of the host changes, as it does when a container starts; people press reload. */
const open = (url: string) =>
  page.goto(url).catch((error: Error) => {
    if (!error.message.includes('ERR_NETWORK_CHANGED')) throw error
    return page.goto(url)
  })
const button = (name: string | RegExp) => page.getByRole('button', { name, exact: true })
const card = (name: string) => page.getByRole('region', { name, exact: true })
const dialog = () => page.getByRole('dialog')

/** Nothing sticks out on a phone, and both themes have enough contrast. */
async function expectWhole(name: string): Promise<void> {
  // What was said about the last deed leaves by itself, and is no part of the page.
  await expect.poll(() => page.locator('[data-sonner-toast]').count(), { timeout: 20_000 }).toBe(0)
  for (const theme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme: theme })
    await expectAccessible(page, `${name} (${theme})`)
  }
  await page.emulateMedia({ colorScheme: 'light' })
  await page.setViewportSize({ width: 390, height: 844 })
  expect(await page.evaluate(() => document.documentElement.scrollWidth), `width of ${name} on a phone`).toBeLessThanOrEqual(390)
  await page.setViewportSize({ width: 1360, height: 850 })
}

/** Rows of 3,000 tags with an image each, with a layer of 999,000 bytes and a config of 1,000; no blob is there. */
async function fillBulk(repositoryId: string, organizationId: string): Promise<void> {
  const blobs = [
    { kind: 'layer', size: 999_000 },
    { kind: 'config', size: 1000 },
  ]
  const digest = "'sha256:' || encode(sha256(('bulk' || $1 || i)::bytea), 'hex')"
  const run = (sql: string, ...values: (string | number)[]) => database.$executeRawUnsafe(sql, ...values)
  for (const { kind, size } of blobs) {
    await run(`INSERT INTO "Blob" ("digest", "size") SELECT ${digest}, $2 FROM generate_series(1, 3000) i`, kind, size)
    await run(
      `INSERT INTO "RepositoryBlob" ("repositoryId", "digest", "size") SELECT $3, ${digest}, $2 FROM generate_series(1, 3000) i`,
      kind,
      size,
      repositoryId,
    )
  }
  await run(
    `INSERT INTO "Manifest" ("id", "repositoryId", "organizationId", "digest", "mediaType", "content", "size", "totalSize", "configDigest", "pushedBy", "createdAt")
     SELECT 'man_bulk' || i, $2, $3, ${digest}, 'application/vnd.oci.image.manifest.v1+json', '\\x7b7d', 2, 1000002,
       'sha256:' || encode(sha256(('bulkconfig' || i)::bytea), 'hex'), 'Ada', now() - i * interval '1 hour' FROM generate_series(1, 3000) i`,
    'image',
    repositoryId,
    organizationId,
  )
  await run(
    `INSERT INTO "ManifestLayer" ("manifestId", "position", "digest", "mediaType", "size")
     SELECT 'man_bulk' || i, 0, ${digest}, 'application/vnd.oci.image.layer.v1.tar+gzip', 999000 FROM generate_series(1, 3000) i`,
    'layer',
  )
  await run(
    `INSERT INTO "Tag" ("repositoryId", "name", "manifestId", "pushedBy", "updatedAt")
     SELECT $1, 'v' || i, 'man_bulk' || i, 'Ada', now() - i * interval '1 hour' FROM generate_series(1, 3000) i`,
    repositoryId,
  )
}

describe('settings of the organization', () => {
  it('has a tab for the registry, with what is used and no limit yet', async () => {
    await go('/acme/settings')
    await page.getByRole('link', { name: 'Registry', exact: true }).click()
    await page.waitForURL('**/settings/registry')
    await card('Limits').getByText('· no limit').first().waitFor()
    await page.getByText('Off: every tag stays').waitFor()
    await expectWhole('settings of the registry')
  })

  it('counts what retention would take repository by repository, and saves nothing before all were asked', async () => {
    const { id: organizationId } = await database.organization.findUniqueOrThrow({ where: { slug: 'acme' }, select: { id: true } })
    const many = Array.from({ length: 60 }, (_, n) => ({ id: newId('repository'), organizationId, name: `many/service-${n}` }))
    await database.repository.createMany({ data: many })
    let letOn = () => {}
    const goOn = new Promise<void>((resolve) => {
      letOn = resolve
    })
    const later = (url: URL) => url.href.includes('previewRetention') && url.href.includes('cursor')
    await page.route(later, async (route) => {
      await goOn
      await route.continue()
    })
    await page.getByLabel('Keep the last tags').fill('3')
    await button('Save').click()
    await dialog().getByText('25 of 62 repositories looked at …').waitFor()
    await dialog().getByText('Nothing would go so far.').waitFor()
    expect(await dialog().getByRole('button', { name: 'Save' }).isDisabled()).toBe(true)
    await expectAccessible(page, 'dry run under way')
    letOn()
    await dialog().getByText('Nothing would go now').waitFor()
    expect(await dialog().getByRole('progressbar').count()).toBe(0)
    expect(await dialog().getByRole('button', { name: 'Save' }).isDisabled()).toBe(false)
    await dialog().getByRole('button', { name: 'Cancel' }).click()
    await page.unroute(later)
    await button('Discard').click()
    await database.repository.deleteMany({ where: { id: { in: many.map(({ id }) => id) } } })
  })

  it('counts what comes free of many tags while one looks, and saves nothing before all is counted', async () => {
    const { id: organizationId } = await database.organization.findUniqueOrThrow({ where: { slug: 'acme' }, select: { id: true } })
    const repositoryId = newId('repository')
    await database.repository.create({ data: { id: repositoryId, organizationId, name: 'bulk' } })
    await fillBulk(repositoryId, organizationId)
    await go('/acme/images/bulk/-/policies')
    await card('Retention').getByText('Its own').click()
    await page.getByLabel('Keep the last tags').fill('10')
    await page.getByLabel('Keep tags used within, days').fill('')
    // Each page waits until the test lets it go on.
    const waiting: (() => void)[] = []
    let asked = 0
    const later = (url: URL) => url.href.includes('repositories.previewRetention') && url.href.includes('cursor')
    await page.route(later, async (route) => {
      asked++
      await new Promise<void>((goOn) => waiting.push(goOn))
      await route.continue().catch(() => {})
    })
    const save = dialog().getByRole('button', { name: 'Save' })
    await card('Retention').getByRole('button', { name: 'Save' }).click()
    await dialog().getByText('Counting what comes free: 0 % …').waitFor()
    await dialog().getByText('2,990 tags', { exact: false }).first().waitFor()
    expect(await save.isDisabled()).toBe(true)
    await expectWhole('dry run of a large repository under way')
    const places = () =>
      Promise.all(
        [dialog(), dialog().getByText('would go now'), dialog().getByText('stay: among the last'), save].map((what) =>
          what.boundingBox().then((box) => [box?.x, box?.y, box?.width]),
        ),
      )
    const before = await places()
    // Escape ends it: what is asked is given up, and who asks again begins from the front.
    expect(asked).toBe(1)
    const givenUp = page.waitForEvent('requestfailed', (request) => later(new URL(request.url())))
    await page.keyboard.press('Escape')
    await dialog().waitFor({ state: 'detached' })
    await givenUp
    waiting.shift()?.()
    await card('Retention').getByRole('button', { name: 'Save' }).click()
    await dialog().getByText('Counting what comes free: 0 % …').waitFor()
    await expect.poll(() => asked).toBe(2)
    waiting.shift()?.()
    // 3,200 of its 6,000 blobs.
    await dialog()
      .getByText(/^Counting what comes free: 5\d % …$/)
      .waitFor()
    expect(Number(await dialog().getByRole('progressbar').getAttribute('aria-valuenow'))).toBeGreaterThan(49)
    expect(await save.isDisabled()).toBe(true)
    await expect.poll(() => asked).toBe(3)
    waiting.shift()?.()
    await dialog().getByText('What comes free is counted.').waitFor()
    // 2,990 images with a layer and a config of their own, of 1 MB together, which nothing else has.
    await dialog().getByText('3 GB', { exact: true }).waitFor()
    expect(await dialog().getByRole('progressbar').count()).toBe(0)
    expect(await places()).toEqual(before)
    expect(await save.isDisabled()).toBe(false)
    await expectAccessible(page, 'dry run of a large repository')
    await save.focus()
    await page.keyboard.press('Enter')
    await page.getByText('Retention is set').first().waitFor()
    expect((await ready.api.repositories.policies.query({ org: 'acme', repository: 'bulk' })).retention).toMatchObject({ keepLast: 10 })
    await page.unroute(later)
    await database.repository.delete({ where: { id: repositoryId } })
    await go('/acme/settings/registry')
  })

  it('sets limits, and shows them as bars here and on the storage page', async () => {
    await card('Limits').getByRole('button', { name: 'Change' }).click()
    await dialog().getByLabel('Storage, GB').fill('50')
    await dialog().getByLabel('Repositories').fill('2')
    await expectAccessible(page, 'dialog of limits')
    await dialog().getByRole('button', { name: 'Save' }).click()
    await card('Limits').getByText('of 50 GB').waitFor()
    await card('Limits').getByText('Full: what needs more is refused.').waitFor()
    await go('/acme/storage')
    expect(await card('Limits').getByRole('meter', { name: 'Repositories' }).getAttribute('aria-valuetext')).toBe('2 of 2')
    await expectWhole('storage')
    expect(() => copy('shop:build-1', 'third:v1')).toThrow(/acme has 2 of 2 repositories and gets no more/)
  })

  it('makes a rule and says how many tags it holds', async () => {
    await go('/acme/settings/registry')
    await card('Tag rules').getByRole('button', { name: 'Add a rule' }).click()
    await dialog().getByLabel('Tags').fill('not a pattern!')
    await dialog().getByRole('button', { name: 'Add' }).click()
    await dialog()
      .getByText(/Use letters, digits/)
      .waitFor()
    await dialog().getByLabel('Tags').fill('v*')
    await expectAccessible(page, 'dialog of a rule')
    await dialog().getByRole('button', { name: 'Add' }).click()
    await card('Tag rules').getByText('2 tags').waitFor()
    await expectWhole('settings of the registry with a rule')
  })

  it('shows what retention would take before it is saved, and takes just that', async () => {
    await page.getByLabel('Keep the last tags').fill('')
    await page.getByLabel('Keep tags used within, days').fill('3650')
    await button('Dry run').click()
    await dialog().getByText('Nothing would go now').waitFor()
    await dialog().getByRole('button', { name: 'Close' }).last().click()
    await page.getByLabel('Keep tags used within, days').fill('')
    await page.getByLabel('Keep the last tags').fill('1')
    // The newest of them is the one that is last.
    copy('shop:build-1', 'tools:main', 'v2s2')
    await button('Dry run').click()
    await dialog().getByText('1 tag', { exact: true }).first().waitFor()
    await dialog().getByText('stay: immutable or protected').waitFor()
    await dialog().getByText('goes: nothing keeps it').waitFor()
    await expectAccessible(page, 'dry run')
    await dialog().getByRole('button', { name: 'Close' }).last().click()
    expect((await ready.api.images.tags.query({ org: 'acme', repository: 'tools' })).total).toBe(4)
    await button('Save').click()
    await dialog().getByRole('button', { name: 'Save' }).click()
    await page.getByText('Retention is set').first().waitFor()
    await button('Run now').click()
    await dialog().getByRole('button', { name: 'Remove 1 tag' }).click()
    await card('Runs of retention')
      .getByText(/1 tag · /)
      .waitFor({ timeout: 90_000 })
    const tags = (await ready.api.images.tags.query({ org: 'acme', repository: 'tools' })).items.map((tag) => tag.name)
    expect(tags.sort()).toEqual(['main', 'v1', 'v2'])
    await card('Runs of retention').locator('summary').first().click()
    await card('Runs of retention').getByRole('link', { name: 'tools' }).waitFor()
    await expectWhole('settings of the registry after a run')
  })
})

describe('a repository', () => {
  it('has a README that can do no harm, a description and labels, written in place', async () => {
    await go('/acme/images/tools')
    await page.getByRole('link', { name: 'About', exact: true }).click()
    await button('Write one').click()
    await page.getByLabel('Markdown').fill(HOSTILE)
    await page.getByText('Preview', { exact: true }).click()
    await page.getByRole('heading', { name: /^Tools/ }).waitFor()
    await expectAccessible(page, 'README being written')
    await button('Save').click()
    const readme = card('README')
    await readme.getByRole('button', { name: 'Edit' }).waitFor()
    await readme.getByRole('heading', { name: /^Tools/ }).waitFor()
    expect(await readme.getByRole('link').evaluateAll((links) => links.map((a) => a.getAttribute('href')))).toEqual([
      'https://example.com/docs',
      'https://evil.example/',
    ])
    expect(await readme.locator('script, img, iframe').count()).toBe(0)
    expect(await page.evaluate(() => (globalThis as { hacked?: number }).hacked)).toBeUndefined()
    await readme.getByRole('cell', { name: 'all' }).waitFor()
    await button('Edit the description and labels').click()
    await page.getByLabel('In a line').fill('What the team builds with')
    await page.getByLabel('Labels').fill('team=core')
    await card('Description').getByRole('button', { name: 'Save' }).click()
    await page.getByText('What the team builds with').first().waitFor()
    await expectWhole('about')
    await go('/acme/images')
    await page.getByLabel('Search the images').fill('team=co')
    await page.getByRole('link', { name: 'tools' }).waitFor()
    await expect.poll(() => page.getByRole('link', { name: 'shop' }).count()).toBe(0)
    await page.getByText('What the team builds with').waitFor()
  })

  it('has rules and retention of its own beside the organization’s', async () => {
    await go('/acme/images/tools/-/policies')
    await card('Tag rules').getByRole('link', { name: 'the organization' }).waitFor()
    await card('Tag rules').getByRole('button', { name: 'Add a rule' }).click()
    await dialog().getByText('Protected', { exact: true }).click()
    await dialog().getByLabel('Tags').fill('main')
    await dialog().getByRole('button', { name: 'Add' }).click()
    await card('Tag rules').getByRole('cell', { name: 'Only owners and admins push or delete it. Builds push it.' }).waitFor()
    await card('Retention').getByText('Keep everything').click()
    await card('Retention').getByRole('button', { name: 'Save' }).click()
    await dialog().getByRole('button', { name: 'Save' }).click()
    await page.getByText('Retention is set').first().waitFor()
    await card('Retention')
      .getByText(/^1 tag, /)
      .waitFor()
    expect((await ready.api.repositories.policies.query({ org: 'acme', repository: 'tools' })).retention).toBe('keep')
    await expectWhole('policies')
    await card('Tag rules').getByRole('button', { name: 'Remove the rule protected main' }).click()
    await dialog().getByRole('button', { name: 'Remove' }).click()
    await expect
      .poll(() =>
        card('Tag rules')
          .getByRole('cell', { name: /Builds push it/ })
          .count(),
      )
      .toBe(0)
  })

  it('is renamed, and its old addresses lead on', async () => {
    await go('/acme/images/tools/-/settings')
    await button('Rename').click()
    await dialog().getByLabel('New name').fill('shop')
    await dialog().getByRole('button', { name: 'Rename' }).click()
    await dialog().getByText('REPOSITORY_EXISTS').waitFor()
    await dialog().getByLabel('New name').fill('team/kit')
    await expectAccessible(page, 'dialog of a name')
    await dialog().getByRole('button', { name: 'Rename' }).click()
    await page.waitForURL('**/images/team/kit/-/settings')
    await card('Old names').getByText('acme/tools').waitFor()
    await expectWhole('settings of a repository')
    await go('/acme/images/tools')
    await page.waitForURL('**/images/team/kit')
    await page.getByRole('heading', { name: 'team/kit' }).waitFor()
    await go('/acme/images/tools/-/about')
    await page.waitForURL('**/images/team/kit/-/about')
    await go('/acme/images/tools:v1')
    await page.waitForURL('**/images/team/kit:v1')
    await go('/acme/images/never-was')
    await page.getByText('REPOSITORY_NOT_FOUND').waitFor()
    copy('tools:v1', 'shop:from-old-name')
  })

  it('is given to another organization when its name is typed, and leads there', async () => {
    await ready.api.organizations.create.mutate({ name: 'Other', slug: 'other' })
    await go('/acme/images/team/kit/-/settings')
    await button('Give away').click()
    await dialog()
      .getByLabel(/^Type team\/kit/)
      .fill('team/kit')
    await expectAccessible(page, 'dialog of an owner')
    await dialog().getByRole('button', { name: 'Give away' }).click()
    await page.waitForURL('**/other/images/team/kit')
    await go('/acme/images/tools')
    await page.waitForURL('**/other/images/team/kit')
    // Who is of the other organization only, and has the old address.
    const eve = await addAccount(database, ready, 'Eve', 'Rival')
    await ready.api.organizations.addMember.mutate({ org: 'other', email: 'eve@example.com', role: 'guest' })
    const theirs = await browser.newContext()
    await theirs.addCookies(
      eve.cookie.split('; ').map((pair) => {
        const [name = '', ...value] = pair.split('=')
        return { name, value: value.join('='), url: ready.installation.webUrl }
      }),
    )
    const other = await theirs.newPage()
    await other.goto(`${ready.installation.webUrl}/acme/images/team/kit/-/about`)
    await other.waitForURL('**/other/images/team/kit/-/about')
    await other.goto(`${ready.installation.webUrl}/acme/images/shop`)
    await other.getByText('This organization cannot be shown').waitFor()
    await theirs.close()
    await go('/acme/images/shop/-/settings')
    await page.getByText(/go into this repository by its name/).waitFor()
    expect(await button('Rename').isDisabled()).toBe(true)
  })

  it('is deleted when its name is typed', async () => {
    copy('shop:build-1', 'doomed:first')
    await go('/acme/images/doomed/-/settings')
    await button('Delete').click()
    await dialog().getByText('1 tag with').waitFor()
    expect(await dialog().getByRole('button', { name: 'Delete' }).isDisabled()).toBe(true)
    await expectAccessible(page, 'dialog that deletes a repository')
    await dialog().getByRole('textbox').fill('doomed')
    await dialog().getByRole('button', { name: 'Delete' }).click()
    await page.waitForURL('**/acme/images')
    await page.getByText('doomed is deleted').waitFor()
    await page.getByRole('link', { name: 'doomed' }).waitFor({ state: 'detached' })
    await go('/acme/images/doomed')
    await page.getByText('REPOSITORY_NOT_FOUND').waitFor()
  })

  it('is told about in the activity', async () => {
    await go('/acme/activity')
    for (const text of [
      /deleted the repository doomed · 1 tag/,
      /gave away the repository team\/kit · to other/,
      /renamed a repository to team\/kit · from tools/,
    ])
      await page.getByText(text).first().waitFor()
    for (const text of [
      /cleaned up the repository .* · 1 tag, /,
      /made the tag rule immutable v\*/,
      /set the limits of acme · 50 GB, 2 rep/,
    ])
      await page.getByText(text).first().waitFor()
  })
})

describe('a build and a rollback', () => {
  it('says in a sentence which rule kept its tag, and where that is changed', async () => {
    const { api, org } = ready
    await api.policies.addRule.mutate({ org, kind: 'immutable', tags: 'main' })
    git.commit('shop', 'Change the sign', { 'index.html': 'version two\n' })
    const { number } = await api.builds.trigger.mutate({ org, app: 'shop' })
    const build = await buildOver(api, org, 'shop', number)
    expect(build).toMatchObject({ state: 'failed', error: { code: 'TAG_RULE' } })
    await go(`/acme/apps/shop/builds/${number}`)
    await page.getByText(`The image is in the registry as build-${number} and was not deployed.`).first().waitFor()
    const sentence = /the tag main is immutable by the rule “main” of acme \(Settings → Registry\), so no build moves it/
    await page.getByText(sentence).first().waitFor()
    await expectAccessible(page, 'a build that a rule refused')
    for (const rule of await api.policies.rules.query({ org }))
      if (rule.tags === 'main') await api.policies.removeRule.mutate({ org, id: rule.id })
  })

  it('says that there is no room, and whom to ask', async () => {
    const { api, org } = ready
    const { bytes } = await api.policies.quota.query({ org })
    await api.policies.setQuota.mutate({ org, organization: org, maxBytes: bytes, maxRepositories: null })
    git.commit('shop', 'Change the sign again', { 'index.html': 'version three\n' })
    const { number } = await api.builds.trigger.mutate({ org, app: 'shop' })
    const build = await buildOver(api, org, 'shop', number)
    expect(build.error).toMatchObject({ code: 'QUOTA_EXCEEDED', message: expect.stringContaining('ask who runs this installation') })
    await api.policies.setQuota.mutate({ org, organization: org, maxBytes: null, maxRepositories: null })
  })

  it('says that an image is gone, and keeps what serves', async () => {
    const { api, org, installation } = ready
    git.commit('shop', 'One more', { 'index.html': 'version four\n' })
    const { number } = await api.builds.trigger.mutate({ org, app: 'shop' })
    // The limit was lifted a moment ago: a build is not refused by what held before.
    expect(await buildOver(api, org, 'shop', number)).toMatchObject({ state: 'succeeded', error: null })
    await deploymentSettled(api, org, 'shop', 2)
    const first = await api.deployments.get.query({ org, app: 'shop', number: 1 })
    const digest = first.image?.digest ?? ''
    for (const { name } of (await api.images.tags.query({ org, repository: 'shop' })).items.filter((tag) => tag.digest === digest))
      await api.images.delete.mutate({ org, repository: 'shop', reference: name })
    await api.images.delete.mutate({ org, repository: 'shop', reference: digest })
    await go('/acme/apps/shop/deployments/1')
    await page.getByText('Its image is no longer in the registry').waitFor()
    await expectAccessible(page, 'a deployment whose image is gone')
    const { docker } = createAgent({ socketPath: installation.agentSocket })
    // By its id, so that all names go: the host knows it by those of the build, too.
    const { Id } = await docker.getImage(`slipway.local/acme/shop@${digest}`).inspect()
    await until('the first container has drained, and its image is gone', async () => {
      await docker.getImage(Id).remove({ force: true })
      return true
    })
    await button('Roll back to this').click()
    await dialog().getByText('This works only if the host still has a copy').waitFor()
    await dialog().getByRole('button', { name: 'Roll back' }).click()
    await page.waitForURL('**/deployments/3')
    await page.getByText('IMAGE_GONE').waitFor({ timeout: 60_000 })
    await page
      .getByText(/Roll back to another deployment, or build its commit again.*#2 keeps serving/)
      .first()
      .waitFor()
  })
})

it('has logged no error in the browser', () => {
  // Requests that the tests had refused on purpose are logged by Chromium itself.
  expect(consoleErrors.filter((text) => !/Failed to load resource/.test(text))).toEqual([])
})
