/** What happens to a real registry process: killed at the worst moments, a full disk, two pushes at once, no database. */
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { digestBytes } from '@slipway/oci/node'
import { createTestDatabase, type TestDatabase } from '@slipway/testing'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { newKeyPem, seedAccounts, TestClient } from './testing/fixture'
import { launch, type RegistryProcess, spawnRegistry, writeKey } from './testing/process'

const pem = newKeyPem()
let database: TestDatabase
let data: string
let running: RegistryProcess[] = []
beforeAll(async () => {
  database = await createTestDatabase()
  await seedAccounts(database.db)
})
afterAll(() => database.drop())
beforeEach(async () => {
  data = await mkdtemp(path.join(tmpdir(), 'slipway-faults-'))
  await writeKey(data, pem)
})
afterEach(async () => {
  await Promise.all(running.map((r) => r.end('SIGKILL')))
  running = []
  await rm(data, { recursive: true, force: true })
})

async function start(port?: number, env?: Record<string, string>) {
  const registry = await spawnRegistry({ databaseUrl: database.url, data, port, env })
  running.push(registry)
  return { registry, client: new TestClient(registry.base, pem) }
}

const fileOf = (digest: string) => path.join('registry/blobs/sha256', digest.slice(7, 9), digest.slice(7))
const exists = (file: string) =>
  readdir(path.dirname(path.join(data, file)))
    .then((names) => names.includes(path.basename(file)))
    .catch(() => false)

/** A PATCH that sends `sent` and then keeps the line open. */
async function half(client: TestClient, location: string, sent: Buffer) {
  const token = await client.sign([{ type: 'repository', name: 'acme/app', actions: ['pull', 'push'] }])
  const patch = request(client.base + location, {
    method: 'PATCH',
    headers: { authorization: `Bearer ${token}`, 'content-length': sent.byteLength * 2 },
  })
  patch.on('error', () => undefined)
  await new Promise<void>((resolve) => patch.write(sent, () => resolve()))
}

it('goes on with an upload after kill −9 in the middle of it', async () => {
  const { registry, client } = await start()
  const content = randomBytes(6 * 1024 * 1024)
  const location = (await client.call('POST', '/v2/acme/app/blobs/uploads/')).headers.get('location') ?? ''
  await half(client, location, content.subarray(0, 3 * 1024 * 1024))
  const sizeNow = async (c: TestClient) => Number((await c.call('GET', location)).headers.get('range')?.slice(2)) + 1
  await expect.poll(() => sizeNow(client), { timeout: 15_000 }).toBeGreaterThan(1024 * 1024)
  await registry.end('SIGKILL')
  expect(await exists(fileOf(digestBytes(content)))).toBe(false)

  const again = await start(registry.port)
  const size = await sizeNow(again.client)
  expect(size).toBeGreaterThan(1024 * 1024)
  const rest = content.subarray(size)
  const headers = { 'content-range': `${size}-${content.byteLength - 1}` }
  expect((await again.client.call('PATCH', location, { headers, body: rest })).status).toBe(202)
  expect((await again.client.call('PUT', `${location}?digest=${digestBytes(content)}`)).status).toBe(201)
  const got = await again.client.call('GET', `/v2/acme/app/blobs/${digestBytes(content)}`)
  expect(digestBytes(new Uint8Array(await got.arrayBuffer()))).toBe(digestBytes(content))
})

it('has neither row nor answer after kill −9 between the file and its row, and takes the blob when it is pushed again', async () => {
  const { registry, client } = await start()
  await client.call('POST', '/v2/acme/app/blobs/uploads/')
  const digest = digestBytes('between file and row')
  // Holding the table stops the registry exactly there: the file is placed, the row cannot be written.
  const blocker = new pg.Client({ connectionString: database.url })
  await blocker.connect()
  await blocker.query('BEGIN')
  await blocker.query('LOCK TABLE "Blob" IN EXCLUSIVE MODE')
  const push = client.call('POST', `/v2/acme/app/blobs/uploads/?digest=${digest}`, { body: 'between file and row' }).catch(() => 'cut')
  await expect.poll(() => exists(fileOf(digest)), { timeout: 5000 }).toBe(true)
  await registry.end('SIGKILL')
  expect(await push).toBe('cut')
  await blocker.query('ROLLBACK')
  await blocker.end()
  await expect.poll(async () => database.db.blob.count({ where: { digest } })).toBe(0)

  const again = await start(registry.port)
  expect((await again.client.call('HEAD', `/v2/acme/app/blobs/${digest}`)).status).toBe(404)
  expect(await again.client.pushBlob('acme/app', 'between file and row')).toBe(digest)
  expect(await (await again.client.call('GET', `/v2/acme/app/blobs/${digest}`)).text()).toBe('between file and row')
})

it('says DISK_FULL on a full disk, shows nothing of it, and works again when there is room', async () => {
  const store = path.join(data, 'registry')
  await mkdir(store)
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', store])
  try {
    const { registry, client } = await start()
    const large = randomBytes(8 * 1024 * 1024)
    const whole = await client.call('POST', `/v2/acme/full/blobs/uploads/?digest=${digestBytes(large)}`, { body: large })
    expect(whole.status).toBe(507)
    const { errors } = (await whole.json()) as { errors: { code: string; message: string }[] }
    expect(errors[0]).toMatchObject({ code: 'DISK_FULL', message: expect.stringContaining('Free space') })
    const location = (await client.call('POST', '/v2/acme/full/blobs/uploads/')).headers.get('location') ?? ''
    expect((await client.call('PATCH', location, { body: large })).status).toBe(507)
    expect((await client.call('HEAD', `/v2/acme/full/blobs/${digestBytes(large)}`)).status).toBe(404)
    expect((await client.call('DELETE', location)).status).toBe(204)
    expect(await readdir(path.join(store, 'uploads'))).toEqual([])
    expect((await client.push('acme/full', 'v1', ['fits'])).layers).toHaveLength(1)
    await registry.end('SIGTERM')
  } finally {
    execFileSync('umount', [store])
  }
})

it('lets two pushes of one tag both succeed, and one of them wins whole', async () => {
  const { client } = await start()
  for (let round = 0; round < 5; round++) {
    const [a, b] = await Promise.all([
      client.push('acme/race', 'latest', ['shared', `a${round}`]),
      client.push('acme/race', 'latest', ['shared', `b${round}`]),
    ])
    const now = (await client.call('GET', '/v2/acme/race/manifests/latest')).headers.get('docker-content-digest')
    expect([a.digest, b.digest]).toContain(now)
    for (const image of [a, b]) expect((await client.call('GET', `/v2/acme/race/manifests/${image.digest}`)).status).toBe(200)
  }
  const same = await Promise.all(Array.from({ length: 6 }, () => client.push('acme/race', 'same', ['identical'])))
  expect(new Set(same.map((image) => image.digest)).size).toBe(1)
})

it('ends what is under way on SIGTERM and takes nothing new', async () => {
  const { registry, client } = await start()
  const location = (await client.call('POST', '/v2/acme/app/blobs/uploads/')).headers.get('location') ?? ''
  const content = 'sent slowly'
  const token = await client.sign([{ type: 'repository', name: 'acme/app', actions: ['push'] }])
  const put = request(`${client.base}${location}?digest=${digestBytes(content)}`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${token}`, 'content-length': content.length },
  })
  const status = new Promise<number | undefined>((resolve, reject) => {
    put.on('response', (response) => resolve(response.resume().statusCode))
    put.on('error', reject)
  })
  await new Promise<void>((resolve) => put.write(content.slice(0, 4), () => resolve()))
  await new Promise((r) => setTimeout(r, 200))
  const ended = registry.end('SIGTERM')
  await expect
    .poll(() =>
      fetch(`${client.base}/healthz`).then(
        () => 'answers',
        () => 'refuses',
      ),
    )
    .toBe('refuses')
  put.end(content.slice(4))
  expect(await status).toBe(201)
  expect(await ended).toBe(0)
})

it('says what is wrong with its settings, and does not start', async () => {
  const ends = async (env: Record<string, string>) => {
    const registry = await launch({ databaseUrl: database.url, data, env })
    const code = await new Promise((resolve) => registry.child.once('close', resolve))
    return [code, registry.output()]
  }
  expect(await ends({ SLIPWAY_SECRETS: path.join(data, 'none') })).toEqual([
    1,
    expect.stringMatching(/signing key .*registry-token\.pem cannot be read.*npm start/),
  ])
  expect(await ends({ DATABASE_URL: 'mysql://x' })).toEqual([1, expect.stringContaining('DATABASE_URL must start with postgresql://')])
  expect(await ends({ SLIPWAY_REGISTRY_PORT: '99999' })).toEqual([1, expect.stringContaining('SLIPWAY_REGISTRY_PORT')])
  const { registry } = await start()
  expect(await ends({ SLIPWAY_REGISTRY_PORT: String(registry.port) })).toEqual([
    1,
    expect.stringMatching(/EADDRINUSE.*SLIPWAY_REGISTRY_PORT/),
  ])
})

it('answers 503 without its database, and recovers', async () => {
  const own = await createTestDatabase()
  await seedAccounts(own.db)
  const name = new URL(own.url).pathname.slice(1)
  const admin = new pg.Client({ connectionString: own.url.replace(name, 'postgres') })
  await admin.connect()
  const registry = await spawnRegistry({ databaseUrl: own.url, data })
  running.push(registry)
  const client = new TestClient(registry.base, pem)
  await client.push('acme/app', 'v1')
  const get = () => client.call('GET', '/v2/acme/app/manifests/v1')
  await admin.query(`ALTER DATABASE "${name}" WITH ALLOW_CONNECTIONS false`)
  await admin.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1', [name])
  await expect.poll(async () => (await fetch(`${client.base}/healthz`)).status).toBe(503)
  const away = await get()
  expect(away.status).toBeGreaterThanOrEqual(500)
  expect((await away.json()).errors[0].message).not.toMatch(/prisma|select|postgres/i)
  await admin.query(`ALTER DATABASE "${name}" WITH ALLOW_CONNECTIONS true`)
  await expect.poll(async () => (await get()).status, { timeout: 10_000 }).toBe(200)
  await admin.end()
  await registry.end('SIGKILL')
  await own.drop()
})
