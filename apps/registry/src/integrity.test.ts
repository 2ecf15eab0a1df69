/** Damaged bytes: never served whole, moved aside and kept, told, and healed by the next push. */
import { randomBytes } from 'node:crypto'
import { readFile, rm, truncate, utimes, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { commitBlob, createDb } from '@slipway/db'
import { digestBytes } from '@slipway/oci/node'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Collector } from './gc'
import { Integrity } from './integrity/integrity'
import { Scrubber } from './integrity/scrubber'
import { FilesystemStore } from './store/filesystem'
import { storeBytes } from './testing/damage'
import { type Fixture, startFixture } from './testing/fixture'

const DAY = 24 * 3_600_000
const log = pino({ level: 'silent' })
let f: Fixture
let store: FilesystemStore
beforeAll(async () => {
  f = await startFixture()
  store = new FilesystemStore(f.root)
})
afterAll(() => f.close())

const fileOf = (digest: string) => path.join(f.root, 'blobs/sha256', digest.slice(7, 9), digest.slice(7))
const pushed = async (repository: string, content: string | Buffer) => {
  const digest = digestBytes(content)
  const answer = await f.call('POST', `/v2/${repository}/blobs/uploads/?digest=${digest}`, { body: content })
  expect(answer.status).toBe(201)
  return digest
}
/** Flips one bit. `silently`: as a bad disk does it, without a new time of change. */
async function flip(digest: string, { silently = false } = {}) {
  const bytes = await readFile(fileOf(digest))
  bytes[bytes.byteLength >> 1] = (bytes[bytes.byteLength >> 1] ?? 0) ^ 1
  await writeFile(fileOf(digest), bytes)
  // Later than the push by more than clocks differ, or long before it.
  const at = silently ? new Date(Date.now() - DAY) : new Date(Date.now() + 10_000)
  await utimes(fileOf(digest), at, at)
}
const get = (repository: string, digest: string, headers: Record<string, string> = {}) =>
  f.call('GET', `/v2/${repository}/blobs/${digest}`, { headers })
const damageOf = (digest: string) => f.db.blobDamage.findFirst({ where: { digest }, orderBy: { foundAt: 'desc' } })
const quarantined = async () => {
  const found: { name: string; size: number }[] = []
  for await (const one of store.quarantined()) found.push(one)
  return found
}
const repository = 'acme/damaged'

describe('a blob whose file was changed', () => {
  it('does not arrive whole, then is unknown with a sentence, is kept and told, and a push heals it', async () => {
    const content = randomBytes(700_000)
    const digest = await pushed(repository, content)
    await flip(digest)
    await expect(get(repository, digest).then((answer) => answer.arrayBuffer())).rejects.toThrow()
    await expect.poll(async () => (await damageOf(digest))?.keptAs).toContain(digest.slice(7))
    for (const method of ['GET', 'HEAD']) expect((await f.call(method, `/v2/${repository}/blobs/${digest}`)).status).toBe(404)
    const { errors } = await (await get(repository, digest)).json()
    expect(errors[0]).toMatchObject({ code: 'BLOB_UNKNOWN', message: expect.stringContaining('Push the image again to repair it') })
    expect((await quarantined()).map((one) => one.size)).toContain(content.byteLength)
    const told = await f.db.auditEvent.findFirst({ where: { action: 'blob.damaged', targetLabel: digest } })
    expect(told).toMatchObject({ actorLabel: 'Registry', data: { foundBy: 'read', bytes: content.byteLength } })

    await pushed('rival/other', content)
    expect(Buffer.from(await (await get(repository, digest)).arrayBuffer()).equals(content)).toBe(true)
    expect(await damageOf(digest)).toMatchObject({ repairedBy: 'push', foundBy: 'read' })
    expect((await f.db.blob.findUnique({ where: { digest } }))?.damagedAt).toBeNull()
  })

  it('gives no part of it either', async () => {
    const digest = await pushed(repository, randomBytes(300_000))
    await flip(digest)
    expect((await get(repository, digest, { range: 'bytes=0-9' })).status).toBe(404)
    expect(await damageOf(digest)).toMatchObject({ foundBy: 'read' })
  })

  it('gives it, and believes in it again, when only the time has changed', async () => {
    const content = randomBytes(600_000)
    const digest = await pushed(repository, content)
    await utimes(fileOf(digest), new Date(Date.now() + 10_000), new Date(Date.now() + 10_000))
    const before = (await f.db.blob.findUniqueOrThrow({ where: { digest } })).verifiedAt
    expect(Buffer.from(await (await get(repository, digest)).arrayBuffer()).equals(content)).toBe(true)
    await expect.poll(async () => (await f.db.blob.findUniqueOrThrow({ where: { digest } })).verifiedAt > before).toBe(true)
    expect((await get(repository, digest, { range: 'bytes=5-7' })).status).toBe(206)
  })
})

it('finds a bit that the disk lost silently: on a pull when nobody looked for long, and on its round', async () => {
  const [pulled, scrubbed, sound] = await Promise.all(['pulled', 'scrubbed', 'sound'].map((name) => pushed(repository, `${name} blob`)))
  for (const digest of [pulled, scrubbed]) await flip(digest ?? '', { silently: true })
  const old = new Date(Date.now() - 40 * DAY)
  await f.db.blob.updateMany({ where: { digest: { in: [pulled ?? '', scrubbed ?? '', sound ?? ''] } }, data: { verifiedAt: old } })
  await expect(get(repository, pulled ?? '').then((answer) => answer.text())).rejects.toThrow()
  await expect.poll(() => damageOf(pulled ?? '')).toMatchObject({ foundBy: 'read' })
  const integrity = new Integrity({ db: f.db, store, log })
  const scrubber = () => new Scrubber({ db: f.db, log, integrity, everyMs: 14 * DAY, bytesPerSecond: 1e9 })
  // The collector's first count makes the row that the round is leased by.
  await new Collector({ db: f.db, store, log, busyUploads: new Set() }).collect()
  expect(await scrubber().round()).toBe(2)
  expect(await scrubber().round(), 'another process has the round').toBe(0)
  expect(await damageOf(scrubbed ?? '')).toMatchObject({ foundBy: 'scrub' })
  expect((await get(repository, scrubbed ?? '')).status).toBe(404)
  expect((await get(repository, sound ?? '')).status).toBe(200)
  expect((await f.db.blob.findUniqueOrThrow({ where: { digest: sound } })).verifiedAt.getTime()).toBeGreaterThan(old.getTime())
})

it('says that it is gone when the file is missing or cut short, once, and no push relies on it', async () => {
  const [gone, short] = [await pushed(repository, 'gone from the disk'), await pushed(repository, 'cut short on the disk')]
  await rm(fileOf(gone))
  await truncate(fileOf(short), 5)
  for (const digest of [gone, short, gone]) {
    expect((await f.call('HEAD', `/v2/${repository}/blobs/${digest}`)).status).toBe(404)
    expect((await get(repository, digest)).status).toBe(404)
    await expect.poll(() => damageOf(digest)).not.toBeNull()
  }
  expect(await damageOf(gone)).toMatchObject({ actual: null, keptAs: null })
  expect(await f.db.blobDamage.count({ where: { digest: gone } })).toBe(1)
  const mount = await f.call('POST', `/v2/acme/elsewhere/blobs/uploads/?mount=${gone}&from=${repository}`, {
    token: await f.sign([
      { type: 'repository', name: 'acme/elsewhere', actions: ['pull', 'push'] },
      { type: 'repository', name: repository, actions: ['pull'] },
    ]),
  })
  expect(mount.status, 'uploads instead of mounting').toBe(202)
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: { mediaType: 'application/vnd.oci.empty.v1+json', digest: gone, size: 18 },
    layers: [],
  })
  const put = await f.call('PUT', `/v2/${repository}/manifests/v1`, {
    headers: { 'content-type': 'application/vnd.oci.image.manifest.v1+json' },
    body: manifest,
  })
  expect((await put.json()).errors[0].code).toBe('MANIFEST_BLOB_UNKNOWN')
})

it('asks the repairers before it says that a blob is lost', async () => {
  const content = 'kept upstream as well'
  const digest = await pushed(repository, content)
  await flip(digest, { silently: true })
  const integrity = new Integrity({ db: f.db, store, log })
  integrity.repairers.push(
    async () => {
      throw new Error('this one is away')
    },
    async () => false,
    async (wanted) => {
      const link = await f.db.repositoryBlob.findFirstOrThrow({ where: { digest: wanted } })
      const { uploadId, size } = await storeBytes(store, content, wanted)
      await commitBlob(f.db, { repositoryId: link.repositoryId, digest: wanted, size, place: () => store.place(uploadId, wanted) })
      return true
    },
  )
  expect(await integrity.check(digest, 'verify')).toMatchObject({ state: 'sound' })
  expect(await (await get(repository, digest)).text()).toBe(content)
  expect((await damageOf(digest))?.repairedAt).not.toBeNull()
})

it('leaves a good blob alone that a push brought between the look and the judgement', async () => {
  const digest = await pushed(repository, 'replaced in time')
  await flip(digest, { silently: true })
  const racing = new Integrity({ db: f.db, store, log })
  const judge = racing.judge.bind(racing)
  let looks = 0
  racing.judge = async (...args) => {
    const seen = await judge(...args)
    if (looks++ === 0) await pushed(repository, 'replaced in time')
    return seen
  }
  expect(await racing.check(digest, 'scrub')).toMatchObject({ state: 'sound' })
  expect(await damageOf(digest)).toBeNull()
  expect((await get(repository, digest)).status).toBe(200)
})

it('serves no manifest whose content was changed, and a push heals it', async () => {
  const image = await f.push(repository, 'tampered', ['tampered'])
  const other = createDb(f.databaseUrl)
  // Through another process's eyes: this one has the manifest in its cache since the push.
  await other.manifest.updateMany({ where: { digest: image.digest }, data: { content: new TextEncoder().encode('{}') } })
  const fresh = await startFixture({ database: f, store })
  const call = (method: string) => fresh.call(method, `/v2/${repository}/manifests/${image.digest}`)
  expect((await (await call('GET')).json()).errors[0]).toMatchObject({
    code: 'MANIFEST_UNKNOWN',
    message: expect.stringContaining('damaged'),
  })
  await f.push(repository, 'tampered', ['tampered'])
  expect(await (await call('GET')).text()).toBe(image.manifest)
  await fresh.close()
  await other.$disconnect()
})
