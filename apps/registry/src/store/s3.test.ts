import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { newId } from '@slipway/core'
import { digestBytes } from '@slipway/oci/node'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type S3Server, startS3Server } from '../testing/s3'
import { S3Store } from './s3'
import type { S3Options } from './s3-bucket'
import { storeSuite } from './store.suite'

let server: S3Server
// The first run on a machine builds the server.
beforeAll(async () => {
  server = await startS3Server()
}, 600_000)
afterAll(() => server?.stop())

const open = async (options: S3Options) => {
  const store = new S3Store(options)
  await store.prepare()
  return store
}

storeSuite('S3 store', async () => {
  const options = server.options()
  return { store: await open(options), reopen: () => open(options) }
})

const MIB = 1024 * 1024
const LIMIT = 1e9
const piecesOf = (content: Buffer, bytes: number) =>
  Readable.from(Array.from({ length: Math.ceil(content.byteLength / bytes) }, (_, i) => content.subarray(i * bytes, (i + 1) * bytes)))

it('puts a blob together from large and small pieces, written by two processes', async () => {
  const options = server.options()
  const [one, two] = [await open(options), await open(options)]
  const content = randomBytes(23 * MIB + 17)
  const digest = digestBytes(content)
  const id = newId('upload')
  // A first request, then five of a few bytes each, then the rest in another process.
  await one.append(id, piecesOf(content.subarray(0, 10 * MIB), 70_000), LIMIT)
  let size = 10 * MIB
  for (const next of [1, 100, 65_536, 3, MIB]) {
    size = await one.append(id, Readable.from([content.subarray(size, size + next)]), LIMIT)
  }
  expect(await two.uploadSize(id)).toBe(size)
  expect(await two.append(id, piecesOf(content.subarray(size), 65_536), LIMIT)).toBe(content.byteLength)
  // It has only seen the first bytes, so it reads all of them again.
  expect(await one.seal(id, digest)).toEqual({ size: content.byteLength })
  expect(await two.size(digest)).toBeUndefined()
  await one.place(id, digest)
  const stream = await two.open(digest)
  expect(stream && digestBytes(await buffer(stream))).toBe(digest)
  const range = await two.open(digest, { start: 8 * MIB - 5, end: 11 * MIB })
  expect(range && (await buffer(range)).equals(content.subarray(8 * MIB - 5, 11 * MIB + 1))).toBe(true)
})

it('places only what it has verified, when somebody else writes meanwhile', async () => {
  const options = server.options()
  const [one, two] = [await open(options), await open(options)]
  const content = randomBytes(9 * MIB)
  const id = newId('upload')
  await one.append(id, piecesOf(content, MIB), LIMIT)
  await one.seal(id, digestBytes(content))
  await two.discard(id)
  await two.append(id, Readable.from([randomBytes(9 * MIB)]), LIMIT)
  await one.place(id, digestBytes(content))
  const stream = await two.open(digestBytes(content))
  expect(stream && digestBytes(await buffer(stream))).toBe(digestBytes(content))

  const small = newId('upload')
  await one.append(small, Readable.from([Buffer.from('verified')]), LIMIT)
  await one.seal(small, digestBytes('verified'))
  await two.discard(small)
  await two.append(small, Readable.from([Buffer.from('other...')]), LIMIT)
  await expect(one.place(small, digestBytes('verified'))).rejects.toMatchObject({ name: 'StoreUnavailableError' })
  expect(await one.size(digestBytes('verified'))).toBeUndefined()
})

it('ends what a crash between verifying and placing left, and nothing younger', async () => {
  const options = server.options()
  const store = await open(options)
  const content = randomBytes(17 * MIB)
  const id = newId('upload')
  await store.append(id, piecesOf(content, MIB), LIMIT)
  await store.seal(id, digestBytes(content))
  const again = await open(options)
  await again.sweep(new Date(Date.now() - 60_000))
  await again.sweep(new Date(Date.now() + 60_000))
  await expect(store.place(id, digestBytes(content))).rejects.toThrow()
  // The bytes are still there, and another try puts them together anew.
  await again.seal(id, digestBytes(content))
  await again.place(id, digestBytes(content))
  expect(await again.size(digestBytes(content))).toBe(content.byteLength)
})

it('links to one blob for a while, and to nothing else', async () => {
  const store = await open(server.options({ redirect: true }))
  const id = newId('upload')
  await store.append(id, Readable.from([Buffer.from('hello')]), LIMIT)
  await store.seal(id, digestBytes('hello'))
  await store.place(id, digestBytes('hello'))
  const link = new URL((await store.link(digestBytes('hello'))) ?? '')
  expect(Number(link.searchParams.get('X-Amz-Expires'))).toBeLessThanOrEqual(60)
  expect(await (await fetch(link)).text()).toBe('hello')
  link.pathname = link.pathname.replace(/[^/]+$/, 'other')
  expect((await fetch(link)).status).toBe(403)
  expect(await (await open(server.options())).link(digestBytes('hello'))).toBeUndefined()
})

it('says in time that the server does not let it in or is not there, without a secret', async () => {
  const { bucket, ...rest } = server.options()
  await expect(open({ ...rest, bucket: 'none' })).rejects.toMatchObject({ name: 'StoreUnavailableError', reason: 'NoSuchBucket' })
  const away = new S3Store(server.options({ endpoint: 'http://127.0.0.1:9', deadlineMs: 3000 }))
  const error = await away.prepare().catch((thrown: Error) => thrown)
  expect(error).toMatchObject({ name: 'StoreUnavailableError' })
  expect(JSON.stringify(error) + String((error as Error).cause)).not.toMatch(/authorization|signature|credential=/i)
  expect(bucket).toBe('blobs')
})
