/** `verify` in a process of its own asks whom the service would ask. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { FilesystemStore } from '../store/filesystem'
import { type Fixture, startFixture } from '../testing/fixture'
import { addUpstream, PlainUpstream } from '../testing/upstream'
import { verifyCommand } from './command'

let f: Fixture
let data: string
let store: FilesystemStore
const upstream = new PlainUpstream()
beforeAll(async () => {
  data = await mkdtemp(path.join(tmpdir(), 'slipway-verify-'))
  store = new FilesystemStore(path.join(data, 'registry'))
  f = await startFixture({ store })
  vi.stubEnv('DATABASE_URL', f.databaseUrl)
  vi.stubEnv('SLIPWAY_DATA', data)
})
afterAll(async () => {
  vi.unstubAllEnvs()
  await f?.close()
  await upstream.stop()
  await rm(data, { recursive: true, force: true })
})

it('brings a lost blob back from its upstream with --repair, and asks nobody without', async () => {
  const name = `${await addUpstream(f.db, await upstream.start())}/team/app`
  for (const url of ['manifests/1', `blobs/${upstream.layerDigest}`]) {
    const answer = await f.call('GET', `/v2/${name}/${url}`)
    expect(answer.status).toBe(200)
    await answer.arrayBuffer()
  }
  await expect.poll(() => store.size(upstream.layerDigest)).toBe(upstream.layer.byteLength)
  await store.remove(upstream.layerDigest)
  const lines: string[] = []
  expect(await verifyCommand([], (line) => lines.push(line))).toBe(2)
  expect(lines.join('\n')).toContain(`blob-missing  ${upstream.layerDigest}`)
  expect(await store.size(upstream.layerDigest)).toBeUndefined()
  await verifyCommand(['--repair'], (line) => lines.push(line))
  expect(await store.size(upstream.layerDigest)).toBe(upstream.layer.byteLength)
})
