import { newId } from '@slipway/core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Scope } from '../scope'
import { createHarness, type Harness } from '../testing/harness'
import { imageOf, listingOf, readLayer } from './testing'

let h: Harness
let acme: Scope
let evil: Scope
/** Digests of layers that all images have, one that removes the file, and one with a newer package. */
let base: string
const IMAGES = 23
const deb = (version: string) => ({ type: 'deb', name: 'bash', version, licence: null, path: 'var/lib/dpkg/status' })
const npm = (path: string, version: string) => ({ type: 'npm', name: 'left', version, licence: null, path })

beforeAll(async () => {
  h = await createHarness()
  acme = await h.organization('Ada', 'acme')
  evil = await h.organization('Eve', 'evil')
  base = await readLayer(h.db, listingOf({ 'usr/lib/one': '1', 'var/lib/dpkg/status': 'old' }, [deb('1')]))
  const gone = await readLayer(h.db, listingOf({ '-usr/lib': null }))
  const newer = await readLayer(h.db, listingOf({ 'var/lib/dpkg/status': 'new' }, [deb('2')]))
  for (let n = 0; n < IMAGES; n++) {
    const own = await readLayer(h.db, listingOf({ [`srv/${n}`]: `${n}` }))
    const layers = [base, own, ...(n % 5 === 1 ? [gone] : n % 5 === 2 ? [newer] : [])]
    await imageOf(h.db, acme.organizationId, `team/app-${n % 4}`, layers, { tag: `v${n}` })
  }
  await imageOf(h.db, evil.organizationId, 'theirs', [base, newer])
})
afterAll(() => h.close())

async function all(scope: Scope, kind: 'layer' | 'package' | 'file', query: string, limit: number, version?: string) {
  const items = []
  let cursor: string | null = null
  do {
    const page = await h.services.files.whereUsed(scope, { kind, query, limit, cursor, ...(version && { version }) })
    expect(page.items.length).toBeLessThanOrEqual(limit)
    items.push(...page.items)
    cursor = page.next
    if (cursor === null) expect(page.total).toBe(items.length)
  } while (cursor !== null)
  return items
}

it('gives page after page what is used, each once: what is seen first, the newest first of each', async () => {
  for (const [kind, query] of [
    ['layer', base],
    ['file', '/usr/lib/one'],
    ['file', 'one'],
    ['package', 'bash'],
  ] as const) {
    const whole = await all(acme, kind, query, 200)
    expect(whole).toHaveLength(IMAGES)
    expect(new Set(whole.map((one) => one.digest)).size).toBe(IMAGES)
    for (const limit of [1, 4, IMAGES]) expect(await all(acme, kind, query, limit)).toEqual(whole)
    for (const hidden of [false, true]) {
      const times = whole.filter((one) => one.hidden === hidden).map((one) => one.pushedAt.getTime())
      expect(times).toEqual([...times].sort((a, b) => b - a))
    }
  }
  const file = await all(acme, 'file', '/usr/lib/one', 4)
  expect(file.map((one) => one.hidden)).toEqual([...Array(18).fill(false), ...Array(5).fill(true)])
  // What is not known by its path is not known to be hidden.
  expect((await all(acme, 'file', 'one', 50)).some((one) => one.hidden)).toBe(false)
})

it('counts the versions that are seen, and hides what a newer one replaced', async () => {
  const found = await h.services.files.whereUsed(acme, { kind: 'package', query: 'bash', limit: 3 })
  expect(found).toMatchObject({
    total: IMAGES,
    suggestions: [
      { name: 'bash', version: '1', images: 18 },
      { name: 'bash', version: '2', images: 5 },
    ],
  })
  const old = await all(acme, 'package', 'bash', 7, '1')
  expect([old.length, old.filter((one) => one.hidden).length]).toEqual([IMAGES, 5])
})

it('gives a package once for each place and version', async () => {
  const places = { 'a/left/package.json': 'a', 'b/left/package.json': 'b' }
  const layer = await readLayer(h.db, listingOf(places, [npm('a/left/package.json', '1'), npm('b/left/package.json', '3')]))
  const over = await readLayer(h.db, listingOf({ 'b/left/package.json': 'b2' }, [npm('b/left/package.json', '4')]))
  await imageOf(h.db, acme.organizationId, 'node', [layer, over])
  const found = await all(acme, 'package', 'left', 1)
  expect(found.map((one) => [one.path, one.version, one.layer.position, one.hidden])).toEqual([
    ['/a/left/package.json', '1', 0, false],
    ['/b/left/package.json', '4', 1, false],
  ])
})

it('puts first what runs, by its own digest or by that of an index, and tells where', async () => {
  const { app } = await h.gitApp(acme, 'runner')
  const { id: appId } = await h.db.app.findFirstOrThrow({ where: { slug: app } })
  const oldest = (await all(acme, 'layer', base, 200)).at(-1)
  const middle = (await all(acme, 'layer', base, 200)).at(9)
  if (!oldest || !middle) throw new Error('no images')
  const index = await imageOf(h.db, acme.organizationId, 'index', [])
  const { id: manifestId } = await h.db.manifest.findFirstOrThrow({ where: { digest: index.digest } })
  await h.db.manifestChild.create({ data: { manifestId, position: 0, digest: oldest.digest, os: 'linux', architecture: 'amd64' } })
  const serve = async (imageDigest: string, number: number) => {
    const deployment = await h.db.deployment.create({
      data: {
        id: newId('deployment'),
        organizationId: acme.organizationId,
        appId,
        number,
        kind: 'deploy',
        state: 'serving',
        trigger: 'manual',
        actorLabel: 'Ada',
        imageReference: imageDigest,
        imageDigest,
        settings: {},
        environment: new Uint8Array(1),
      },
    })
    await h.db.app.update({ where: { id: appId }, data: { servingDeploymentId: deployment.id } })
  }
  for (const [digest, expected, number] of [
    [index.digest, oldest.digest, 91],
    [middle.digest, middle.digest, 92],
  ] as const) {
    await serve(digest, number)
    const found = await h.services.files.whereUsed(acme, { kind: 'layer', query: base, limit: 2 })
    expect(found).toMatchObject({ running: 1, items: [{ digest: expected, runsIn: [{ app, deployment: number }] }, { runsIn: [] }] })
    expect((await all(acme, 'layer', base, 1))[0]?.digest).toBe(expected)
  }
  // Another organization has the layer, and is told nothing of it.
  const theirs = await h.services.files.whereUsed(evil, { kind: 'layer', query: base, limit: 50 })
  expect(theirs).toMatchObject({ total: 1, running: 0, items: [{ repository: 'theirs', runsIn: [] }] })
})

it('shows nobody what another organization has, whatever place of a list they say they come from', async () => {
  const first = await h.services.files.whereUsed(acme, { kind: 'layer', query: base, limit: 5 })
  for (const cursor of [first.next, '0:0:x:0', '2:999999999999999:zzz:9', '1:1', "1:1:';:1", '']) {
    const theirs = await h.services.files.whereUsed(evil, { kind: 'layer', query: base, limit: 50, cursor })
    expect(theirs.total).toBe(1)
    expect(theirs.items.every((one) => one.repository === 'theirs')).toBe(true)
  }
  expect((await h.services.files.whereUsed(evil, { kind: 'package', query: 'left', limit: 50 })).total).toBe(0)
  const versions = (await h.services.files.whereUsed(evil, { kind: 'package', query: 'bash', limit: 50 })).suggestions
  expect(versions).toEqual([{ name: 'bash', version: '2', images: 1 }])
})
