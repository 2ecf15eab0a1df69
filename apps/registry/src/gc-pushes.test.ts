/** The collector and pushes that take longer than its grace; and what it does when there is very much to do. */
import { connect } from 'node:net'
import { digestBytes } from '@slipway/oci/node'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { Collector } from './gc'
import { FilesystemStore } from './store/filesystem'
import { type Fixture, startFixture } from './testing/fixture'

const HOUR = 3_600_000
let f: Fixture
let store: FilesystemStore
beforeAll(async () => {
  f = await startFixture({ patience: { touchMs: 20 } })
  store = new FilesystemStore(f.root)
})
afterAll(() => f.close())

const collector = (options: { batch?: number; pauseMs?: number } = {}) =>
  new Collector({ db: f.db, store, log: pino({ level: 'silent' }), busyUploads: new Set(), ...options })
const ago = (hours: number) => new Date(Date.now() - hours * HOUR)
const begin = async (name: string) => (await f.call('POST', `/v2/${name}/blobs/uploads/`)).headers.get('location') ?? ''
const idOf = (location: string) => location.split('/').at(-1) ?? ''

it('goes on until nothing is left, however much there is', async () => {
  for (const name of ['one', 'two', 'three', 'four', 'five'])
    for (const layer of ['a', 'b']) await f.pushBlob(`acme/many-${name}`, `${layer} of ${name}`)
  await f.db.repositoryBlob.updateMany({ data: { seenAt: ago(2) } })
  await f.db.blob.updateMany({ data: { createdAt: ago(2) } })
  expect(await collector({ batch: 2, pauseMs: 0 }).collect()).toMatchObject({ links: 10, blobs: 10 })
  expect(await f.db.blob.count()).toBe(0)
})

it('begins no other group when it is told to stop', async () => {
  for (const layer of ['a', 'b', 'c', 'd', 'e', 'f']) await f.pushBlob('acme/stopped', layer)
  await f.db.repository.deleteMany({ where: { name: 'stopped' } })
  await f.db.blob.updateMany({ data: { createdAt: ago(2) } })
  const stopping = collector({ batch: 2, pauseMs: HOUR })
  const collected = stopping.collect()
  await vi.waitFor(async () => expect(await f.db.blob.count()).toBe(4))
  await stopping.stop()
  expect((await collected).blobs).toBe(2)
})

it('keeps the small layers of a push whose large one is still coming, for a day', async () => {
  const small = await f.pushBlob('acme/long', 'small layer')
  const other = await f.pushBlob('acme/elsewhere', 'of another repository')
  const location = await begin('acme/long')
  await f.call('PATCH', location, { body: 'half of a large one' })
  const set = (seenAt: Date, updatedAt: Date) =>
    Promise.all([
      f.db.repositoryBlob.updateMany({ where: { digest: { in: [small, other] } }, data: { seenAt } }),
      f.db.upload.updateMany({ where: { id: idOf(location) }, data: { updatedAt } }),
    ])
  const isThere = async (digest: string) => (await f.db.repositoryBlob.count({ where: { digest } })) > 0
  await set(ago(5), ago(0.5))
  await collector().collect()
  expect([await isThere(small), await isThere(other)]).toEqual([true, false])
  // The large one is there since a moment, the manifest is on its way.
  expect((await f.call('PUT', `${location}?digest=${digestBytes('half of a large one')}`)).status).toBe(201)
  await collector().collect()
  expect(await isThere(small)).toBe(true)
  // Nobody goes on with it.
  await f.db.repositoryBlob.updateMany({ data: { seenAt: ago(1.5) } })
  await f.db.repositoryBlob.updateMany({ where: { digest: small }, data: { seenAt: ago(5) } })
  const left = await begin('acme/long')
  await f.db.upload.updateMany({ where: { id: idOf(left) }, data: { updatedAt: ago(2) } })
  await collector().collect()
  expect(await isThere(small)).toBe(false)
})

it('keeps links no longer than a day, however busy the repository is', async () => {
  const loose = await f.pushBlob('acme/busy', 'nobody wants it')
  await begin('acme/busy')
  await f.db.repositoryBlob.updateMany({ where: { digest: loose }, data: { seenAt: ago(25) } })
  await collector().collect()
  expect(await f.db.repositoryBlob.count({ where: { digest: loose } })).toBe(0)
})

it('knows of bytes that come, and of those that came before the line broke', async () => {
  const location = await begin('acme/broken')
  const id = idOf(location)
  const token = await f.sign([{ type: 'repository', name: 'acme/broken', actions: ['push'] }])
  const socket = connect(Number(new URL(f.base).port), '127.0.0.1')
  const row = () => f.db.upload.findUniqueOrThrow({ where: { id } })
  const setBack = () => f.db.upload.update({ where: { id }, data: { updatedAt: ago(30) } })
  socket.on('error', () => undefined)
  socket.write(
    `PATCH ${location} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nContent-Length: 100000\r\n\r\n${'x'.repeat(5000)}`,
  )
  await setBack()
  await vi.waitFor(async () => expect((await row()).updatedAt.getTime()).toBeGreaterThan(ago(1).getTime()))
  socket.destroy()
  await vi.waitFor(async () => expect(await row()).toMatchObject({ bytes: 5000n }))
  expect((await collector().collect()).uploads).toBe(0)
  expect((await f.call('GET', location)).headers.get('range')).toBe('0-4999')
})
