/** Blobs on their way out: whole, in parts, to clients that leave, and from a damaged disk. */
import { randomBytes } from 'node:crypto'
import { readdir, readlink, truncate } from 'node:fs/promises'
import path from 'node:path'
import { digestBytes } from '@slipway/oci/node'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Fixture, startFixture } from './testing/fixture'

let f: Fixture
beforeAll(async () => {
  f = await startFixture()
})
afterAll(() => f.close())

it('gives nothing of a blob whose file is too short, and holds no file of a client that left', async () => {
  const content = randomBytes(3 * 1024 * 1024)
  const digest = digestBytes(content)
  await f.call('POST', `/v2/acme/cut/blobs/uploads/?digest=${digest}`, { body: content })
  const file = path.join(f.root, 'blobs/sha256', digest.slice(7, 9), digest.slice(7))
  const openFiles = async () => {
    const links = await Promise.all((await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')))
    return links.filter((link) => link === file).length
  }
  const get = (headers: Record<string, string> = {}) => f.call('GET', `/v2/acme/cut/blobs/${digest}`, { headers })
  const parts = await Promise.all([get(), get({ range: 'bytes=1000000-2999999' }), get()])
  const [whole, part] = await Promise.all(parts.slice(0, 2).map(async (answer) => Buffer.from(await answer.arrayBuffer())))
  expect(whole?.equals(content)).toBe(true)
  expect(part?.equals(content.subarray(1_000_000, 3_000_000))).toBe(true)
  // Leaves after the head, with most of it unsent.
  await parts[2]?.body?.cancel()
  await expect.poll(openFiles).toBe(0)
  await truncate(file, 1_500_000)
  expect((await get()).status).toBe(404)
  await expect.poll(openFiles).toBe(0)
})
