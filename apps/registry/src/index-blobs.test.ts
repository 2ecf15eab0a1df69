/** Indexes that name blobs themselves, as BuildKit's `--cache-to type=registry,mode=max` pushes them: layers and one configuration, no manifest. */
import { readFile } from 'node:fs/promises'
import { DOCKER_LIST, OCI_INDEX, OCI_LAYER_GZIP, OCI_MANIFEST } from '@slipway/oci'
import { digestBytes } from '@slipway/oci/node'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Collector } from './gc'
import { FilesystemStore } from './store/filesystem'
import { storeAgrees } from './testing/agrees'
import { type Fixture, startFixture } from './testing/fixture'
import { verifyStore } from './testing/verify'

const HOUR = 3_600_000
const CACHE_CONFIG = 'application/vnd.buildkit.cacheconfig.v0'
let f: Fixture
let store: FilesystemStore
beforeAll(async () => {
  f = await startFixture()
  store = new FilesystemStore(f.root)
})
afterAll(() => f.close())

const describe = (mediaType: string, content: string) => ({ mediaType, digest: digestBytes(content), size: Buffer.byteLength(content) })
const indexOf = (type: string, ...manifests: object[]) => JSON.stringify({ schemaVersion: 2, mediaType: type, manifests })
const cacheOf = (layers: string[], config: string, type: string = OCI_INDEX) =>
  indexOf(type, ...layers.map((layer) => describe(OCI_LAYER_GZIP, layer)), describe(CACHE_CONFIG, config))
const put = (name: string, tag: string, body: string, type: string = OCI_INDEX) =>
  f.call('PUT', `/v2/${name}/manifests/${tag}`, { headers: { 'content-type': type }, body })
const collect = () =>
  new Collector({ db: f.db, store, log: pino({ level: 'silent' }), busyUploads: new Set() }).collect(Date.now() + 1.1 * HOUR)

it.each([
  ['an OCI index', OCI_INDEX],
  ['a manifest list of Docker', DOCKER_LIST],
])('keeps the blobs that %s names as long as it is there', async (_what, type) => {
  const layers = [`step one of ${type}`, `step two of ${type}`]
  const config = `{"layers":2,"of":"${type}"}`
  const body = cacheOf(layers, config, type)
  const refused = await put('acme/base', 'any', body, type)
  expect(refused.status).toBe(404)
  await f.push('acme/cache', 'v1')
  const missing = await put('acme/cache', 'buildcache', body, type)
  expect(missing.status).toBe(404)
  const { errors } = await missing.json()
  expect(errors[0]).toMatchObject({ code: 'MANIFEST_BLOB_UNKNOWN' })
  expect(errors[0].detail).toHaveLength(3)

  for (const content of [...layers, config]) await f.pushBlob('acme/cache', content)
  expect((await put('acme/cache', 'buildcache', body, type)).status).toBe(201)
  const row = await f.db.manifest.findFirstOrThrow({ where: { digest: digestBytes(body) } })
  expect(Number(row.totalSize)).toBe([body, ...layers, config].reduce((sum, content) => sum + Buffer.byteLength(content), 0))

  expect(await collect()).toMatchObject({ links: 0, blobs: 0 })
  for (const content of [...layers, config]) {
    const digest = digestBytes(content)
    expect((await f.call('GET', `/v2/acme/cache/blobs/${digest}`)).status).toBe(200)
    expect((await f.call('DELETE', `/v2/acme/cache/blobs/${digest}`)).status).toBe(405)
  }
  await storeAgrees(f, store, 'an index of blobs')

  // The next build's cache takes the tag; the old one goes with what only it named.
  const next = cacheOf([layers[0] ?? '', 'step three'], config, type)
  await f.pushBlob('acme/cache', 'step three')
  expect((await put('acme/cache', 'buildcache', next, type)).status).toBe(201)
  expect((await f.call('DELETE', `/v2/acme/cache/manifests/${digestBytes(body)}`)).status).toBe(202)
  expect(await collect()).toMatchObject({ links: 1, blobs: 1 })
  expect(await store.size(digestBytes(layers[1] ?? ''))).toBeUndefined()
  expect(await store.size(digestBytes(layers[0] ?? ''))).toBeDefined()
})

it('refuses a wrong size, and takes images that are to come beside blobs that are there', async () => {
  const image = await f.push('acme/mixed', 'v1')
  await f.pushBlob('acme/mixed', 'a blob')
  const wrong = indexOf(OCI_INDEX, { ...describe(OCI_LAYER_GZIP, 'a blob'), size: 3 })
  expect((await put('acme/mixed', 'wrong', wrong)).status).toBe(400)
  const there = { mediaType: OCI_MANIFEST, digest: image.digest, size: image.manifest.length }
  const later = describe(OCI_MANIFEST, 'not yet here')
  // Kinds of manifests that are not known here are manifests all the same.
  const old = describe('application/vnd.docker.distribution.manifest.v1+prettyjws', 'of 2015')
  const body = indexOf(OCI_INDEX, there, describe(OCI_LAYER_GZIP, 'a blob'), later, old)
  expect((await put('acme/mixed', 'all', body)).status).toBe(201)
  const inner = await f.db.manifest.findFirstOrThrow({ where: { digest: image.digest } })
  const total = async () => (await f.db.manifest.findFirstOrThrow({ where: { digest: digestBytes(body) } })).totalSize
  expect(await total()).toBe(BigInt(Buffer.byteLength(body) + Buffer.byteLength('a blob')) + inner.totalSize)
  // A sum that is made anew, when an image comes or goes, is the same.
  await f.call('DELETE', `/v2/acme/mixed/manifests/${image.digest}`)
  await f.push('acme/mixed', 'v1')
  expect(await total()).toBe(BigInt(Buffer.byteLength(body) + Buffer.byteLength('a blob')) + inner.totalSize)
})

it('is verified: a link that is missing is told and comes back, rows are those of its bytes', async () => {
  const layers = ['verified step', 'verified other step']
  for (const content of [...layers, '{}']) await f.pushBlob('acme/verified', content)
  const body = cacheOf(layers, '{}')
  expect((await put('acme/verified', 'cache', body)).status).toBe(201)
  expect(await verifyStore(f, store)).toEqual([])
  const row = await f.db.manifest.findFirstOrThrow({ where: { digest: digestBytes(body) } })
  await f.db.repositoryBlob.deleteMany({ where: { repositoryId: row.repositoryId, digest: digestBytes('verified step') } })
  // As indexes were kept before blobs were told from images.
  await f.db.manifestLayer.deleteMany({ where: { manifestId: row.id } })
  await f.db.manifestChild.create({ data: { manifestId: row.id, position: 0, digest: digestBytes('verified step') } })
  await f.db.manifest.update({ where: { id: row.id }, data: { totalSize: row.size } })
  const kinds = (problems: { kind: string; repaired: boolean }[]) => problems.map(({ kind, repaired }) => `${kind} ${repaired}`)
  expect(kinds(await verifyStore(f, store))).toEqual(['link-missing false', 'manifest-rows false'])
  expect(kinds(await verifyStore(f, store, true))).toEqual(['link-missing true', 'manifest-rows true'])
  expect(await verifyStore(f, store)).toEqual([])
  expect((await f.db.manifest.findFirstOrThrow({ where: { id: row.id } })).totalSize).toBe(row.totalSize)
  expect((await f.call('GET', `/v2/acme/verified/blobs/${digestBytes('verified step')}`)).status).toBe(200)
})

it('makes layers of what older versions kept as images', async () => {
  const image = await f.push('acme/older', 'v1')
  for (const content of ['older step', '{"older":1}']) await f.pushBlob('acme/older', content)
  const there = { mediaType: OCI_MANIFEST, digest: image.digest, size: image.manifest.length }
  const body = indexOf(OCI_INDEX, there, describe(OCI_LAYER_GZIP, 'older step'), describe(CACHE_CONFIG, '{"older":1}'))
  expect((await put('acme/older', 'cache', body)).status).toBe(201)
  const where = { digest: digestBytes(body) }
  const include = { layers: true, children: true }
  const now = await f.db.manifest.findFirstOrThrow({ where, include })
  await f.db.manifestLayer.deleteMany({ where: { manifestId: now.id } })
  await f.db.manifestChild.createMany({
    data: now.layers.map(({ position, digest }) => ({ manifestId: now.id, position: position + 1, digest })),
  })
  const blobs = now.layers.reduce((sum, layer) => sum + layer.size, 0n)
  await f.db.manifest.update({ where: { id: now.id }, data: { totalSize: now.totalSize - blobs } })
  const migration = new URL('../../../prisma/migrations/20261201010100_index_blobs/migration.sql', import.meta.url)
  await f.db.$executeRawUnsafe(await readFile(migration, 'utf8'))
  const { totalSize, children, layers } = await f.db.manifest.findFirstOrThrow({ where, include })
  expect(totalSize).toBe(now.totalSize)
  expect(children).toEqual(now.children)
  expect(layers.map(({ position: _position, ...layer }) => layer)).toEqual(now.layers.map(({ position: _position, ...layer }) => layer))
  expect(await verifyStore(f, store)).toEqual([])
})
