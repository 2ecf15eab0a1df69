/** A layer of 8 GB through a registry process, in a few minutes at most; where the disk has no room for it, it is left out. */
import { createHash } from 'node:crypto'
import { statfsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createTestDatabase } from '@slipway/testing'
import { describe, expect, it } from 'vitest'
import { newKeyPem, seedAccounts, TestClient } from '../../../apps/registry/src/testing/fixture'
import { spawnRegistry, writeKey } from '../../../apps/registry/src/testing/process'

const MIB = 1024 * 1024
const SIZE = 8 * 1024 * MIB

const { bavail, bsize } = statfsSync(tmpdir())

describe.runIf(bavail * bsize > 3 * SIZE)('a layer of 8 GB', () => {
  it('goes in and out with less than 250 MB of memory', { timeout: 30 * 60_000 }, async () => {
    const database = await createTestDatabase()
    const data = await mkdtemp(path.join(tmpdir(), 'slipway-large-'))
    const pem = newKeyPem()
    await writeKey(data, pem)
    await seedAccounts(database.db)
    const registry = await spawnRegistry({ databaseUrl: database.url, data })
    try {
      const client = new TestClient(registry.base, pem)
      const piece = Buffer.alloc(MIB, 'eight gigabytes')
      const hash = createHash('sha256')
      const location = (await client.call('POST', '/v2/acme/large/blobs/uploads/')).headers.get('location') ?? ''
      function* content() {
        for (let sent = 0; sent < SIZE; sent += MIB) {
          hash.update(piece)
          yield piece
        }
      }
      const authorization = `Bearer ${await client.sign([{ type: 'repository', name: 'acme/large', actions: ['pull', 'push'] }])}`
      const start = performance.now()
      const status = await new Promise<number | undefined>((resolve, reject) => {
        const headers = { authorization, 'content-length': SIZE }
        const patch = request(registry.base + location, { method: 'PATCH', headers }, (answer) => resolve(answer.resume().statusCode))
        pipeline(Readable.from(content()), patch).catch(reject)
      })
      expect(status).toBe(202)
      const digest = `sha256:${hash.digest('hex')}`
      expect((await client.call('PUT', `${location}?digest=${digest}`)).status).toBe(201)
      const pushed = performance.now()
      const answer = await client.call('GET', `/v2/acme/large/blobs/${digest}`)
      const back = createHash('sha256')
      for await (const chunk of answer.body as unknown as AsyncIterable<Uint8Array>) back.update(chunk)
      expect(`sha256:${back.digest('hex')}`).toBe(digest)
      const peak = Number(/VmHWM:\s+(\d+) kB/.exec(await readFile(`/proc/${registry.child.pid}/status`, 'utf8'))?.[1]) / 1024
      const seconds = (ms: number) => (ms / 1000).toFixed(0)
      process.stdout.write(
        `8 GB: in ${seconds(pushed - start)} s, out ${seconds(performance.now() - pushed)} s, at most ${peak.toFixed(0)} MB\n`,
      )
      expect(peak).toBeLessThan(250)
    } catch (error) {
      process.stdout.write(registry.output())
      throw error
    } finally {
      await registry.end('SIGTERM')
      await database.drop()
      await rm(data, { recursive: true, force: true })
    }
  })
})
