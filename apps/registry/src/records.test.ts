/** What the store keeps of manifests and tags: it says what the database says, and brings back what the database has lost. */
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { Db } from '@slipway/db'
import { OCI_INDEX, OCI_MANIFEST } from '@slipway/oci'
import { digestBytes } from '@slipway/oci/node'
import { createTestDatabase } from '@slipway/testing'
import { pino } from 'pino'
import { afterEach, expect, it } from 'vitest'
import { Collector } from './gc'
import { RecordKeeper } from './records/keeper'
import { parseRecordKey } from './records/keys'
import { FilesystemStore } from './store/filesystem'
import type { BlobStore } from './store/store'
import { storeAgrees } from './testing/agrees'
import { type Fixture, seedAccounts, startFixture } from './testing/fixture'
import { lose, recordsAgree } from './testing/records'
import { addUpstream, PlainUpstream } from './testing/upstream'
import { verifyStore } from './testing/verify'

const HOUR = 3_600_000
const log = pino({ level: 'silent' })
const open: { close(): Promise<unknown> }[] = []
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close()
})

async function start(options: Parameters<typeof startFixture>[0] = {}): Promise<Fixture> {
  const f = await startFixture(options)
  open.push(f)
  return f
}
const keep = (f: { db: Db }, store: BlobStore) => new RecordKeeper({ db: f.db, store, log }).keep()
const collect = (f: { db: Db }, store: BlobStore) =>
  new Collector({ db: f.db, store, log, busyUploads: new Set(), graceMs: 0 }).collect(Date.now() + 48 * HOUR)
const found = async (f: { db: Db }, store: BlobStore, repair = false) =>
  (await verifyStore(f, store, repair)).map(({ kind, subject, repaired }) => `${repaired ? '+' : '-'} ${kind} ${subject}`).sort()

async function pushIndex(f: Fixture, name: string, tag: string, images: { digest: string; manifest: string }[]): Promise<string> {
  const manifests = images.map(({ digest, manifest }) => ({ mediaType: OCI_MANIFEST, digest, size: manifest.length }))
  const body = JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests })
  const answer = await f.call('PUT', `/v2/${name}/manifests/${tag}`, { headers: { 'content-type': OCI_INDEX }, body })
  expect(answer.status).toBe(201)
  return digestBytes(body)
}

/** Everything of them that people see; ids and counts of pulls are other ones afterwards. */
const images = (db: Db) =>
  db.manifest.findMany({
    orderBy: [{ repository: { name: 'asc' } }, { digest: 'asc' }],
    omit: { id: true, repositoryId: true, organizationId: true },
    include: {
      repository: { select: { name: true, organization: { select: { slug: true } } } },
      layers: { omit: { manifestId: true }, orderBy: { position: 'asc' } },
      children: { omit: { manifestId: true }, orderBy: { position: 'asc' } },
      tags: { select: { name: true, pushedBy: true, createdAt: true, updatedAt: true }, orderBy: { name: 'asc' } },
    },
  })

it('says what the database says, after each push, move, deletion and renaming', async () => {
  const f = await start()
  const one = await f.push('acme/web', '1.0', ['one'])
  const two = await f.push('acme/web', 'latest', ['two'])
  await pushIndex(f, 'acme/web', 'all', [one, two])
  await keep(f, f.store)
  await recordsAgree(f.db, f.store)
  const { id } = await f.db.repository.findFirstOrThrow({ where: { name: 'web' } })
  const tag = async (name: string) => JSON.parse(await readFile(path.join(f.root, 'repositories', id, 'tags', name), 'utf8'))
  expect(await tag('latest')).toMatchObject({ digest: two.digest, pushedBy: 'system:test' })

  await f.call('PUT', '/v2/acme/web/manifests/latest', { headers: { 'content-type': OCI_MANIFEST }, body: one.manifest })
  await f.call('DELETE', '/v2/acme/web/manifests/1.0')
  await f.call('DELETE', `/v2/acme/web/manifests/${two.digest}`)
  await f.db.repository.update({ where: { id }, data: { name: 'site' } })
  await f.db.organization.update({ where: { slug: 'acme' }, data: { slug: 'acme-inc' } })
  await keep(f, f.store)
  await recordsAgree(f.db, f.store)
  expect(await tag('latest')).toMatchObject({ digest: one.digest })
  expect(JSON.parse(await readFile(path.join(f.root, 'repositories', id, 'repository'), 'utf8'))).toEqual({
    organization: 'acme-inc',
    name: 'site',
  })
  expect(await found(f, f.store)).toEqual([])

  await f.db.repository.deleteMany()
  await keep(f, f.store)
  expect(await readdir(path.join(f.root, 'repositories'))).toEqual([])
})

it('brings back manifests, tags and the rows of their blobs, and nothing that was deleted', async () => {
  const f = await start()
  const one = await f.push('acme/web', '1.0', ['one', 'base'])
  const two = await f.push('acme/web', '2.0', ['two', 'base'])
  const index = await pushIndex(f, 'acme/web', 'all', [one, two])
  const deleted = await f.push('acme/web', 'deleted', ['deleted'])
  await keep(f, f.store)
  await f.call('DELETE', `/v2/acme/web/manifests/${deleted.digest}`)
  const before = await images(f.db)
  await lose(f.db, 'DELETE FROM "Manifest"', 'DELETE FROM "RepositoryBlob"', 'DELETE FROM "Blob"')
  const subjects = [one.digest, two.digest, index].map((digest) => `manifest-lost acme/web@${digest}`)
  const tags = ['1.0', '2.0', 'all'].map((tag) => `tag-lost acme/web:${tag}`)
  const lost = [...subjects, ...tags].sort()
  expect((await found(f, f.store)).filter((line) => !line.includes('copy-missing'))).toEqual(lost.map((line) => `- ${line}`))
  expect(await f.db.manifest.count()).toBe(0)

  expect(await found(f, f.store, true)).toEqual(lost.map((line) => `+ ${line}`))
  expect(await images(f.db)).toEqual(before)
  await storeAgrees(f, f.store, 'restored')
  for (const layer of one.layers) expect((await f.call('GET', `/v2/acme/web/blobs/${layer}`)).status).toBe(200)
  expect((await f.call('GET', `/v2/acme/web/manifests/${deleted.digest}`)).status).toBe(404)
  await keep(f, f.store)
  await recordsAgree(f.db, f.store)
  expect(await found(f, f.store, true)).toEqual([])
  const told = await f.db.auditEvent.findFirst({ where: { action: 'repository.restore' } })
  expect(told).toMatchObject({ actorLabel: 'Registry', targetLabel: 'acme/web', data: { manifests: 3, tags: 3 } })
})

it('tells a tag that was set later in the store than in a database that was put back, and leaves one that was set since', async () => {
  const f = await start()
  const old = await f.push('acme/web', 'latest', ['old'])
  await f.push('acme/web', 'stable', ['old'])
  const backup = await f.db.tag.findMany()
  const fresh = await f.push('acme/web', 'latest', ['fresh'])
  await f.push('acme/web', 'stable', ['fresh'])
  await keep(f, f.store)
  const back = backup.map(
    ({ name, manifestId, updatedAt }) =>
      `UPDATE "Tag" SET "manifestId" = '${manifestId}', "updatedAt" = '${updatedAt.toISOString()}' WHERE "name" = '${name}'`,
  )
  await lose(f.db, ...back)
  // Somebody pushed before the repair: theirs is the newest word.
  const since = await f.push('acme/web', 'stable', ['since'])
  expect(await found(f, f.store)).toEqual(['- tag-lost acme/web:latest'])
  expect(await found(f, f.store, true)).toEqual(['+ tag-lost acme/web:latest'])
  const named = async (tag: string) => (await f.call('HEAD', `/v2/acme/web/manifests/${tag}`)).headers.get('docker-content-digest')
  expect(await named('latest')).toBe(fresh.digest)
  expect(await named('stable')).toBe(since.digest)
  expect(old.digest).not.toBe(fresh.digest)
  await keep(f, f.store)
  await recordsAgree(f.db, f.store)
})

it('makes everything again in a database that knows nothing, and the collector waits for that', async () => {
  const f = await start()
  const one = await f.push('acme/web', '1.0', ['one', 'base'])
  const two = await f.push('acme/team/api', '2.0', ['two', 'base'])
  await f.push('rival/secret', 'latest', ['theirs'])
  const index = await pushIndex(f, 'acme/web', 'all', [one])
  await keep(f, f.store)
  const before = await images(f.db)
  const shared = { digest: one.layers[1], files: await blobs(f.store) }

  const database = await createTestDatabase()
  open.push({ close: () => database.drop() })
  const people = await seedAccounts(database.db)
  await database.db.organization.delete({ where: { slug: 'rival' } })
  const g = await start({ database: { databaseUrl: database.url, db: database.db, people }, store: f.store })
  await collect(g, f.store)
  expect(await blobs(f.store), 'nothing was collected').toEqual(shared.files)

  const told = await found(g, f.store)
  expect(told).toContain(`- manifest-lost acme/web@${index}`)
  expect(told.filter((line) => line.includes('repository-lost'))).toEqual([
    '- repository-lost acme/team/api',
    '- repository-lost acme/web',
    '- repository-lost rival/secret',
  ])
  expect((await found(g, f.store, true)).filter((line) => line.startsWith('-'))).toEqual(['- repository-lost rival/secret'])
  expect(await images(g.db)).toEqual(before.filter((image) => image.repository.organization.slug === 'acme'))
  expect(await g.db.repository.findMany({ select: { visibility: true } })).toEqual([{ visibility: 'private' }, { visibility: 'private' }])
  for (const [name, tag, image] of [['acme/web', '1.0', one] as const, ['acme/team/api', '2.0', two] as const]) {
    expect(await (await g.call('GET', `/v2/${name}/manifests/${tag}`)).text()).toBe(image.manifest)
    expect((await g.call('GET', `/v2/${name}/blobs/${image.layers[0]}`)).status).toBe(200)
  }
  await keep(g, f.store)
  await collect(g, f.store)
  expect(await blobs(f.store), 'what rival needs is still spared').toEqual(shared.files)

  await g.db.organization.create({ data: { id: 'org_rivalonceagain', slug: 'rival', name: 'Rival' } })
  expect((await found(g, f.store, true)).filter((line) => line.startsWith('-'))).toEqual([])
  expect((await images(g.db)).length).toBe(before.length)
  await keep(g, f.store)
  await recordsAgree(g.db, f.store)
})

it('brings them back into a repository that was made anew under the same name, whose tags stay', async () => {
  const f = await start()
  const one = await f.push('acme/web', '1.0', ['one'])
  await f.push('acme/web', 'latest', ['one'])
  await keep(f, f.store)
  await lose(f.db, 'DELETE FROM "Repository"')
  const two = await f.push('acme/web', 'latest', ['two'])
  await keep(f, f.store)
  expect((await found(f, f.store, true)).filter((line) => line.startsWith('-'))).toEqual([])
  const tags = await f.db.tag.findMany({ select: { name: true, manifest: { select: { digest: true } } }, orderBy: { name: 'asc' } })
  expect(tags).toEqual([
    { name: '1.0', manifest: { digest: one.digest } },
    { name: 'latest', manifest: { digest: two.digest } },
  ])
  await keep(f, f.store)
  await recordsAgree(f.db, f.store)
  expect(await found(f, f.store)).toEqual([])
})

it('does not bring back an image whose layer is gone, says so, and leaves the rest alone', async () => {
  const f = await start()
  const whole = await f.push('acme/web', 'whole', ['whole'])
  const hole = await f.push('acme/web', 'hole', ['hole'])
  const torn = await f.push('acme/web', 'torn', ['torn'])
  await keep(f, f.store)
  const { id } = await f.db.repository.findFirstOrThrow()
  await lose(f.db, 'DELETE FROM "Manifest"', 'DELETE FROM "RepositoryBlob"', 'DELETE FROM "Blob"')
  await f.store.remove(hole.layers[0] ?? '')
  const file = path.join(f.root, 'repositories', id, 'manifests', torn.digest.replace(':', '-'))
  await writeFile(file, (await readFile(file, 'utf8')).replace('schemaVersion', 'SchemaVersion'))
  const lines = await found(f, f.store, true)
  expect(lines).toEqual(
    [
      ...[hole, torn].map(({ digest }) => `- manifest-lost acme/web@${digest}`).sort(),
      '- tag-lost acme/web:hole',
      '- tag-lost acme/web:torn',
      `+ manifest-lost acme/web@${whole.digest}`,
      '+ tag-lost acme/web:whole',
    ].sort(),
  )
  // The images that are told as lost come with a push.
  await f.push('acme/web', 'hole', ['hole'])
  await f.push('acme/web', 'torn', ['torn'])
  await keep(f, f.store)
  expect(await found(f, f.store, true)).toEqual([])
})

it('does not go past what an organization may have, and says so', async () => {
  const f = await start()
  const image = await f.push('acme/web', '1.0', ['one'])
  await keep(f, f.store)
  const { organizationId } = await f.db.repository.findFirstOrThrow()
  await lose(f.db, 'DELETE FROM "Manifest"')
  await f.db.repositoryBlob.deleteMany()
  await f.db.organizationUsage.update({ where: { organizationId }, data: { maxBytes: 10n } })
  const lines = [`manifest-lost acme/web@${image.digest}`, 'tag-lost acme/web:1.0']
  expect(await found(f, f.store, true)).toEqual(lines.map((line) => `- ${line}`))
  await f.db.organizationUsage.update({ where: { organizationId }, data: { maxBytes: null } })
  expect(await found(f, f.store, true)).toEqual(lines.map((line) => `+ ${line}`))
})

it('writes copies anew that are missing or wrong, and the content of a manifest from its copy', async () => {
  const f = await start()
  const image = await f.push('acme/web', '1.0', ['one'])
  const other = await f.push('acme/web', '2.0', ['two'])
  await keep(f, f.store)
  const { id } = await f.db.repository.findFirstOrThrow()
  const at = (...names: string[]) => path.join(f.root, 'repositories', id, ...names)
  await rm(at('manifests', image.digest.replace(':', '-')))
  await rm(at('tags', '1.0'))
  await writeFile(at('tags', '2.0'), 'not what we wrote')
  await writeFile(at('repository'), '{"organization":"acme","name":"other"}\n')
  await f.db.manifest.updateMany({ where: { digest: other.digest }, data: { content: Buffer.from('{}') } })
  const problems = ['copy-missing acme/web', `copy-missing acme/web@${image.digest}`, `manifest-damaged acme/web@${other.digest}`]
  expect(await found(f, f.store)).toEqual(problems.map((line) => `- ${line}`))
  expect(await found(f, f.store, true)).toEqual(problems.map((line) => `+ ${line}`))
  await keep(f, f.store)
  await recordsAgree(f.db, f.store)
  expect(await found(f, f.store)).toEqual([])
  expect(await (await f.call('GET', `/v2/acme/web/manifests/${other.digest}`)).text()).toBe(other.manifest)
})

it('brings back what was pulled through an upstream that is down, also what had not come yet', async () => {
  const upstream = new PlainUpstream()
  const f = await start()
  try {
    const name = `${await addUpstream(f.db, await upstream.start())}/team/app`
    const manifest = await (await f.call('GET', `/v2/${name}/manifests/1`)).text()
    expect((await f.call('GET', `/v2/${name}/blobs/${upstream.layerDigest}`)).status).toBe(200)
    await expect.poll(() => f.store.size(upstream.layerDigest)).toBe(upstream.layer.byteLength)
    await expect.poll(() => f.db.repositoryBlob.count()).toBe(1)
    await keep(f, f.store)
    await lose(f.db, 'DELETE FROM "Repository"', 'DELETE FROM "Blob"', 'DELETE FROM "Organization" WHERE "slug" LIKE \'127%\'')
    await upstream.stop()
    expect((await found(f, f.store, true)).filter((line) => line.includes('manifest-lost'))).toHaveLength(1)
    expect(await (await f.call('GET', `/v2/${name}/manifests/1`)).text()).toBe(manifest)
    expect((await f.call('GET', `/v2/${name}/blobs/${upstream.layerDigest}`)).status).toBe(200)
  } finally {
    await upstream.stop()
  }
})

it('leaves files of others alone, and makes nothing of names that are none', async () => {
  const f = await start()
  await f.push('acme/web', '1.0', ['one'])
  await keep(f, f.store)
  const { id } = await f.db.repository.findFirstOrThrow()
  const folder = path.join(f.root, 'repositories')
  for (const name of ['lost+found', `${id}/notes.txt`, `${id}/tags/.nfs0001`, `${id}/manifests/sha256-9f0c`])
    await writeFile(path.join(folder, name), 'somebody else’s')
  await recordsAgree(f.db, f.store)
  expect(await found(f, f.store, true)).toEqual([])
  for (const key of ['', '../x', `${id}/tags/..`, `${id}/tags/a/b`, `${id}/manifests/sha256-../../x`, `/${id}/repository`, `${id}/other`]) {
    expect(parseRecordKey(key), key).toBeUndefined()
    await expect(f.store.keep([{ key, content: Buffer.from('x') }])).rejects.toThrow('not the key of a record')
  }
})

it('waits for a store that takes nothing, while pushes go on', async () => {
  const f = await start()
  const store = new FilesystemStore(f.root)
  const full: BlobStore = Object.assign(Object.create(store) as BlobStore, {
    keep: () => Promise.reject(new Error('no space left')),
    records: (id?: string) => store.records(id),
  })
  const image = await f.push('acme/web', '1.0', ['one'])
  await expect(new RecordKeeper({ db: f.db, store: full, log }).keep()).rejects.toThrow('no space left')
  expect((await f.call('GET', `/v2/acme/web/manifests/${image.digest}`)).status).toBe(200)
  await keep(f, store)
  await recordsAgree(f.db, store)
})

async function blobs(store: BlobStore): Promise<string[]> {
  const digests: string[] = []
  for await (const { digest } of store.blobs()) digests.push(digest)
  return digests.sort()
}
