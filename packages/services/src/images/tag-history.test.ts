import { randomBytes } from 'node:crypto'
import { newId } from '@slipway/core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { runOpenRetention } from '../policies/retention'
import type { Scope } from '../scope'
import { createHarness, type Harness } from '../testing/harness'

let h: Harness
let acme: Scope
let guest: Scope
let app: { id: string; slug: string }
beforeAll(async () => {
  h = await createHarness()
  acme = await h.organization('Ada', 'acme')
  guest = { ...acme, role: 'guest' }
  app = await h.db.app.findFirstOrThrow({ where: { slug: (await h.gitApp(acme, 'shop')).app }, select: { id: true, slug: true } })
}, 60_000)
afterAll(() => h.close())

const ADA = () => acme.actor.userId ?? ''
const days = (n: number) => new Date(Date.now() - n * 86_400_000)
const newDigest = () => `sha256:${randomBytes(32).toString('hex')}`

async function repository(name: string) {
  const { organizationId } = acme
  const { id: repositoryId } = await h.db.repository.create({ data: { id: newId('repository'), organizationId, name } })
  const manifest = async (at = new Date(), more: { subjectDigest?: string; children?: string[] } = {}) => {
    const { children = [], ...rest } = more
    const content = { mediaType: 'x', content: new Uint8Array(1), size: 1, totalSize: 5n, os: 'linux', architecture: 'amd64' }
    const data = { id: newId('manifest'), repositoryId, organizationId, digest: newDigest(), pushedBy: ADA(), createdAt: at, ...content }
    return h.db.manifest.create({
      data: { ...data, ...rest, children: { create: children.map((digest, position) => ({ digest, position })) } },
    })
  }
  const set = (tag: string, { id: manifestId }: { id: string }, pushedBy = ADA(), updatedAt = new Date()) =>
    h.db.tag.upsert({
      where: { repositoryId_name: { repositoryId, name: tag } },
      create: { repositoryId, name: tag, manifestId, pushedBy, updatedAt },
      update: { manifestId, pushedBy, updatedAt },
    })
  return { repositoryId, manifest, set }
}

let deployments = 0
async function deploy(imageDigest: string, state: 'serving' | 'checking') {
  const data = { id: newId('deployment'), organizationId: acme.organizationId, appId: app.id, number: ++deployments, state, imageDigest }
  const rest = {
    kind: 'deploy',
    trigger: 'push',
    actorLabel: 'Ada',
    imageReference: 'x',
    settings: {},
    environment: new Uint8Array(1),
  } as const
  await h.db.deployment.create({ data: { ...data, ...rest } })
  if (state === 'serving') await h.db.app.update({ where: { id: app.id }, data: { servingDeploymentId: data.id } })
}

it('is told page by page: who, which build and commit, how long, where it runs now, what to compare with', async () => {
  const { repositoryId, manifest, set } = await repository('api')
  const [one, two, three] = [await manifest(), await manifest(), await manifest()]
  await set('main', one, 'system:worker', days(9))
  await set('main', two, ADA(), days(6))
  await set('main', one, ADA(), days(4))
  await h.db.manifest.delete({ where: { id: two.id } })
  await set('main', three, 'system:replication', days(1))
  const build = { organizationId: acme.organizationId, appId: app.id, state: 'succeeded', trigger: 'push', actorLabel: 'Grace' } as const
  const commit = { commitSha: 'abc1234567', commitMessage: 'Sell more', branch: 'main' }
  // The same bytes built again later are not what made the first.
  for (const [number, queuedAt] of [
    [71, days(10)],
    [72, days(5)],
  ] as const)
    await h.db.build.create({ data: { ...build, ...commit, id: newId('build'), number, queuedAt, manifestDigest: one.digest } })
  await deploy(one.digest, 'serving')

  const pages = []
  for (let cursor: string | null = null; ; ) {
    const page: Awaited<ReturnType<typeof h.services.images.history>> = await h.services.images.history(acme, {
      repository: 'api',
      tag: 'main',
      limit: 1,
      cursor,
    })
    expect(page).toMatchObject({ total: 4, mayPoint: true })
    pages.push(...page.items)
    if (page.next === null) break
    cursor = page.next
  }
  expect(pages).toMatchObject([
    {
      by: 'system:replication',
      until: null,
      version: { digest: three.digest, gone: null, previous: one.digest, runningIn: [], build: null },
    },
    { by: 'Ada', at: pages[2]?.until, version: { digest: one.digest, previous: null, build: { number: 72, by: 'Grace' } } },
    { by: 'Ada', at: pages[3]?.until, version: { digest: two.digest, mediaType: null, gone: { at: expect.any(Date), why: null } } },
    {
      by: 'system:worker',
      version: {
        digest: one.digest,
        size: 5,
        build: { app: app.slug, number: 71, by: 'Grace', trigger: 'push' },
        commit: { sha: 'abc1234567', branch: 'main' },
        runningIn: [app.slug],
        previous: null,
      },
    },
  ])
  const outside = await h.services.images.history({ ...guest, outside: true }, { repository: 'api', tag: 'main', limit: 9 })
  expect(outside.mayPoint).toBe(false)
  expect(outside.items.map(({ version }) => version && [version.build, version.commit, version.runningIn])).toEqual(
    Array.from({ length: 4 }, () => [null, null, []]),
  )

  // Its image goes, and the tag with it; the history stays.
  await h.db.app.update({ where: { id: app.id }, data: { servingDeploymentId: null } })
  await h.services.images.delete(acme, { repository: 'api', reference: three.digest })
  const after = await h.services.images.history(acme, { repository: 'api', tag: 'main', limit: 2 })
  expect(after.items).toMatchObject([
    { by: 'Ada', why: 'image', version: null },
    { until: expect.any(Date), version: { digest: three.digest, gone: { by: 'Ada', why: 'image' } } },
  ])
  await set('main', one)
  await h.services.images.delete(acme, { repository: 'api', reference: 'main' })
  const [removed] = (await h.services.images.history(acme, { repository: 'api', tag: 'main', limit: 1 })).items
  expect(removed).toMatchObject({ by: 'Ada', why: 'tag', version: null })
  expect(await h.db.tag.count({ where: { repositoryId } })).toBe(0)
})

it('tells what retention took', async () => {
  const { manifest, set } = await repository('old')
  await set('new', await manifest(days(1)), ADA(), days(1))
  const image = await manifest(days(50))
  await set('old', image, ADA(), days(50))
  const rules = { repositories: 'old', keepLast: 1, keepUsedDays: null, keepTags: [], keepDeployments: 1, untaggedDays: 3 }
  await h.services.policies.setRetention(acme, { rules, minute: 90 })
  expect(await h.services.images.untagged(acme, { repository: 'old', limit: 9 })).toMatchObject({ items: [], removedAfterDays: 3 })
  await h.services.policies.runRetention(acme)
  await runOpenRetention(h.deps, new AbortController().signal)
  const { items } = await h.services.images.history(acme, { repository: 'old', tag: 'old', limit: 9 })
  expect(items).toMatchObject([
    { by: 'system:retention', why: 'retention', version: null },
    { version: { digest: image.digest, gone: { why: 'retention', at: expect.any(Date) } } },
  ])
  await h.services.policies.setRetention(acme, { rules: null, minute: 90 })
})

it('lists what no tag names: no part of an index, nothing that is attached, with the tag that it had', async () => {
  const { repositoryId, manifest, set } = await repository('untagged')
  const part = await manifest()
  await set('all', await manifest(new Date(), { children: [part.digest] }))
  const [first, second, third] = [await manifest(days(3)), await manifest(days(2)), await manifest(days(1))]
  await manifest(new Date(), { subjectDigest: second.digest })
  const signature = await manifest()
  await h.db.tag.create({
    data: { repositoryId, name: `${first.digest.replace(':', '-')}.sig`, manifestId: signature.id, pushedBy: ADA() },
  })
  await set('main', first)
  await set('main', second)
  await set('main', third)
  await deploy(first.digest, 'serving')
  const page = (cursor: string | null) => h.services.images.untagged(acme, { repository: 'untagged', limit: 1, cursor })
  const newest = await page(null)
  expect(newest).toMatchObject({ total: 2, removedAfterDays: null })
  expect(newest.items).toMatchObject([{ digest: second.digest, lastTag: { name: 'main', until: expect.any(Date) }, runningIn: [] }])
  const rest = await page(newest.next)
  expect(rest).toMatchObject({
    next: null,
    items: [{ digest: first.digest, pushedBy: 'Ada', platform: 'linux/amd64', runningIn: [app.slug] }],
  })
  const other = await h.organization('Eve', 'rival')
  await expect(h.services.images.untagged(other, { repository: 'untagged', limit: 1 })).rejects.toMatchObject({
    code: 'REPOSITORY_NOT_FOUND',
  })
})

it('points a tag back as a push would: told, followed, kept by rules, and only to what is there', async () => {
  const { repositoryId, manifest, set } = await repository('back')
  const [one, two] = [await manifest(), await manifest()]
  for (const tag of ['main', 'v1']) {
    await set(tag, one)
    await set(tag, two)
  }
  const point = (scope: Scope, tag: string, digest = one.digest) => h.services.images.pointTag(scope, { repository: 'back', tag, digest })
  await expect(point(guest, 'main')).rejects.toMatchObject({ code: 'ROLE_TOO_LOW' })
  await expect(point(acme, 'main', newDigest())).rejects.toMatchObject({ code: 'IMAGE_NOT_FOUND' })
  await expect(point(acme, `${one.digest.replace(':', '-')}.sig`)).rejects.toMatchObject({ code: 'TAG_INVALID' })
  await h.services.policies.addRule(acme, { kind: 'immutable', tags: 'v*', repositories: 'back', builds: false })
  await expect(point(acme, 'v1')).rejects.toMatchObject({ code: 'TAG_RULE', message: expect.stringContaining('v1') })
  await h.db.event.deleteMany()
  expect(await point(acme, 'main')).toEqual({ moved: true })
  expect(await point(acme, 'main')).toEqual({ moved: false })
  const tag = await h.db.tag.findUniqueOrThrow({ where: { repositoryId_name: { repositoryId, name: 'main' } } })
  expect(tag).toMatchObject({ manifestId: one.id, pushedBy: ADA() })
  expect(await h.db.event.findMany()).toMatchObject([{ kind: 'push', repository: 'back', data: { digest: one.digest, tags: ['main'] } }])
  const audited = await h.db.auditEvent.findMany({ where: { targetId: repositoryId, action: 'image.push' } })
  expect(audited).toMatchObject([{ actorUserId: ADA(), targetLabel: 'back:main' }])
  const { items } = await h.services.images.history(acme, { repository: 'back', tag: 'main', limit: 9 })
  expect(items.map(({ by, version }) => [by, version?.digest])).toEqual([one, two, one].map(({ digest }) => ['Ada', digest]))
})

it('does not delete an image that an app is about to serve', async () => {
  const { manifest } = await repository('starting')
  const image = await manifest()
  await deploy(image.digest, 'checking')
  await expect(h.services.images.delete(acme, { repository: 'starting', reference: image.digest })).rejects.toMatchObject({
    code: 'IMAGE_IN_USE',
    message: expect.stringContaining(app.slug),
  })
})
