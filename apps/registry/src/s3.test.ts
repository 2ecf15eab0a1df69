/** The registry with its blobs in a bucket: pushes, pulls, redirects, the collector, and a server that errs or stalls. */
import { randomBytes } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { digestBytes } from '@slipway/oci/node'
import { createTestDatabase } from '@slipway/testing'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readSettings } from './env'
import { Collector } from './gc'
import { RecordKeeper } from './records/keeper'
import { S3Store } from './store/s3'
import { type Fixture, seedAccounts, startFixture } from './testing/fixture'
import { type Line, startLine } from './testing/proxy'
import { type S3Server, startS3Server } from './testing/s3'
import { verifyStore } from './testing/verify'

const MIB = 1024 * 1024
const HOUR = 3_600_000
let server: S3Server
beforeAll(async () => {
  server = await startS3Server()
}, 600_000)
afterAll(() => server?.stop())

const upload = async (f: Fixture, name: string) => (await f.call('POST', `/v2/${name}/blobs/uploads/`)).headers.get('location') ?? ''
const pushWhole = (f: Fixture, name: string, content: Buffer) =>
  f.call('POST', `/v2/${name}/blobs/uploads/?digest=${digestBytes(content)}`, { body: content })
const errorOf = async (response: Response) => ((await response.json()) as { errors: { code: string; message: string }[] }).errors[0]
const collect = (f: Fixture, store: S3Store, hours: number) =>
  new Collector({ db: f.db, store, log: pino({ level: 'silent' }), busyUploads: new Set() }).collect(Date.now() + hours * HOUR)

describe('with a bucket', () => {
  let f: Fixture
  let store: S3Store
  beforeAll(async () => {
    store = new S3Store(server.options({ redirect: true }))
    f = await startFixture({ store })
  })
  afterAll(() => f?.close())

  it('takes an image and gives it back, whole and in ranges', async () => {
    const content = randomBytes(19 * MIB + 5)
    const location = await upload(f, 'acme/app')
    expect((await f.call('PATCH', location, { body: content.subarray(0, 11 * MIB) })).status).toBe(202)
    const headers = { 'content-range': `${11 * MIB}-${content.byteLength - 1}` }
    expect((await f.call('PATCH', location, { body: content.subarray(11 * MIB), headers })).headers.get('range')).toBe(
      `0-${content.byteLength - 1}`,
    )
    expect((await f.call('PUT', `${location}?digest=${digestBytes(content)}`)).status).toBe(201)
    const blob = `/v2/acme/app/blobs/${digestBytes(content)}`
    expect((await f.call('HEAD', blob)).headers.get('content-length')).toBe(String(content.byteLength))
    expect(Buffer.from(await (await f.call('GET', blob)).arrayBuffer()).equals(content)).toBe(true)
    const part = await f.call('GET', blob, { headers: { range: `bytes=${9 * MIB}-${12 * MIB}` } })
    expect(Buffer.from(await part.arrayBuffer()).equals(content.subarray(9 * MIB, 12 * MIB + 1))).toBe(true)
    const image = await f.push('acme/app', 'v1', ['one', 'two'])
    expect((await f.call('GET', '/v2/acme/app/manifests/v1')).headers.get('docker-content-digest')).toBe(image.digest)
    expect(await (await f.call('GET', `/v2/acme/app/blobs/${digestBytes('two')}`)).text()).toBe('two')
  })

  it('sends who may read a blob to the bucket for it, and nobody else', async () => {
    const content = randomBytes(MIB)
    await pushWhole(f, 'acme/app', content)
    const blob = `${f.base}/v2/acme/app/blobs/${digestBytes(content)}`
    const get = (token: string) => fetch(blob, { redirect: 'manual', headers: token ? { authorization: `Bearer ${token}` } : {} })
    const mine = await get(await f.sign([{ type: 'repository', name: 'acme/app', actions: ['pull'] }]))
    expect([mine.status, mine.headers.get('cache-control')]).toEqual([307, 'no-store'])
    const location = mine.headers.get('location') ?? ''
    expect(location).toContain(server.endpoint)
    expect(digestBytes(new Uint8Array(await (await fetch(location)).arrayBuffer()))).toBe(digestBytes(content))
    const other = await get(await f.sign([{ type: 'repository', name: 'other/app', actions: ['pull'] }]))
    for (const refused of [await get(''), other]) {
      expect([refused.status, refused.headers.get('location')]).toEqual([401, null])
    }
  })

  it('brings images and tags back into a database that lost them', async () => {
    const image = await f.push('acme/lost', 'v1', ['lost and found'])
    await new RecordKeeper({ db: f.db, store, log: pino({ level: 'silent' }) }).keep()
    const fresh = await createTestDatabase()
    const people = await seedAccounts(fresh.db)
    const g = await startFixture({ store, database: { databaseUrl: fresh.url, db: fresh.db, people } })
    try {
      const problems = await verifyStore(g, store, true)
      expect(problems.filter(({ subject }) => subject.startsWith('acme/lost')).map(({ kind, repaired }) => [kind, repaired])).toEqual([
        ['repository-lost', true],
        ['manifest-lost', true],
        ['tag-lost', true],
      ])
      expect(await (await g.call('GET', '/v2/acme/lost/manifests/v1')).text()).toBe(image.manifest)
      expect(await (await g.call('GET', `/v2/acme/lost/blobs/${image.layers[0]}`)).text()).toBe('lost and found')
    } finally {
      await g.close()
      await fresh.drop()
    }
  })

  it('collects what nothing needs, and uploads that were left', async () => {
    const keep = await f.push('acme/keep', 'v1', ['kept'])
    const drop = await f.push('acme/drop', 'v1', ['dropped', 'kept'])
    await f.call('DELETE', `/v2/acme/drop/manifests/${drop.digest}`)
    const left = await upload(f, 'acme/drop')
    await f.call('PATCH', left, { body: 'half' })
    await collect(f, store, 1.1)
    expect(await store.size(digestBytes('dropped'))).toBeUndefined()
    for (const digest of [keep.config, ...keep.layers]) expect(await store.size(digest)).toBeDefined()
    // A day later it goes on from where it was; after the sweep, it begins anew.
    await f.db.upload.updateMany({ data: { updatedAt: new Date(Date.now() - 23 * HOUR) } })
    await collect(f, store, 0)
    expect((await f.call('GET', left)).headers.get('range')).toBe('0-3')
    await collect(f, store, 25)
    const gone = await f.call('PATCH', left, { body: 'more' })
    expect([gone.status, (await errorOf(gone))?.code]).toEqual([404, 'BLOB_UPLOAD_UNKNOWN'])
    for await (const { uploadId } of store.uploads()) expect(uploadId).toBe('none')
  })
})

describe('with a bucket that errs or stalls', () => {
  let f: Fixture
  let line: Line
  beforeAll(async () => {
    line = await startLine(server.port)
    const options = server.options({ endpoint: `http://127.0.0.1:${line.port}`, deadlineMs: 1000 })
    f = await startFixture({ store: new S3Store(options) })
  })
  afterAll(async () => {
    line?.set('open')
    await f?.close()
    await line?.close()
  })

  it.each(['held', 'cut'] as const)('answers 503 in time when the line is %s, and goes on with the upload afterwards', async (state) => {
    const content = randomBytes(20 * MIB)
    const digest = digestBytes(content)
    const location = await upload(f, 'acme/app')
    expect((await f.call('PATCH', location, { body: content.subarray(0, 9 * MIB) })).status).toBe(202)
    if (state === 'held') line.holdAfter(3 * MIB)
    else line.set('cut')
    const answer = await f.call('PATCH', location, { body: content.subarray(9 * MIB) }).catch(() => undefined)
    // The answer may come while the body is still on its way; some clients then only see that the line ended.
    if (answer) expect([answer.status, (await errorOf(answer))?.code]).toEqual([503, 'UNAVAILABLE'])
    line.set(state)
    for (const [method, url] of [
      ['GET', location],
      ['PUT', `${location}?digest=${digest}`],
    ] as const) {
      const away = await f.call(method, url)
      expect([away.status, away.headers.get('retry-after')]).toEqual([503, '5'])
      expect((await errorOf(away))?.message).toContain('store')
    }
    line.set('open')
    expect((await f.call('HEAD', `/v2/acme/app/blobs/${digest}`)).status).toBe(404)
    const size = Number((await f.call('GET', location)).headers.get('range')?.slice(2)) + 1
    expect(size).toBeGreaterThanOrEqual(9 * MIB)
    expect((await f.call('PATCH', location, { body: content.subarray(size) })).status).toBe(202)
    expect((await f.call('PUT', `${location}?digest=${digest}`)).status).toBe(201)
    const whole = await f.call('GET', `/v2/acme/app/blobs/${digest}`)
    expect(digestBytes(new Uint8Array(await whole.arrayBuffer()))).toBe(digest)
  })

  it('has no row of a blob that could not be placed, and breaks a pull off that cannot go on', async () => {
    const content = randomBytes(12 * MIB)
    await pushWhole(f, 'acme/app', content)
    const pull = await f.call('GET', `/v2/acme/app/blobs/${digestBytes(content)}`)
    line.set('held')
    await expect(pull.arrayBuffer()).rejects.toThrow()
    const lost = randomBytes(1000)
    expect((await pushWhole(f, 'acme/app', lost)).status).toBe(503)
    expect(await f.db.blob.count({ where: { digest: digestBytes(lost) } })).toBe(0)
    line.set('open')
    expect((await pushWhole(f, 'acme/app', lost)).status).toBe(201)
    expect((await f.call('GET', `/v2/acme/app/blobs/${digestBytes(lost)}`)).status).toBe(200)
  })
})

it('reads its settings, and names what is wrong', () => {
  const read = (more: Record<string, string>) =>
    readSettings({ DATABASE_URL: 'postgresql://x', SLIPWAY_REGISTRY_STORE: 's3', ...more }).store
  expect(read({ SLIPWAY_REGISTRY_S3_BUCKET: 'blobs' })).toEqual({
    kind: 's3',
    bucket: 'blobs',
    region: 'us-east-1',
    prefix: '',
    pathStyle: false,
    redirect: true,
  })
  const inside = { SLIPWAY_REGISTRY_S3_ENDPOINT: 'http://10.0.0.5:9000/', SLIPWAY_REGISTRY_S3_PREFIX: '/team/images/' }
  expect(read({ SLIPWAY_REGISTRY_S3_BUCKET: 'blobs', ...inside })).toMatchObject({
    endpoint: 'http://10.0.0.5:9000',
    prefix: 'team/images/',
    pathStyle: true,
    redirect: false,
  })
  expect(() => read({})).toThrow('SLIPWAY_REGISTRY_S3_BUCKET is required')
  expect(() => read({ SLIPWAY_REGISTRY_S3_BUCKET: 'blobs', SLIPWAY_REGISTRY_S3_PREFIX: 'a/../b' })).toThrow('SLIPWAY_REGISTRY_S3_PREFIX')
  expect(() => read({ SLIPWAY_REGISTRY_STORE: 'nfs' })).toThrow('SLIPWAY_REGISTRY_STORE must be filesystem or s3')
})

it('keeps the bytes of verified blobs in the tree that a disk would have', async () => {
  const options = server.options()
  const f = await startFixture({ store: new S3Store(options) })
  try {
    const digest = digestBytes('tree')
    await pushWhole(f, 'acme/app', Buffer.from('tree'))
    expect(await readdir(`${server.folder}/${options.prefix}blobs/sha256/${digest.slice(7, 9)}`)).toEqual([digest.slice(7)])
  } finally {
    await f.close()
  }
})
