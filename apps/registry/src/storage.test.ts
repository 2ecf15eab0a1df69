/** Where every byte is: the parts add up to what lies on the disk, and what the page says will go is what the collector takes. */
import { randomBytes } from 'node:crypto'
import { BLOB_USES, installationStorage, openUploads, organizationStorage, organizationUsage, storeState } from '@slipway/db'
import { digestBytes } from '@slipway/oci/node'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Collector } from './gc'
import { FilesystemStore } from './store/filesystem'
import { type Fixture, startFixture } from './testing/fixture'

const HOUR = 3_600_000
let f: Fixture
let store: FilesystemStore
let acme: string
beforeAll(async () => {
  f = await startFixture()
  store = new FilesystemStore(f.root)
  acme = (await f.db.organization.findUniqueOrThrow({ where: { slug: 'acme' } })).id
})
afterAll(() => f.close())

const sum = (numbers: number[]) => numbers.reduce((total, n) => total + n, 0)
const collector = () => new Collector({ db: f.db, store, log: pino({ level: 'silent' }), busyUploads: new Set() })
async function onDisk() {
  const found = new Map<string, number>()
  for await (const { digest, size } of store.blobs()) found.set(digest, size)
  return found
}
const cache = async (repository: string, layers: string[]) => {
  const blobs = ['{"cache":1}', ...layers]
  for (const content of blobs) await f.call('POST', `/v2/${repository}/blobs/uploads/?digest=${digestBytes(content)}`, { body: content })
  const describe = (content: string) => ({ mediaType: 'application/octet-stream', digest: digestBytes(content), size: content.length })
  const mediaType = 'application/vnd.oci.image.manifest.v1+json'
  const artifactType = 'application/vnd.slipway.build-cache.v1'
  const body = JSON.stringify({ schemaVersion: 2, mediaType, artifactType, config: describe('{"cache":1}'), layers: layers.map(describe) })
  const answer = await f.call('PUT', `/v2/${repository}/manifests/slipway-build-cache`, { headers: { 'content-type': mediaType }, body })
  expect(answer.status).toBe(201)
}

it('adds up to the bytes on disk, by use, by repository and by organization', async () => {
  const text = (bytes: number) => randomBytes(bytes).toString('hex')
  const [base, own, theirs, step] = [text(5000), text(3000), text(2000), text(700)]
  await f.push('acme/api', 'v1', [base, own])
  await f.push('acme/api', 'v2', [base, own, text(100)])
  await f.push('acme/web', 'v1', [base])
  await f.push('rival/copy', 'v1', [base, theirs])
  await cache('acme/api', [base, step])
  const gone = await f.push('acme/old', 'v1', [text(900)])
  await f.call('DELETE', `/v2/acme/old/manifests/${gone.digest}`)
  const location = (await f.call('POST', '/v2/acme/api/blobs/uploads/')).headers.get('location') ?? ''
  await f.call('PATCH', location, { body: 'half of it' })

  const disk = await onDisk()
  const mine = await organizationStorage(f.db, acme)
  const bytes = sum(BLOB_USES.map((use) => mine.uses[use].bytes))
  const links = await f.db.repositoryBlob.findMany({ where: { repository: { organizationId: acme } }, select: { digest: true } })
  expect(bytes).toBe(sum([...new Set(links.map((link) => link.digest))].map((digest) => disk.get(digest) ?? Number.NaN)))
  expect(sum(BLOB_USES.map((use) => mine.uses[use].blobs))).toBe(new Set(links.map((link) => link.digest)).size)
  expect(mine.uses.shared.bytes).toBe(base.length)
  expect(mine.uses.cache.bytes).toBe(step.length + '{"cache":1}'.length)
  expect(mine.uses.unused).toEqual({ blobs: 2, bytes: sum([gone.config, ...gone.layers].map((digest) => disk.get(digest) ?? 0)) })
  const manifests = await f.db.manifest.findMany({ select: { organizationId: true, content: true } })
  const sizes = (of: string) => sum(manifests.filter((one) => one.organizationId === of).map(({ content }) => content.byteLength))
  expect(mine.manifests).toEqual({ count: 4, bytes: sizes(acme) })
  // What is only in one, and what is shared, once; and what the organization's limit counts.
  expect(sum(mine.repositories.map((r) => r.only)) + base.length).toBe(bytes + mine.manifests.bytes)
  expect((await organizationUsage(f.db, acme)).bytes).toBe(bytes + mine.manifests.bytes)
  expect(mine.repositories.map((r) => r.name)).toEqual(['api', 'web', 'old'].sort((a, b) => (of(b) ?? 0) - (of(a) ?? 0)))
  function of(name: string) {
    return mine.repositories.find((r) => r.name === name)?.bytes
  }
  expect(mine.sharedLayers).toMatchObject([{ digest: digestBytes(base), repositories: 2, images: 4 }])
  expect(await openUploads(f.db, acme, 10)).toMatchObject({ count: 1, bytes: 10, uploads: [{ repository: 'api', bytes: 10 }] })

  const all = await installationStorage(f.db)
  expect(all.total).toEqual({ blobs: disk.size, bytes: sum([...disk.values()]) })
  expect(all.shared.bytes).toBe(base.length)
  expect(all.manifests).toEqual({ count: 5, bytes: sum(manifests.map(({ content }) => content.byteLength)) })
  expect(sum(all.organizations.map((o) => o.only)) + base.length + all.unlinked.bytes).toBe(all.total.bytes + all.manifests.bytes)
  expect(all.organizations.map((o) => o.slug)).toEqual(['acme', 'rival'])
  await collector().collect()
  expect(await storeState(f.db)).toMatchObject({ blobs: disk.size, blobBytes: BigInt(all.total.bytes), strays: 0, uploadBytes: 10n })
})

it('says before what the collector takes, with when; and takes exactly that', async () => {
  const before = await onDisk()
  const said = await organizationStorage(f.db, acme)
  expect(said.collectable.map((c) => c.digest).sort()).toHaveLength(2)
  for (const { seenAt, repository } of said.collectable) {
    expect(repository).toBe('old')
    expect(Math.abs(Date.now() - seenAt.getTime())).toBeLessThan(HOUR)
  }
  await collector().collect(Date.now() + 1.1 * HOUR)
  const after = await onDisk()
  expect([...before.keys()].filter((digest) => !after.has(digest)).sort()).toEqual(said.collectable.map((c) => c.digest).sort())
  expect((await organizationStorage(f.db, acme)).uses.unused).toEqual({ blobs: 0, bytes: 0 })
})
