/** Much of one thing: uploads that are open at once, and a manifest as large as they may be. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { OCI_CONFIG, OCI_LAYER_GZIP, OCI_MANIFEST } from '@slipway/oci'
import { digestBytes } from '@slipway/oci/node'
import { createTestDatabase, type TestDatabase } from '@slipway/testing'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Collector } from './gc'
import { FilesystemStore } from './store/filesystem'
import { newKeyPem, seedAccounts, startFixture, TestClient } from './testing/fixture'
import { type RegistryProcess, spawnRegistry, writeKey } from './testing/process'

const UPLOADS = 10_000
const HOUR = 3_600_000
const errorOf = async (answer: Response) => ((await answer.json()) as { errors: { code: string; message: string }[] }).errors[0]

/** `work` for each of `count` numbers, sixteen at a time. */
async function each(count: number, work: (n: number) => Promise<void>): Promise<void> {
  let next = 0
  const worker = async () => {
    while (next < count) await work(next++)
  }
  await Promise.all(Array.from({ length: 16 }, worker))
}

describe('10,000 open uploads', () => {
  const pem = newKeyPem()
  let database: TestDatabase
  let data: string
  let registry: RegistryProcess
  let client: TestClient
  let token: string
  beforeAll(async () => {
    database = await createTestDatabase()
    await seedAccounts(database.db)
    data = await mkdtemp(path.join(tmpdir(), 'slipway-many-'))
    await writeKey(data, pem)
    registry = await spawnRegistry({ databaseUrl: database.url, data, env: { SLIPWAY_REGISTRY_MAX_UPLOADS: String(UPLOADS) } })
    client = new TestClient(registry.base, pem)
  })
  afterAll(async () => {
    await registry?.end('SIGKILL')
    await database?.drop()
    await rm(data, { recursive: true, force: true })
  })

  it('take little memory and no handles; the next is refused to this organization alone; each can be gone on with', {
    timeout: 600_000,
  }, async () => {
    const name = 'acme/many'
    const locations: string[] = []
    const content = (n: number) => `upload ${n} `.padEnd(1024, 'x')
    const fresh = setInterval(async () => (token = await sign()), 20_000)
    const sign = () => client.sign([{ type: 'repository', name, actions: ['pull', 'push'] }])
    token = await sign()
    await client.pushBlob(name, 'first')
    await each(UPLOADS, async (n) => {
      const location = (await client.call('POST', `/v2/${name}/blobs/uploads/`, { token })).headers.get('location') ?? ''
      expect((await client.call('PATCH', location, { token, body: content(n) })).status).toBe(202)
      locations[n] = location
    })
    clearInterval(fresh)
    const memory = Number(/VmRSS:\s+(\d+) kB/.exec(await readFile(`/proc/${registry.child.pid}/status`, 'utf8'))?.[1]) / 1024
    const handles = (await readdir(`/proc/${registry.child.pid}/fd`)).length
    process.stdout.write(`${UPLOADS} open uploads: ${memory.toFixed(0)} MB, ${handles} file handles\n`)
    expect(memory).toBeLessThan(400)
    expect(handles).toBeLessThan(150)

    const refused = await client.call('POST', `/v2/${name}/blobs/uploads/`)
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '60'])
    expect(await errorOf(refused)).toMatchObject({
      code: 'TOOMANYREQUESTS',
      message: expect.stringContaining('acme has 10000 uploads open'),
    })
    expect((await client.call('POST', '/v2/rival/own/blobs/uploads/')).status).toBe(202)
    // One that ends makes room for one, whether it was begun first or last.
    for (const n of [0, UPLOADS - 1]) {
      const digest = digestBytes(`${content(n)}end`)
      expect((await client.call('PUT', `${locations[n]}?digest=${digest}`, { body: 'end' })).status).toBe(201)
      expect(await (await client.call('GET', `/v2/${name}/blobs/${digest}`)).text()).toBe(`${content(n)}end`)
      expect((await client.call('POST', `/v2/${name}/blobs/uploads/`)).status).toBe(202)
    }
    expect((await client.call('POST', `/v2/${name}/blobs/uploads/`)).status).toBe(429)
  })

  it('are all removed when nobody wrote to them for a day, and then there is room again', { timeout: 300_000 }, async () => {
    const store = new FilesystemStore(path.join(data, 'registry'))
    const collector = new Collector({ db: database.db, store, log: pino({ level: 'silent' }), busyUploads: new Set() })
    expect((await collector.collect(Date.now() + 23 * HOUR)).uploads).toBe(0)
    expect((await collector.collect(Date.now() + 25 * HOUR)).uploads).toBe(UPLOADS + 1)
    expect(await readdir(path.join(data, 'registry/uploads'))).toEqual([])
    expect((await client.call('POST', '/v2/acme/many/blobs/uploads/')).status).toBe(202)
  })
})

it('an upload that was left is gone on with after 23 hours; after a day it is told to begin again, and that works', async () => {
  const f = await startFixture()
  try {
    const collector = new Collector({ db: f.db, store: f.store, log: f.log, busyUploads: new Set() })
    const digest = digestBytes('first half, second half')
    const begin = async () => {
      const location = (await f.call('POST', '/v2/acme/left/blobs/uploads/')).headers.get('location') ?? ''
      expect((await f.call('PATCH', location, { body: 'first half' })).status).toBe(202)
      return location
    }
    const left = async (location: string, hours: number) => {
      await f.db
        .$executeRaw`UPDATE "Upload" SET "updatedAt" = now() at time zone 'utc' - make_interval(hours => ${hours}) WHERE "id" = ${location.split('/').at(-1)}`
      await collector.collect()
    }
    const late = await begin()
    await left(late, 25)
    const gone = await f.call('PATCH', late, { body: ', second half', headers: { 'content-range': '10-22' } })
    expect([gone.status, await errorOf(gone)]).toEqual([
      404,
      expect.objectContaining({ code: 'BLOB_UPLOAD_UNKNOWN', message: expect.stringContaining('Start the push again') }),
    ])
    expect(await readdir(path.join(f.root, 'uploads'))).toEqual([])

    const inTime = await begin()
    await left(inTime, 23)
    const size = Number((await f.call('GET', inTime)).headers.get('range')?.slice(2)) + 1
    expect(size).toBe(10)
    expect((await f.call('PATCH', inTime, { body: ', second half', headers: { 'content-range': '10-22' } })).status).toBe(202)
    expect((await f.call('PUT', `${inTime}?digest=${digest}`)).status).toBe(201)
    expect(await (await f.call('GET', `/v2/acme/left/blobs/${digest}`)).text()).toBe('first half, second half')
  } finally {
    await f.close()
  }
})

it('takes a manifest of 4 MiB with 1,000 layers and gives the same bytes back; one more layer or byte is refused', {
  timeout: 240_000,
}, async () => {
  const f = await startFixture()
  try {
    const name = 'acme/wide'
    const layers = Array.from({ length: 1000 }, (_, n) => `layer ${n}`)
    const config = JSON.stringify({ os: 'linux', architecture: 'amd64', rootfs: { type: 'layers', diff_ids: [] } })
    const client = new TestClient(f.base, f.pem)
    await client.pushBlob(name, config)
    await each(layers.length, async (n) => void (await client.pushBlob(name, layers[n] ?? '')))
    const describe = (mediaType: string, content: string) => ({ mediaType, digest: digestBytes(content), size: Buffer.byteLength(content) })
    const manifest = {
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config: describe(OCI_CONFIG, config),
      layers: layers.map((layer) => describe(OCI_LAYER_GZIP, layer)),
      annotations: { fill: '' },
    }
    const bare = JSON.stringify(manifest)
    const sized = (bytes: number) => bare.replace('"fill":""', `"fill":"${'x'.repeat(bytes - bare.length)}"`)
    const put = (tag: string, body: string) =>
      f.call('PUT', `/v2/${name}/manifests/${tag}`, { headers: { 'content-type': OCI_MANIFEST }, body })
    const most = sized(4 * 1024 * 1024)
    expect((await put('most', most)).status).toBe(201)
    expect(digestBytes(await (await f.call('GET', `/v2/${name}/manifests/most`)).text())).toBe(digestBytes(most))
    expect(await f.db.manifestLayer.count({ where: { manifest: { digest: digestBytes(most) } } })).toBe(1000)

    for (const chunked of [false, true]) {
      const body = sized(4 * 1024 * 1024 + 1)
      const answer = chunked
        ? await fetch(`${f.base}/v2/${name}/manifests/more`, {
            method: 'PUT',
            body: new Blob([body]).stream(),
            duplex: 'half',
            headers: {
              authorization: `Bearer ${await f.sign([{ type: 'repository', name, actions: ['pull', 'push'] }])}`,
              'content-type': OCI_MANIFEST,
            },
          } as RequestInit)
        : await put('more', body)
      expect([answer.status, (await errorOf(answer))?.code]).toEqual([413, 'MANIFEST_INVALID'])
    }
    const wide = await put('more', JSON.stringify({ ...manifest, layers: [...manifest.layers, manifest.layers[0]] }))
    expect([wide.status, (await errorOf(wide))?.code]).toEqual([400, 'MANIFEST_INVALID'])
    expect((await f.call('GET', `/v2/${name}/manifests/more`)).status).toBe(404)
  } finally {
    await f.close()
  }
})
