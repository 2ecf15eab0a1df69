/** Names, digests, ranges and bodies that mean harm. */

import { readdir } from 'node:fs/promises'
import { connect } from 'node:net'
import path from 'node:path'
import { digestBytes } from '@slipway/oci/node'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Fixture, startFixture } from './testing/fixture'

let f: Fixture
beforeAll(async () => {
  f = await startFixture({ maxBlobBytes: 1024 * 1024 })
})
afterAll(() => f.close())

/** As the bytes go over the wire: fetch would tidy the path up. */
function raw(request: string, lingerMs = 0): Promise<string> {
  return new Promise((resolve, reject) => {
    const { port } = new URL(f.base)
    const socket = connect(Number(port), '127.0.0.1', () => {
      socket.write(request)
      // Long enough that the registry is reading when the line is cut.
      setTimeout(() => socket.end(), lingerMs)
    })
    let answer = ''
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString()))
    socket.on('end', () => resolve(answer))
    socket.on('error', reject)
  })
}

const errorOf = async (response: Response) => ((await response.json()) as { errors: { code: string; message: string }[] }).errors[0]

it.each([
  '/v2/../../etc/passwd/blobs/x',
  '/v2/acme/..%2f..%2fetc/manifests/v1',
  '/v2/acme/%00/manifests/v1',
  '/v2/acme/Hello/manifests/v1',
  '/v2/acme//x/manifests/v1',
  `/v2/acme/${'a'.repeat(300)}/manifests/v1`,
  '/v2/hello/manifests/v1',
  '/v2/acme/h;rm%20-rf/tags/list',
])('refuses the name in %s', async (url) => {
  const answer = await raw(`GET ${url} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
  expect(answer).toMatch(/^HTTP\/1\.1 400 /)
  expect(answer).toContain('NAME_INVALID')
})

it('has nothing at other addresses, and no other methods', async () => {
  for (const url of ['/', '/v1/', '/v2/acme/hello', '/v2/acme/hello/nonsense/x', '/admin', '/v2/%zz']) {
    expect((await fetch(f.base + url)).status, url).toBeGreaterThanOrEqual(400)
  }
  const response = await f.call('POST', '/v2/acme/hello/manifests/v1', { body: 'x' })
  expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, HEAD, PUT, DELETE'])
  expect((await fetch(`${f.base}/v2/${'a/'.repeat(5000)}tags/list`)).status).toBe(414)
})

it('refuses digests and references that are none', async () => {
  for (const digest of [
    'sha256:short',
    `sha256:${'G'.repeat(64)}`,
    'md5:d41d8cd98f00b204e9800998ecf8427e',
    'sha256:..%2f..%2f..%2fetc%2fpasswd',
  ]) {
    const response = await f.call('GET', `/v2/acme/hello/blobs/${encodeURIComponent(digest)}`)
    expect([response.status, (await errorOf(response))?.code], digest).toEqual([400, 'DIGEST_INVALID'])
  }
  for (const reference of ['-start', 'a b', 'x'.repeat(129), 'ä']) {
    expect((await f.call('GET', `/v2/acme/hello/manifests/${encodeURIComponent(reference)}`)).status, reference).toBe(400)
  }
  for (const id of ['..', 'upl_x', '..%2f..%2fx']) {
    expect((await f.call('PATCH', `/v2/acme/hello/blobs/uploads/${id}x`, { body: 'x' })).status, id).toBe(404)
  }
})

it('refuses a wrong digest, and nothing of it stays', async () => {
  const claimed = digestBytes('what was claimed')
  const whole = await f.call('POST', `/v2/acme/hello/blobs/uploads/?digest=${claimed}`, { body: 'what came' })
  expect([whole.status, (await errorOf(whole))?.code]).toEqual([400, 'DIGEST_INVALID'])
  const location = (await f.call('POST', '/v2/acme/hello/blobs/uploads/')).headers.get('location')
  expect((await f.call('PUT', `${location}?digest=${claimed}`, { body: 'what came' })).status).toBe(400)
  expect((await f.call('GET', location ?? '')).status).toBe(404)
  expect((await f.call('PUT', `${location}?digest=${claimed}`, { body: 'what was claimed' })).status).toBe(404)
  for (const digest of [claimed, digestBytes('what came')])
    expect((await f.call('HEAD', `/v2/acme/hello/blobs/${digest}`)).status).toBe(404)
  expect(await readdir(path.join(f.root, 'uploads'))).toEqual([])
  expect(await f.db.blob.count()).toBe(0)
})

it('takes no blob over the limit, announced or not', async () => {
  const large = Buffer.alloc(1024 * 1024 + 1)
  const announced = await f.call('POST', `/v2/acme/hello/blobs/uploads/?digest=${digestBytes(large)}`, { body: large })
  expect([announced.status, (await errorOf(announced))?.code]).toEqual([413, 'SIZE_INVALID'])
  const location = (await f.call('POST', '/v2/acme/hello/blobs/uploads/')).headers.get('location') ?? ''
  expect((await f.call('PATCH', location, { body: large })).status).toBe(413)
})

it('keeps a truncated upload resumable, and never as a blob', async () => {
  const start = await f.call('POST', '/v2/acme/hello/blobs/uploads/')
  const location = start.headers.get('location') ?? ''
  const token = await f.sign([{ type: 'repository', name: 'acme/hello', actions: ['pull', 'push'] }])
  // Ten bytes are announced and four sent, then the line is cut.
  await raw(`PATCH ${location} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nContent-Length: 10\r\n\r\nfour`, 300)
  await expect.poll(async () => (await f.call('GET', location)).headers.get('range')).toBe('0-3')
  const digest = digestBytes('four+rest')
  await expect.poll(async () => (await f.call('PATCH', location, { body: '+rest', headers: { 'content-range': '4-8' } })).status).toBe(202)
  expect((await f.call('PUT', `${location}?digest=${digest}`)).status).toBe(201)
  const monolithic = `/v2/acme/hello/blobs/uploads/?digest=${digestBytes('0123456789')}`
  await raw(`POST ${monolithic} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nContent-Length: 10\r\n\r\n01234`, 300)
  await expect.poll(() => readdir(path.join(f.root, 'uploads'))).toEqual([])
  expect((await f.call('HEAD', `/v2/acme/hello/blobs/${digestBytes('0123456789')}`)).status).toBe(404)
})

it('cannot be made to send headers of a client’s choice', async () => {
  const answer = await raw('GET /v2/ HTTP/1.1\r\nHost: evil",x="y\r\nConnection: close\r\n\r\n')
  expect(answer).toContain('realm="http://localhost/token"')
})
