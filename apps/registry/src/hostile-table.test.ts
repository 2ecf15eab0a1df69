/** What may come over the wire that means harm, as tables: each is refused with the code of the specification, and leaves nothing. */
import { OCI_MANIFEST } from '@slipway/oci'
import { digestBytes } from '@slipway/oci/node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Hostile, LAYER, NAME, refused, startHostile } from './testing/hostile'
import { sendRaw } from './testing/raw'

let world: Hostile
let f: Hostile['f']
let image: Hostile['image']
let token: string
beforeAll(async () => {
  world = await startHostile()
  ;({ f, image, token } = world)
})
afterAll(() => world.close())
const ask: Hostile['ask'] = (...given) => world.ask(...given)

describe('names', () => {
  it.each([
    '..',
    '../..',
    '%2e%2e',
    '%2E%2E/%2E%2E',
    '..%2f..',
    '..%5c..',
    '..\\..',
    '%252e%252e',
    '.%2e/x',
    'x/./y',
    'x/../y',
    'x//y',
    '%2f%2fx',
    'x/',
    '/x',
    '%00',
    'x%00y',
    'x%0d%0aSet-Cookie:%20a',
    'x%09y',
    'x%20y',
    'x%7fy',
    '%c0%ae%c0%ae',
    '%ef%bc%8e%ef%bc%8e',
    '%e2%80%ae',
    '%f0%9f%92%a9',
    'caf%c3%a9',
    '%ed%a0%80',
    'UPPER',
    '-x',
    'x-',
    '.x',
    'x.',
    '_x',
    'x..y',
    'x.-y',
    'x___y',
    'x;y',
    'x:y',
    'x@y',
    "x'y",
    'x"y',
    'x`y',
    'x$(id)',
    'x|y',
    'x*',
    'x?',
    '%3f',
    '%23',
    'a'.repeat(256),
    `${'a/'.repeat(200)}a`,
  ])('%j is none', async (name) => {
    for (const tail of ['manifests/v1', 'tags/list', `blobs/${image.layers[0]}`]) {
      const answer = await ask('GET', `/v2/acme/${name}/${tail}`)
      // A `?` begins the query, which leaves an address where nothing is.
      const [status, code] = refused(answer)
      expect(['NAME_INVALID', 'UNSUPPORTED'], `${name} ${tail}`).toContain(code)
      expect([400, 404, 414]).toContain(status)
    }
    const push = await ask('POST', `/v2/acme/${name}/blobs/uploads/`, ['Content-Length: 0'])
    expect([400, 401, 404]).toContain(push.status)
    expect(push.headers.location).toBeUndefined()
  })

  it.each(['GET http://other.example/v2/acme/hostile/manifests/v1', 'GET *', 'GET //v2/', 'GET /v2/%', 'GET /v2/%f', 'GET /v2/%zz/x'])(
    '%s is no address',
    async (line) => {
      const [method = '', url = ''] = line.split(' ')
      expect((await ask(method, url)).status).toBeGreaterThanOrEqual(400)
    },
  )
})

describe('tags and digests', () => {
  const hex = digestBytes(LAYER).slice(7)
  it.each([
    `sha256:${hex.toUpperCase()}`,
    `SHA256:${hex}`,
    `sha256:${hex.slice(1)}`,
    `sha256:${hex}0`,
    `sha256:${hex.slice(1)}g`,
    `sha256:${hex}%00`,
    `sha256:%20${hex.slice(1)}`,
    'sha256:',
    `:${hex}`,
    `sha256:${'0'.repeat(5000)}`,
    `sha512:${hex}`,
    `sha512:${hex.repeat(2).toUpperCase()}`,
    `sha384:${hex}${hex.slice(32)}`,
    `sha1:${hex.slice(24)}`,
    'md5:d41d8cd98f00b204e9800998ecf8427e',
    `sha256+b64:${hex}`,
    `__proto__:${hex}`,
    `constructor:${hex}`,
    `toString:${hex}`,
    `sha256:${'..%2f'.repeat(10)}`,
    `sha256:..%2f..%2f..%2fetc%2fpasswd`,
  ])('%s is no digest', async (digest) => {
    for (const url of [`/v2/${NAME}/blobs/${digest}`, `/v2/${NAME}/manifests/${digest}`, `/v2/${NAME}/referrers/${digest}`]) {
      const [status, code] = refused(await ask('GET', url))
      expect([400, 404], url).toContain(status)
      expect(['DIGEST_INVALID', 'MANIFEST_INVALID', 'NAME_INVALID', 'UNSUPPORTED'], url).toContain(code)
    }
    const upload = await ask('POST', `/v2/${NAME}/blobs/uploads/?digest=${digest}`, ['Content-Length: 1'], 'x')
    expect(refused(upload)).toEqual([400, 'DIGEST_INVALID'])
    const mount = await ask('POST', `/v2/${NAME}/blobs/uploads/?mount=${digest}&from=${NAME}`, ['Content-Length: 0'])
    // A mount that cannot be is answered with an upload, as the specification has it, or refused.
    expect([202, 400]).toContain(mount.status)
    if (mount.status === 202) expect((await ask('DELETE', mount.headers.location ?? '')).status).toBe(204)
  })

  it('of sha512 is a digest, and only its own', async () => {
    const digest = digestBytes('of sha512', 'sha512')
    expect((await f.call('POST', `/v2/${NAME}/blobs/uploads/?digest=${digest}`, { body: 'of sha512' })).status).toBe(201)
    expect(await (await f.call('GET', `/v2/${NAME}/blobs/${digest}`)).text()).toBe('of sha512')
    expect((await f.call('POST', `/v2/${NAME}/blobs/uploads/?digest=${digest}`, { body: 'of another' })).status).toBe(400)
  })

  it.each(['-v1', '.v1', 'v1%20', 'v%00', 'v%0a', 'v%2f1', 'v%c3%a9', 'v1%3bx', 'v+1', 'v~1', 'x'.repeat(129), '%2e%2e', '%e2%80%ae'])(
    '%s is no tag',
    async (tag) => {
      const manifest = image.manifest
      for (const method of ['GET', 'DELETE', 'PUT']) {
        const put = method === 'PUT' ? [`Content-Type: ${OCI_MANIFEST}`, `Content-Length: ${manifest.length}`] : []
        const [status, code] = refused(await ask(method, `/v2/${NAME}/manifests/${tag}`, put, method === 'PUT' ? manifest : ''))
        expect([400, 404], method).toContain(status)
        expect(code, method).toMatch(/^(?:MANIFEST|NAME|TAG|UNSUPPORTED)/)
      }
    },
  )

  it.each(['v1&tag=-v2', 'tag=%00', 'tag=..%2f..', `tag=${'x'.repeat(129)}`])('a push by digest sets no tag ?%s', async (query) => {
    const url = `/v2/${NAME}/manifests/${image.digest}?${query.startsWith('tag') ? '' : 'tag='}${query}`
    const answer = await ask('PUT', url, [`Content-Type: ${OCI_MANIFEST}`, `Content-Length: ${image.manifest.length}`], image.manifest)
    expect(refused(answer)).toEqual([400, 'MANIFEST_INVALID'])
  })

  it.each([
    'n=-1',
    'n=0',
    'n=abc',
    'n=1e9',
    `n=${'9'.repeat(400)}`,
    'n=1&n=2',
    'last=%00',
    `last=${'x'.repeat(5000)}`,
    'last=..%2f..%2f',
    'n=',
  ])('a list with ?%s is refused or an ordinary one', async (query) => {
    const { status, body } = await ask('GET', `/v2/${NAME}/tags/list?${query}`)
    expect([200, 400]).toContain(status)
    if (status === 200) expect(JSON.parse(body)).toMatchObject({ name: NAME })
  })
})

describe('ranges', () => {
  const blob = () => `/v2/${NAME}/blobs/${image.layers[0]}`
  it.each([
    'bytes=-5-3',
    'bytes=--3',
    'bytes=3--1',
    'bytes=+1-2',
    'bytes=0-1,0-1',
    'bytes=0-4,2-6,1-1',
    `bytes=${Array.from({ length: 1000 }, (_, n) => `${n}-${n}`).join(',')}`,
    'bytes=0x0-0x1',
    'bytes=1.5-2',
    'bytes=1e0-2',
    'bytes = 0-1',
    'lines=0-1',
    'BYTES=0-1',
    'bytes',
    'bytes=',
    'bytes=-',
    `bytes=0-${'9'.repeat(300)}`,
    `bytes=${'9'.repeat(300)}-`,
    'bytes=0-1\u00e9',
  ])('%s gives the whole, never something else', async (range) => {
    const { status, body } = await ask('GET', blob(), [`Range: ${range}`])
    expect([status, body]).toEqual([200, LAYER])
  })

  it.each(['bytes=9-', 'bytes=9-9', 'bytes=900-901', 'bytes=5-2', 'bytes=-0'])('%s is nowhere in the blob', async (range) => {
    const { status, headers, body } = await ask('GET', blob(), [`Range: ${range}`])
    expect([status, headers['content-range'], body.includes(LAYER)]).toEqual([416, `bytes */${LAYER.length}`, false])
  })

  it.each([
    ['bytes=0-0', 'l'],
    ['bytes=-999', LAYER],
    ['bytes=4-999', LAYER.slice(4)],
  ])('%s gives that', async (range, expected) => {
    const { status, body } = await ask('GET', blob(), [`Range: ${range}`])
    expect([status, body]).toEqual([206, expected])
  })

  it.each([
    '-1-3',
    '4-3',
    'a-b',
    '0-',
    '-4',
    '0',
    '',
    '0-3,4-5',
    'bytes 0-3/x',
    'items 0-3/4',
    '0x0-0x3',
    `0-${'9'.repeat(30)}`,
    '0-2',
    '0-4',
    '1-4',
    '100-103',
  ])('of a chunk: Content-Range %j does not fit its four bytes', async (range) => {
    const location = (await f.call('POST', `/v2/${NAME}/blobs/uploads/`)).headers.get('location') ?? ''
    const answer = await ask('PATCH', location, [`Content-Range: ${range}`, 'Content-Length: 4'], 'four')
    const [status, code] = refused(answer)
    expect([400, 416]).toContain(status)
    expect(['BLOB_UPLOAD_INVALID', 'SIZE_INVALID']).toContain(code)
    expect((await f.call('GET', location)).headers.get('range')).toBe('0-0')
    expect((await f.call('DELETE', location)).status).toBe(204)
  })
})

describe('heads and bodies that lie', () => {
  const put = (headers: readonly string[], body: string) => ask('PUT', `/v2/${NAME}/manifests/v2`, headers, body)
  it.each([
    ['two lengths', ['Content-Length: 4', 'Content-Length: 5'], 'four'],
    ['a length and chunks', ['Content-Length: 4', 'Transfer-Encoding: chunked'], '4\r\nfour\r\n0\r\n\r\n'],
    ['a negative length', ['Content-Length: -4'], 'four'],
    ['a length with a sign', ['Content-Length: +4'], 'four'],
    ['a length in hex', ['Content-Length: 0x4'], 'four'],
    ['a length with a comma', ['Content-Length: 4, 4'], 'four'],
    ['a length beyond numbers', [`Content-Length: ${'9'.repeat(40)}`], 'four'],
    ['a chunk without a size', ['Transfer-Encoding: chunked'], 'zz\r\nfour\r\n0\r\n\r\n'],
    ['a negative chunk', ['Transfer-Encoding: chunked'], '-4\r\nfour\r\n0\r\n\r\n'],
    ['a chunk longer than it says', ['Transfer-Encoding: chunked'], '2\r\nfour\r\n0\r\n\r\n'],
    ['an encoding nobody knows', ['Transfer-Encoding: gzip, x'], 'four'],
    ['a header that goes on in the next line', ['X-Long: a', ' b'], ''],
    ['a header without a name', [': x'], ''],
    ['a header with a NUL', ['X: a\0b'], ''],
    ['a type with a line break', [`Content-Type: ${OCI_MANIFEST}\rX: y`, 'Content-Length: 4'], 'four'],
    ['a head of 100 KB', [`X-Much: ${'x'.repeat(100_000)}`], ''],
  ])('%s', async (_, headers, body) => {
    const { status } = await put(headers, body)
    expect([400, 408, 411, 413, 431, 501]).toContain(status)
    expect((await f.call('GET', `/v2/${NAME}/manifests/v2`)).status).toBe(404)
  })

  it('2,000 headers are too many or all ignored', async () => {
    const { status } = await ask(
      'GET',
      '/v2/',
      Array.from({ length: 2000 }, (_, n) => `X-${n}: y`),
    )
    expect([200, 431]).toContain(status)
  })

  it('a body that is shorter than its length is no blob', async () => {
    const digest = digestBytes('longer')
    const answer = sendRaw(
      f.base,
      `POST /v2/${NAME}/blobs/uploads/?digest=${digest} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nContent-Length: 60\r\n\r\nlonger`,
      3000,
    )
    expect([0, 408]).toContain((await answer).status)
    expect((await f.call('HEAD', `/v2/${NAME}/blobs/${digest}`)).status).toBe(404)
  })

  it('a body that is longer than its length ends there; the rest is no request of anybody', async () => {
    const digest = digestBytes('ends')
    const smuggled = `ends GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n`
    const { status } = await ask('POST', `/v2/${NAME}/blobs/uploads/?digest=${digest}`, ['Content-Length: 4'], smuggled)
    expect([201, 400]).toContain(status)
    const there = await f.call('GET', `/v2/${NAME}/blobs/${digest}`)
    expect(there.status === 200 ? await there.text() : 'ends').toBe('ends')
  })

  it('what follows the chunks as trailers means nothing', async () => {
    const digest = digestBytes('four')
    const body = `4\r\nfour\r\n0\r\nAuthorization: Basic x\r\nDocker-Content-Digest: ${image.digest}\r\nContent-Range: 0-99\r\n\r\n`
    const answer = await ask('POST', `/v2/${NAME}/blobs/uploads/?digest=${digest}`, ['Transfer-Encoding: chunked'], body)
    expect([answer.status, answer.headers['docker-content-digest']]).toEqual([201, digest])
  })

  it('of two tokens none counts', async () => {
    const { status } = await ask('GET', `/v2/${NAME}/manifests/v1`, ['Authorization: Bearer other'])
    expect([200, 400, 401]).toContain(status)
    const strange = await sendRaw(
      f.base,
      `GET /v2/${NAME}/manifests/v1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer x\r\nAuthorization: Bearer ${token}\r\n\r\n`,
    )
    expect([400, 401]).toContain(strange.status)
  })
})
