import { randomBytes } from 'node:crypto'
import { BUILD_CACHE_ARTIFACT } from '@slipway/core'
import { putCachedManifest } from '@slipway/db'
import { OCI_MANIFEST } from '@slipway/oci'
import { digestBytes } from '@slipway/oci/node'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Collector } from './gc'
import { type Fixture, startFixture } from './testing/fixture'

let fixture: Fixture
beforeAll(async () => {
  fixture = await startFixture()
})
afterAll(() => fixture.close())

/** The oldest first: digest or the reason of the removal, and who. */
const history = async (repository: string, name: string) => {
  const rows = await fixture.db.tagMove.findMany({ where: { name, repository: { name: repository } }, orderBy: { id: 'asc' } })
  return rows.map((row) => `${row.digest ?? `removed: ${row.why}`} by ${row.by}`)
}
const all = (name: string) => [{ type: 'repository' as const, name, actions: ['pull' as const, 'push' as const, 'delete' as const] }]
async function put(name: string, reference: string, body: string, sub: string) {
  const token = await fixture.sign(all(name), sub)
  const answer = await fixture.call('PUT', `/v2/${name}/manifests/${reference}`, {
    token,
    headers: { 'content-type': OCI_MANIFEST },
    body,
  })
  expect(answer.status).toBe(201)
}
async function remove(name: string, reference: string, sub: string) {
  const token = await fixture.sign(all(name), sub)
  expect((await fixture.call('DELETE', `/v2/${name}/manifests/${reference}`, { token })).status).toBe(202)
}

it('tells what a tag named, whoever set, moved or removed it: a build, a person, a replication', async () => {
  const { ada, dan } = fixture.people
  const first = await fixture.push('acme/api', 'main', ['one'])
  await fixture.push('acme/api', 'main', ['one'])
  const second = await fixture.push('acme/api', 'other', ['two'])
  await put('acme/api', 'main', second.manifest, ada.id)
  // Pushed again by somebody else: it names what it named.
  await put('acme/api', 'main', second.manifest, dan.id)
  await put('acme/api', 'main', first.manifest, 'system:replication')
  await remove('acme/api', 'main', dan.id)
  await put('acme/api', 'main', second.manifest, ada.id)
  await remove('acme/api', second.digest, ada.id)
  const told = [
    `${first.digest} by system:test`,
    `${second.digest} by ${ada.id}`,
    `${first.digest} by system:replication`,
    `removed: tag by ${dan.id}`,
    `${second.digest} by ${ada.id}`,
    `removed: image by ${ada.id}`,
  ]
  expect(await history('api', 'main')).toEqual(told)
  expect(await history('api', 'other')).toEqual([`${second.digest} by system:test`, `removed: image by ${ada.id}`])
})

it('tells of a version what became of it, until it is there again', async () => {
  const { ada } = fixture.people
  const image = await fixture.push('acme/gone', 'main', ['gone'])
  await remove('acme/gone', 'main', ada.id)
  const gone = () => fixture.db.tagMove.findFirstOrThrow({ where: { digest: image.digest, name: 'main', repository: { name: 'gone' } } })
  expect(await gone()).toMatchObject({ goneAt: null })
  await remove('acme/gone', image.digest, ada.id)
  expect(await gone()).toMatchObject({ goneAt: expect.any(Date), goneBy: ada.id, goneWhy: 'image' })
  // What a transaction says holds for that one alone.
  const other = await fixture.push('acme/gone', 'other', ['other'])
  await fixture.db.manifest.deleteMany({ where: { digest: other.digest } })
  expect(await history('gone', 'other')).toEqual([`${other.digest} by system:test`, 'removed: null by null'])
})

it('sets several tags at once, and none of a push that is refused', async () => {
  const image = await fixture.push('acme/many', 'a', ['many'])
  await put('acme/many', `${image.digest}?tag=b&tag=c&tag=a`, image.manifest, 'system:worker')
  for (const name of ['a', 'b', 'c']) expect(await history('many', name)).toHaveLength(1)
  const missing = JSON.stringify({
    ...JSON.parse(image.manifest),
    layers: [{ ...JSON.parse(image.manifest).layers[0], digest: `sha256:${'0'.repeat(64)}` }],
  })
  const answer = await fixture.call('PUT', '/v2/acme/many/manifests/a', { headers: { 'content-type': OCI_MANIFEST }, body: missing })
  expect(answer.status).toBe(404)
  expect(await history('many', 'a')).toHaveLength(1)
})

it('tells nothing of what is attached by a tag, nor of the caches of builds', async () => {
  const image = await fixture.push('acme/attached', 'main', ['attached'])
  const signature = await fixture.push('acme/attached', `${image.digest.replace(':', '-')}.sig`, ['signature'])
  const cache = (n: number) =>
    JSON.stringify({
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      artifactType: BUILD_CACHE_ARTIFACT,
      config: { mediaType: 'application/vnd.oci.empty.v1+json', digest: digestBytes('{}'), size: 2 },
      layers: [],
      annotations: { n: `${n}` },
    })
  await fixture.pushBlob('acme/attached', '{}')
  for (const n of [1, 2]) await put('acme/attached', 'cache', cache(n), 'system:worker')
  await remove('acme/attached', 'cache', fixture.people.ada.id)
  await remove('acme/attached', image.digest, fixture.people.ada.id)
  expect(await fixture.db.manifest.count({ where: { digest: signature.digest, repository: { name: 'attached' } } })).toBe(0)
  const names = await fixture.db.tagMove.findMany({ where: { repository: { name: 'attached' } }, distinct: ['name'] })
  expect(names.map((row) => row.name)).toEqual(['main'])
})

it('keeps the last 200 of a tag, and nothing of a repository that is gone', async () => {
  const [a, b] = [await fixture.push('acme/long', 'a', ['a']), await fixture.push('acme/long', 'b', ['b'])]
  const { id: repositoryId } = await fixture.db.repository.findFirstOrThrow({ where: { name: 'long' } })
  await fixture.push('acme/long', 'main', ['first'])
  const rows = await fixture.db.manifest.findMany({ where: { repositoryId, digest: { in: [a.digest, b.digest] } } })
  for (let n = 0; n < 205; n++)
    await fixture.db.tag.update({
      where: { repositoryId_name: { repositoryId, name: 'main' } },
      data: { manifestId: rows[n % 2]?.id ?? '' },
    })
  const kept = await history('long', 'main')
  expect(kept).toHaveLength(200)
  expect(kept.at(-1)).toContain(rows[0]?.digest)
  expect(await history('long', 'a')).toHaveLength(1)
  await remove('acme/long', 'main', fixture.people.ada.id)
  const after = await history('long', 'main')
  expect(after).toHaveLength(200)
  expect(after.at(-1)).toContain('removed: tag')
  await fixture.db.repository.delete({ where: { id: repositoryId } })
  expect(await fixture.db.tagMove.count({ where: { repositoryId } })).toBe(0)
})

it('tells of the copies of an upstream', async () => {
  await fixture.push('acme/copied', 'seed', ['seed'])
  const { id: repositoryId, organizationId } = await fixture.db.repository.findFirstOrThrow({ where: { name: 'copied' } })
  const digests = [0, 1].map(() => `sha256:${randomBytes(32).toString('hex')}`)
  for (const digest of digests)
    await putCachedManifest(fixture.db, {
      repositoryId,
      organizationId,
      digest,
      mediaType: OCI_MANIFEST,
      content: Buffer.from('{}'),
      pushedBy: 'system:upstream',
      layers: [],
      children: [],
      needsBlobs: [],
      tags: ['latest'],
    })
  expect(await history('copied', 'latest')).toEqual(digests.map((digest) => `${digest} by system:upstream`))
})

it('forgets a tag that has been gone for a year, and no other', async () => {
  const { ada } = fixture.people
  const { manifest } = await fixture.push('acme/yearly', 'kept', ['one'])
  const tags = ['gone-1', 'gone-2', 'gone-3', 'lately', 'again']
  for (const tag of tags) {
    await put('acme/yearly', tag, manifest, ada.id)
    await remove('acme/yearly', tag, ada.id)
  }
  const longAgo = new Date(Date.now() - 366 * 86_400_000)
  await fixture.db.tagMove.updateMany({ where: { name: { in: tags.filter((tag) => tag !== 'lately') } }, data: { at: longAgo } })
  await put('acme/yearly', 'again', manifest, ada.id)
  const collector = new Collector({
    db: fixture.db,
    store: fixture.store,
    log: pino({ level: 'silent' }),
    busyUploads: new Set(),
    batch: 2,
    pauseMs: 1,
  })
  await collector.collect()
  const left = await fixture.db.tagMove.groupBy({
    by: ['name'],
    where: { repository: { name: 'yearly' } },
    _count: true,
    orderBy: { name: 'asc' },
  })
  expect(left.map(({ name, _count }) => [name, _count])).toEqual([
    ['again', 3],
    ['kept', 1],
    ['lately', 2],
  ])
})
