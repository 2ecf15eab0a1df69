import { DOCKER_LIST, DOCKER_MANIFEST, OCI_CONFIG, OCI_EMPTY, OCI_INDEX, OCI_MANIFEST } from '@slipway/oci'
import { digestBytes } from '@slipway/oci/node'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Fixture, startFixture } from './testing/fixture'

let f: Fixture
beforeAll(async () => {
  f = await startFixture()
})
afterAll(() => f.close())

const code = async (response: Response) => ((await response.json()) as { errors: { code: string }[] }).errors[0]?.code

it('pushes an image and gives back the same bytes, by tag and by digest', async () => {
  const image = await f.push('acme/hello', 'v1')
  for (const reference of ['v1', image.digest]) {
    const got = await f.call('GET', `/v2/acme/hello/manifests/${reference}`)
    expect(got.status).toBe(200)
    expect(got.headers.get('docker-content-digest')).toBe(image.digest)
    expect(got.headers.get('content-type')).toBe(OCI_MANIFEST)
    expect(got.headers.get('docker-distribution-api-version')).toBe('registry/2.0')
    expect(await got.text()).toBe(image.manifest)
    const head = await f.call('HEAD', `/v2/acme/hello/manifests/${reference}`)
    expect(head.headers.get('content-length')).toBe(String(image.manifest.length))
  }
  const layer = await f.call('GET', `/v2/acme/hello/blobs/${image.layers[0]}`)
  expect(await layer.text()).toBe('layer one')
  const notModified = await f.call('GET', '/v2/acme/hello/manifests/v1', { headers: { 'if-none-match': `"${image.digest}"` } })
  expect(notModified.status).toBe(304)
})

it('writes layers with the steps that made them, config and sizes', async () => {
  const image = await f.push('acme/layers', 'v1', ['aaaa', 'bb'])
  const row = await f.db.manifest.findFirstOrThrow({
    where: { digest: image.digest, repository: { name: 'layers' } },
    include: { layers: { orderBy: { position: 'asc' } }, tags: true, repository: true },
  })
  expect(row).toMatchObject({
    os: 'linux',
    architecture: 'amd64',
    config: { Env: ['A=1'] },
    configDigest: image.config,
    pushedBy: 'system:test',
  })
  expect(row.layers).toMatchObject([
    { digest: image.layers[0], createdBy: 'RUN make aaaa', diffId: digestBytes('tar of aaaa'), size: 4n },
    { digest: image.layers[1], createdBy: 'RUN make bb', madeAt: new Date('2026-11-20T10:00:00Z') },
  ])
  const config = await f.db.blob.findUniqueOrThrow({ where: { digest: image.config } })
  expect(row.totalSize).toBe(BigInt(image.manifest.length) + config.size + 6n)
  expect(row.tags.map((t) => t.name)).toEqual(['v1'])
  expect(row.repository.lastPushedAt?.getTime()).toBeGreaterThan(Date.now() - 60_000)
})

it('takes a chunked upload, tells where it is, and refuses chunks out of order', async () => {
  const start = await f.call('POST', '/v2/acme/chunks/blobs/uploads/')
  expect(start.status).toBe(202)
  const location = start.headers.get('location') ?? ''
  const chunk = (range: string, body: string) => f.call('PATCH', location, { headers: { 'content-range': range }, body })
  const first = await chunk('0-4', 'hello')
  expect([first.status, first.headers.get('range')]).toEqual([202, '0-4'])
  const early = await chunk('9-13', 'wrong')
  expect([early.status, early.headers.get('range'), early.headers.get('location')]).toEqual([416, '0-4', location])
  expect((await chunk('5-99', 'xx')).status).toBe(400)
  expect((await chunk('nonsense', 'xx')).status).toBe(400)
  const status = await f.call('GET', location)
  expect([status.status, status.headers.get('range')]).toEqual([204, '0-4'])
  const digest = digestBytes('hello world')
  const done = await f.call('PUT', `${location}?digest=${encodeURIComponent(digest)}`, {
    headers: { 'content-range': '5-10' },
    body: ' world',
  })
  expect([done.status, done.headers.get('docker-content-digest')]).toEqual([201, digest])
  expect(await (await f.call('GET', done.headers.get('location') ?? '')).text()).toBe('hello world')
  expect((await f.call('GET', location)).status).toBe(404)
})

it('takes streamed uploads, sha512 and the empty blob', async () => {
  const stream = await f.call('POST', '/v2/acme/stream/blobs/uploads/')
  const location = stream.headers.get('location') ?? ''
  expect((await f.call('PATCH', location, { body: 'abc' })).status).toBe(202)
  const sha512 = digestBytes('abc', 'sha512')
  expect((await f.call('PUT', `${location}?digest=${sha512}`)).status).toBe(201)
  expect(await (await f.call('GET', `/v2/acme/stream/blobs/${sha512}`)).text()).toBe('abc')
  const empty = await f.call('POST', '/v2/acme/stream/blobs/uploads/')
  expect((await f.call('PUT', `${empty.headers.get('location')}?digest=${digestBytes('')}`)).status).toBe(201)
  expect((await f.call('GET', `/v2/acme/stream/blobs/${digestBytes('')}`)).headers.get('content-length')).toBe('0')
})

it('serves ranges', async () => {
  await f.call('POST', `/v2/acme/range/blobs/uploads/?digest=${digestBytes('0123456789')}`, { body: '0123456789' })
  const get = async (range: string) => {
    const response = await f.call('GET', `/v2/acme/range/blobs/${digestBytes('0123456789')}`, { headers: { range } })
    return [response.status, response.headers.get('content-range'), response.status < 400 ? await response.text() : '']
  }
  expect(await get('bytes=2-4')).toEqual([206, 'bytes 2-4/10', '234'])
  expect(await get('bytes=8-')).toEqual([206, 'bytes 8-9/10', '89'])
  expect(await get('bytes=-3')).toEqual([206, 'bytes 7-9/10', '789'])
  expect(await get('bytes=5-500')).toEqual([206, 'bytes 5-9/10', '56789'])
  expect(await get('bytes=10-')).toEqual([416, 'bytes */10', ''])
  expect(await get('bytes=4-2')).toEqual([416, 'bytes */10', ''])
  for (const whole of ['bytes=a-b', 'lines=1-2', 'bytes=0-1,3-4', `bytes=${'9'.repeat(400)}-`]) {
    expect(await get(whole), whole).toEqual([200, null, '0123456789'])
  }
})

it('mounts from another repository only with read there', async () => {
  const { layers } = await f.push('acme/source', 'v1', ['to be mounted'])
  const mount = (token: string) => f.call('POST', `/v2/acme/target/blobs/uploads/?mount=${layers[0]}&from=acme/source`, { token })
  const both = await f.sign([
    { type: 'repository', name: 'acme/target', actions: ['push', 'pull'] },
    { type: 'repository', name: 'acme/source', actions: ['pull'] },
  ])
  const onlyTarget = await f.sign([{ type: 'repository', name: 'acme/target', actions: ['push', 'pull'] }])
  expect((await mount(onlyTarget)).status).toBe(202)
  expect((await f.call('HEAD', `/v2/acme/target/blobs/${layers[0]}`)).status).toBe(404)
  expect((await mount(both)).status).toBe(201)
  expect(await (await f.call('GET', `/v2/acme/target/blobs/${layers[0]}`)).text()).toBe('to be mounted')
})

it('refuses manifests that are incomplete, too large, or not what they claim', async () => {
  const image = await f.push('acme/strict', 'v1')
  const put = (body: string, type = OCI_MANIFEST, reference = 'v2') =>
    f.call('PUT', `/v2/acme/strict/manifests/${reference}`, { headers: { 'content-type': type }, body })
  const parsed = JSON.parse(image.manifest)
  const absent = { ...parsed.layers[0], digest: digestBytes('never pushed') }
  const missing = await put(JSON.stringify({ ...parsed, layers: [absent] }))
  expect([missing.status, await code(missing)]).toEqual([404, 'MANIFEST_BLOB_UNKNOWN'])
  expect(await code(await put(JSON.stringify({ ...parsed, layers: [{ ...parsed.layers[0], size: 1 }] })))).toBe('MANIFEST_INVALID')
  expect(await code(await put('{'))).toBe('MANIFEST_INVALID')
  expect(await code(await put(image.manifest, DOCKER_MANIFEST))).toBe('MANIFEST_INVALID')
  expect(await code(await put(image.manifest, OCI_MANIFEST, digestBytes('other')))).toBe('DIGEST_INVALID')
  const large = await put(' '.repeat(4 * 1024 * 1024 + 1))
  expect([large.status, await code(large)]).toEqual([413, 'MANIFEST_INVALID'])
  expect((await f.call('GET', '/v2/acme/strict/manifests/v2')).status).toBe(404)
})

it('keeps layers that lie elsewhere, indexes, Docker lists and old clients', async () => {
  const image = await f.push('acme/multi', 'amd64')
  const foreign = { ...JSON.parse(image.manifest), mediaType: DOCKER_MANIFEST }
  foreign.layers.push({
    mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
    size: 9,
    digest: digestBytes('elsewhere'),
    urls: ['https://example.com/l'],
  })
  const docker = JSON.stringify(foreign)
  expect(
    (await f.call('PUT', '/v2/acme/multi/manifests/docker', { headers: { 'content-type': DOCKER_MANIFEST }, body: docker })).status,
  ).toBe(201)
  const list = JSON.stringify({
    schemaVersion: 2,
    mediaType: DOCKER_LIST,
    manifests: [
      { mediaType: DOCKER_MANIFEST, digest: digestBytes(docker), size: docker.length, platform: { os: 'linux', architecture: 'amd64' } },
    ],
  })
  expect((await f.call('PUT', '/v2/acme/multi/manifests/all', { headers: { 'content-type': DOCKER_LIST }, body: list })).status).toBe(201)
  const get = (accept: string) => f.call('GET', '/v2/acme/multi/manifests/all', { headers: { accept } })
  expect((await get('*/*')).headers.get('content-type')).toBe(DOCKER_LIST)
  expect((await get(`${DOCKER_MANIFEST}, ${DOCKER_LIST};q=0.5`)).headers.get('content-type')).toBe(DOCKER_LIST)
  expect((await get(DOCKER_MANIFEST)).headers.get('docker-content-digest')).toBe(digestBytes(docker))
  expect(await code(await get(OCI_INDEX))).toBe('MANIFEST_UNKNOWN')
})

it('takes an index before all of its images are there, and counts each when it comes', async () => {
  const one = await f.push('acme/sparse', 'one')
  const other = await f.push('acme/other', 'v1', ['of another platform'])
  const entry = (digest: string, text: string) => ({ mediaType: OCI_MANIFEST, digest, size: text.length })
  const indexOf = (...manifests: object[]) => JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests })
  const put = (body: string) =>
    f.call('PUT', `/v2/acme/sparse/manifests/${digestBytes(body)}`, { headers: { 'content-type': OCI_INDEX }, body })
  const inner = indexOf(entry(one.digest, one.manifest), entry(other.digest, other.manifest))
  const outer = indexOf(entry(digestBytes(inner), inner))
  for (const index of [outer, inner]) expect((await put(index)).status).toBe(201)
  expect((await f.call('GET', `/v2/acme/sparse/manifests/${other.digest}`)).status).toBe(404)
  const size = async (digest: string) =>
    Number((await f.db.manifest.findFirstOrThrow({ where: { digest, repository: { name: 'sparse' } } })).totalSize)
  const sizeOne = await size(one.digest)
  expect([await size(digestBytes(inner)), await size(digestBytes(outer))]).toEqual([
    inner.length + sizeOne,
    outer.length + inner.length + sizeOne,
  ])
  const again = await f.push('acme/sparse', 'other', ['of another platform'])
  expect(again.digest).toBe(other.digest)
  const both = inner.length + sizeOne + (await size(other.digest))
  expect([await size(digestBytes(inner)), await size(digestBytes(outer))]).toEqual([both, outer.length + both])
})

it('sets tags that a push by digest names, with any digest', async () => {
  const image = await f.push('acme/tagged', 'first')
  const text = `${image.manifest} `
  const put = (digest: string, query: string) =>
    f.call('PUT', `/v2/acme/tagged/manifests/${digest}?${query}`, { headers: { 'content-type': OCI_MANIFEST }, body: text })
  const sha512 = digestBytes(text, 'sha512')
  const done = await put(sha512, 'tag=v1&tag=v1.2&tag=v1')
  expect([done.status, done.headers.get('oci-tag')]).toEqual([201, 'v1, v1.2'])
  for (const tag of ['v1', 'v1.2']) {
    expect((await f.call('HEAD', `/v2/acme/tagged/manifests/${tag}`)).headers.get('docker-content-digest')).toBe(sha512)
  }
  const many = Array.from({ length: 101 }, (_, i) => `tag=t${i}`).join('&')
  expect((await put(sha512, many)).status).toBe(414)
  const wrong = await put(sha512, 'tag=fine&tag=no%20tag')
  expect([wrong.status, await code(wrong)]).toEqual([400, 'MANIFEST_INVALID'])
  expect(await (await f.call('GET', '/v2/acme/tagged/tags/list')).json()).toMatchObject({ tags: ['first', 'v1', 'v1.2'] })
})

it('lists tags page by page in byte order', async () => {
  for (const tag of ['b', 'a', 'B', '1.0', 'z_']) await f.push('acme/tags', tag)
  const all = await (await f.call('GET', '/v2/acme/tags/tags/list')).json()
  expect(all).toEqual({ name: 'acme/tags', tags: ['1.0', 'B', 'a', 'b', 'z_'] })
  const first = await f.call('GET', '/v2/acme/tags/tags/list?n=2')
  expect(first.headers.get('link')).toBe('</v2/acme/tags/tags/list?n=2&last=B>; rel="next"')
  expect(await (await f.call('GET', '/v2/acme/tags/tags/list?n=3&last=B')).json()).toMatchObject({ tags: ['a', 'b', 'z_'] })
  expect(await (await f.call('GET', '/v2/acme/tags/tags/list?n=0')).json()).toMatchObject({ tags: [] })
  expect((await f.call('GET', '/v2/acme/tags/tags/list?n=-1')).status).toBe(400)
  expect(await code(await f.call('GET', '/v2/acme/nothing/tags/list'))).toBe('NAME_UNKNOWN')
  const head = await f.call('HEAD', '/v2/acme/tags/tags/list')
  expect([head.status, head.headers.get('content-length')]).toEqual([200, String(JSON.stringify(all).length)])
})

it('deletes tags, manifests and blobs that nothing needs', async () => {
  const image = await f.push('acme/gone', 'one')
  await f.push('acme/gone', 'two')
  expect(await code(await f.call('DELETE', `/v2/acme/gone/blobs/${image.layers[0]}`))).toBe('UNSUPPORTED')
  expect((await f.call('DELETE', '/v2/acme/gone/manifests/one')).status).toBe(202)
  expect((await f.call('GET', '/v2/acme/gone/manifests/one')).status).toBe(404)
  expect((await f.call('GET', '/v2/acme/gone/manifests/two')).status).toBe(200)
  expect((await f.call('DELETE', `/v2/acme/gone/manifests/${image.digest}`)).status).toBe(202)
  expect((await f.call('GET', '/v2/acme/gone/manifests/two')).status).toBe(404)
  expect((await f.call('DELETE', `/v2/acme/gone/blobs/${image.layers[0]}`)).status).toBe(202)
  expect((await f.call('HEAD', `/v2/acme/gone/blobs/${image.layers[0]}`)).status).toBe(404)
  expect((await f.call('DELETE', '/v2/acme/gone/manifests/one')).status).toBe(404)
})

it('tells what refers to an image', async () => {
  const image = await f.push('acme/signed', 'v1')
  await f.call('POST', `/v2/acme/signed/blobs/uploads/?digest=${digestBytes('{}')}`, { body: '{}' })
  const subject = { mediaType: OCI_MANIFEST, digest: image.digest, size: image.manifest.length }
  const artifact = JSON.stringify({
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    artifactType: 'application/vnd.example.signature',
    config: { mediaType: OCI_EMPTY, digest: digestBytes('{}'), size: 2 },
    layers: [],
    subject,
    annotations: { by: 'ada' },
  })
  const put = await f.call('PUT', `/v2/acme/signed/manifests/${digestBytes(artifact)}`, {
    headers: { 'content-type': OCI_MANIFEST },
    body: artifact,
  })
  expect([put.status, put.headers.get('oci-subject')]).toEqual([201, image.digest])
  const get = async (query = '') => f.call('GET', `/v2/acme/signed/referrers/${image.digest}${query}`)
  const all = await get()
  expect(all.headers.get('content-type')).toBe(OCI_INDEX)
  expect(await all.json()).toMatchObject({
    manifests: [{ digest: digestBytes(artifact), artifactType: 'application/vnd.example.signature', annotations: { by: 'ada' } }],
  })
  const filtered = await get('?artifactType=application/x')
  expect(filtered.headers.get('oci-filters-applied')).toBe('artifactType')
  expect(await filtered.json()).toMatchObject({ manifests: [] })
})

it('lists an image that refers to another with the type of its configuration, page by page', async () => {
  const image = await f.push('acme/pages', 'v1')
  const subject = { mediaType: OCI_MANIFEST, digest: image.digest, size: image.manifest.length }
  const digests = []
  for (const note of ['a', 'b', 'c']) {
    const body = JSON.stringify({ ...JSON.parse(image.manifest), subject, annotations: { note } })
    await f.call('PUT', `/v2/acme/pages/manifests/${digestBytes(body)}`, { headers: { 'content-type': OCI_MANIFEST }, body })
    digests.push(digestBytes(body))
  }
  const seen: { digest: string; artifactType?: string }[] = []
  let url = `/v2/acme/pages/referrers/${image.digest}?n=2&artifactType=${encodeURIComponent(OCI_CONFIG)}`
  for (let page = 0; url && page < 5; page++) {
    const answer = await f.call('GET', url)
    seen.push(...(await answer.json()).manifests)
    url = /^<(.+)>; rel="next"$/.exec(answer.headers.get('link') ?? '')?.[1] ?? ''
  }
  expect(seen.map((one) => one.digest)).toEqual(digests.sort())
  expect(new Set(seen.map((one) => one.artifactType))).toEqual(new Set([OCI_CONFIG]))
})

it('counts pulls without making them wait', async () => {
  const { digest } = await f.push('acme/pulled', 'v1')
  await f.push('acme/pulled', 'v2')
  await f.push('acme/pulled', 'unasked')
  await f.call('GET', '/v2/acme/pulled/manifests/v1')
  await f.call('GET', '/v2/acme/pulled/manifests/v2')
  // As docker does: what is it, then give me that one.
  await f.call('HEAD', '/v2/acme/pulled/manifests/v1')
  await f.call('GET', `/v2/acme/pulled/manifests/${digest}`)
  const pulled = () =>
    f.db.repository.findFirstOrThrow({ where: { name: 'pulled' }, include: { tags: { orderBy: { name: 'asc' } }, manifests: true } })
  // A window may end between two of them, and the same caller counts in the next one again.
  const counted = async () => (await pulled()).tags.map((tag) => [tag.name, tag.pullCount > 0, tag.lastPulledAt !== null])
  await expect.poll(counted, { timeout: 8000, interval: 250 }).toEqual([
    ['unasked', false, false],
    ['v1', true, true],
    ['v2', true, true],
  ])
  const { pullCount, manifests } = await pulled()
  expect(pullCount).toBeGreaterThan(0)
  expect(manifests.every((one) => one.lastPulledAt !== null)).toBe(true)
})

it('answers health', async () => {
  expect(await (await fetch(`${f.base}/healthz`)).json()).toEqual({ status: 'ok', version: 'test' })
})
