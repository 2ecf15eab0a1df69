/** PostgreSQL gone for ten seconds, in the middle of pushes and pulls: cut off, and (worse) there but silent. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { digestBytes } from '@slipway/oci/node'
import { createTestDatabase, type TestDatabase } from '@slipway/testing'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { FilesystemStore } from './store/filesystem'
import { storeAgrees } from './testing/agrees'
import { newKeyPem, seedAccounts, TestClient } from './testing/fixture'
import { type RegistryProcess, spawnRegistry, writeKey } from './testing/process'
import { type Line, startLine } from './testing/proxy'

const AWAY_MS = 10_000
const pem = newKeyPem()
let database: TestDatabase
let data: string
let line: Line
let registry: RegistryProcess
beforeAll(async () => {
  database = await createTestDatabase()
  await seedAccounts(database.db)
  data = await mkdtemp(path.join(tmpdir(), 'slipway-away-'))
  await writeKey(data, pem)
  const url = new URL(database.url)
  line = await startLine(Number(url.port))
  url.host = `127.0.0.1:${line.port}`
  registry = await spawnRegistry({ databaseUrl: url.href, data })
})
afterAll(async () => {
  await registry?.end('SIGKILL')
  await line?.close()
  await database?.drop()
  await rm(data, { recursive: true, force: true })
})

it.each(['cut', 'held'] as const)(
  '%s: nobody is told a wrong thing, and all of it goes on afterwards',
  { timeout: 180_000 },
  async (state) => {
    const name = `acme/${state}`
    const client = new TestClient(registry.base, pem)
    const there = await client.push(name, 'v1', ['there before'])
    const location = (await client.call('POST', `/v2/${name}/blobs/uploads/`)).headers.get('location') ?? ''
    expect((await client.call('PATCH', location, { body: 'half ' })).status).toBe(202)

    let over = false
    const told: { digest: string; tag: string }[] = []
    const refused = new Set<string>()
    const said = new Set<number>()
    const pushing = Array.from({ length: 4 }, async (_, worker) => {
      for (let n = 0; !over; n++) {
        const tag = `w${worker}-${n}`
        await client.push(name, tag, [`layer ${worker} ${n}`]).then(
          ({ digest }) => told.push({ digest, tag }),
          (error: Error) => refused.add(error.message),
        )
        await new Promise((r) => setTimeout(r, 100))
      }
    })
    const pulling = (async () => {
      while (!over) {
        const answer = await client.call('GET', `/v2/${name}/manifests/v1`)
        said.add(answer.status)
        if (answer.status === 200) expect(await answer.text()).toBe(there.manifest)
        else expect(await answer.text()).toContain('UNAVAILABLE')
        await new Promise((r) => setTimeout(r, 100))
      }
    })()
    await expect.poll(() => told.length, { timeout: 30_000 }).toBeGreaterThan(2)
    line.set(state)
    await new Promise((r) => setTimeout(r, AWAY_MS))
    line.set('open')
    const before = told.length
    await expect.poll(() => told.length, { timeout: 60_000 }).toBeGreaterThan(before + 4)
    over = true
    await Promise.all([...pushing, pulling])

    // 404 or 401 would make a client believe something; only "not now" may be said.
    expect([...said].filter((status) => status !== 200 && status !== 503)).toEqual([])
    for (const message of refused) expect(message).toMatch(/^(?:blob|manifest): 503 .*UNAVAILABLE/)
    if (state === 'cut') expect(refused.size).toBeGreaterThan(0)
    for (const { digest, tag } of told) {
      const answer = await client.call('GET', `/v2/${name}/manifests/${tag}`)
      expect([answer.status, answer.headers.get('docker-content-digest')], tag).toEqual([200, digest])
    }
    expect((await client.call('PATCH', location, { body: 'and half', headers: { 'content-range': '5-12' } })).status).toBe(202)
    expect((await client.call('PUT', `${location}?digest=${digestBytes('half and half')}`)).status).toBe(201)
    await storeAgrees(database, new FilesystemStore(path.join(data, 'registry')), state)
  },
)
