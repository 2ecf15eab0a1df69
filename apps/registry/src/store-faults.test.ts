/** A disk that errs, and one that stalls. A bucket that does either: s3.test.ts; a disk that is full: faults.test.ts; bytes that changed: integrity.test.ts. */
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { digestBytes } from '@slipway/oci/node'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { FilesystemStore } from './store/filesystem'
import { type Fixture, startFixture } from './testing/fixture'

const MIB = 1024 * 1024
let folder: string
let disk: string
let f: Fixture | undefined
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'slipway-disk-'))
  disk = path.join(folder, 'disk')
  await mkdir(disk)
})
afterEach(async () => {
  await f?.close()
  execFileSync('umount', [disk])
  await rm(folder, { recursive: true, force: true })
})

const begin = async (on: Fixture) => (await on.call('POST', '/v2/acme/disk/blobs/uploads/')).headers.get('location') ?? ''
const whole = (on: Fixture, content: Buffer | string) =>
  on.call('POST', `/v2/acme/disk/blobs/uploads/?digest=${digestBytes(content)}`, { body: content })

it('that became read-only, as Linux makes one with errors: pushes are answered 503, pulls go on, and so do the uploads when it is back', async () => {
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'tmpfs', disk])
  f = await startFixture({ store: new FilesystemStore(disk) })
  const image = await f.push('acme/disk', 'v1')
  const location = await begin(f)
  expect((await f.call('PATCH', location, { body: 'before ' })).status).toBe(202)
  execFileSync('mount', ['-o', 'remount,ro', disk])
  try {
    const answers = [
      await f.call('PATCH', location, { body: 'during' }),
      await f.call('PUT', `${location}?digest=${digestBytes('before ')}`),
      await f.call('DELETE', location),
      await whole(f, 'in one request'),
    ]
    for (const answer of answers) {
      expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '5'])
      expect((await answer.json()).errors[0]).toMatchObject({ code: 'UNAVAILABLE', message: expect.stringContaining('store of its blobs') })
    }
    for (const digest of image.layers) expect(await (await f.call('GET', `/v2/acme/disk/blobs/${digest}`)).text()).toContain('layer')
    expect(await f.db.blobDamage.count()).toBe(0)
  } finally {
    execFileSync('mount', ['-o', 'remount,rw', disk])
  }
  expect((await f.call('PATCH', location, { body: 'and after' })).status).toBe(202)
  expect((await f.call('PUT', `${location}?digest=${digestBytes('before and after')}`)).status).toBe(201)
  expect(await (await f.call('GET', `/v2/acme/disk/blobs/${digestBytes('before and after')}`)).text()).toBe('before and after')
  expect((await whole(f, 'in one request')).status).toBe(201)
})

it('that does not answer: pushes wait for it, everybody else goes on, and they end well when it does', { timeout: 120_000 }, async () => {
  const image = path.join(folder, 'image')
  await writeFile(image, '')
  await truncate(image, 128 * MIB)
  execFileSync('mkfs.ext4', ['-q', image])
  execFileSync('mount', ['-o', 'loop,noatime', image, disk])
  f = await startFixture({ store: new FilesystemStore(path.join(disk, 'registry')) })
  const pushed = await f.push('acme/disk', 'v1')
  const location = await begin(f)
  const content = randomBytes(4 * MIB)
  expect((await f.call('PATCH', location, { body: content.subarray(0, MIB) })).status).toBe(202)
  execFileSync('fsfreeze', ['-f', disk])
  const ended: number[] = []
  const waiting: Promise<number>[] = []
  try {
    const note = async (answer: Promise<Response>) => {
      const { status } = await answer
      ended.push(status)
      return status
    }
    waiting.push(note(f.call('PATCH', location, { body: content.subarray(MIB) })))
    for (let n = 0; n < 8; n++) waiting.push(note(whole(f, `waits ${n}`)))
    // Each of these would hang if a thread of Node's were not left for it.
    for (let round = 0; round < 3; round++) {
      await new Promise((r) => setTimeout(r, 1000))
      expect((await fetch(`${f.base}/healthz`)).status).toBe(200)
      expect(await (await f.call('GET', '/v2/acme/disk/manifests/v1')).text()).toBe(pushed.manifest)
      expect(await (await f.call('GET', `/v2/acme/disk/blobs/${pushed.layers[0]}`)).text()).toBe('layer one')
      expect((await f.call('GET', '/v2/acme/disk/tags/list')).status).toBe(200)
    }
    expect(ended).toEqual([])
  } finally {
    execFileSync('fsfreeze', ['-u', disk])
  }
  expect(new Set(await Promise.all(waiting))).toEqual(new Set([201, 202]))
  expect((await f.call('PUT', `${location}?digest=${digestBytes(content)}`)).status).toBe(201)
  const back = await f.call('GET', `/v2/acme/disk/blobs/${digestBytes(content)}`)
  expect(digestBytes(new Uint8Array(await back.arrayBuffer()))).toBe(digestBytes(content))
})

it('that loses what it was given: no push is told to be safe, repeated or not, and the next one is', { timeout: 60_000 }, async () => {
  const backing = path.join(folder, 'backing')
  await mkdir(backing)
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=12m', 'tmpfs', backing])
  const image = path.join(backing, 'image')
  await writeFile(image, '')
  await truncate(image, 256 * MIB)
  // Without a journal, which would make the whole disk read-only: its data is what must be lost.
  execFileSync('mkfs.ext4', ['-q', '-O', '^has_journal', '-E', 'lazy_itable_init=1', image])
  execFileSync('mount', ['-o', 'loop,noatime,errors=continue', image, disk])
  try {
    f = await startFixture({ store: new FilesystemStore(path.join(disk, 'registry')) })
    execFileSync('sync', ['-f', disk])
    // Below and above what is synced while more comes.
    for (const size of [14 * MIB, 40 * MIB]) {
      const content = randomBytes(size)
      const location = await begin(f)
      const sent = await f.call('PATCH', location, { body: content })
      for (let round = 0; round < 3; round++) {
        const answer = await f.call('PUT', `${location}?digest=${digestBytes(content)}`)
        expect(answer.status, `round ${round} of ${size}, after ${sent.status}`).toBeGreaterThanOrEqual(400)
      }
      expect((await f.call('HEAD', `/v2/acme/disk/blobs/${digestBytes(content)}`)).status).toBe(404)
    }
    execFileSync('mount', ['-o', 'remount,size=200m', backing])
    const content = randomBytes(40 * MIB)
    expect((await whole(f, content)).status).toBe(201)
    const back = await f.call('GET', `/v2/acme/disk/blobs/${digestBytes(content)}`)
    expect(digestBytes(new Uint8Array(await back.arrayBuffer()))).toBe(digestBytes(content))
    await f.close()
    f = undefined
  } finally {
    execFileSync('umount', [disk])
    execFileSync('umount', [backing])
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', disk])
  }
})
