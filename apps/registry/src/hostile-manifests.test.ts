/** Manifests that mean harm, as tables: each is refused with the code of the specification, or kept as the bytes that it is. */
import { OCI_CONFIG, OCI_INDEX, OCI_MANIFEST } from '@slipway/oci'
import { digestBytes } from '@slipway/oci/node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Hostile, NAME, refused, startHostile } from './testing/hostile'

let world: Hostile
let f: Hostile['f']
let image: Hostile['image']
beforeAll(async () => {
  world = await startHostile()
  ;({ f, image } = world)
})
afterAll(() => world.close())
const ask: Hostile['ask'] = (...given) => world.ask(...given)

describe('types of manifests', () => {
  it.each([
    ['text/html', 'text/html'],
    ['a script', 'text/html;<script>'],
    ['none that is one', '///'],
    ['one of 8 KB', `application/${'x'.repeat(8000)}`],
    ['another kind', OCI_INDEX],
    ['schema 1', 'application/vnd.docker.distribution.manifest.v1+prettyjws'],
    ['with a NUL in its words', 'application/%00'],
  ])('%s', async (_, type) => {
    const answer = await ask(
      'PUT',
      `/v2/${NAME}/manifests/v2`,
      [`Content-Type: ${type}`, `Content-Length: ${image.manifest.length}`],
      image.manifest,
    )
    expect(refused(answer)).toEqual([400, 'MANIFEST_INVALID'])
    expect((await f.call('GET', `/v2/${NAME}/manifests/v2`)).status).toBe(404)
  })

  it('none at all is the one that the manifest names, and nosniff goes with what is given', async () => {
    const url = `/v2/${NAME}/manifests/${image.digest}`
    expect((await ask('PUT', url, [`Content-Length: ${image.manifest.length}`], image.manifest)).status).toBe(201)
    const { headers } = await ask('GET', url)
    expect([headers['content-type'], headers['x-content-type-options']]).toEqual([OCI_MANIFEST, 'nosniff'])
    expect((await ask('GET', `/v2/${NAME}/blobs/${image.layers[0]}`)).headers['content-type']).toBe('application/octet-stream')
  })
})

describe('manifests', () => {
  const parsed = () => JSON.parse(image.manifest)
  const layer = () => parsed().layers[0]
  const text = (value: unknown) => JSON.stringify(value)
  const deep = (open: string, close: string, n = 200_000) => `${open.repeat(n)}1${close.repeat(n)}`
  const BAD: [string, () => string][] = [
    ['nothing', () => ''],
    ['null', () => 'null'],
    ['a number', () => '1'],
    ['an array', () => '[]'],
    ['a string', () => '"x"'],
    ['not UTF-8', () => '{"schemaVersion":2,"mediaType":"\xff\xfe"}'],
    ['a BOM and nothing', () => '\ufeff'],
    ['comments', () => `/* x */ ${image.manifest}`],
    ['arrays in arrays, 200,000 deep', () => deep('[', ']')],
    ['objects in objects, 200,000 deep', () => deep('{"a":', '}')],
    ['a number beyond numbers', () => image.manifest.replace('"schemaVersion":2', '"schemaVersion":1e999')],
    ['a version that is a string', () => image.manifest.replace('"schemaVersion":2', '"schemaVersion":"2"')],
    ['the first schema', () => image.manifest.replace('"schemaVersion":2', '"schemaVersion":1')],
    ['both kinds in one', () => text({ ...parsed(), manifests: [layer()] })],
    ['no config', () => text({ ...parsed(), config: undefined })],
    ['layers that are an object', () => text({ ...parsed(), layers: { length: 1, 0: layer() } })],
    ['a layer that is null', () => text({ ...parsed(), layers: [null] })],
    ['a negative size', () => text({ ...parsed(), layers: [{ ...layer(), size: -1 }] })],
    ['a fractional size', () => text({ ...parsed(), layers: [{ ...layer(), size: 1.5 }] })],
    ['a size that is a string', () => text({ ...parsed(), layers: [{ ...layer(), size: '9' }] })],
    ['a size beyond whole numbers', () => text({ ...parsed(), layers: [{ ...layer(), size: 2 ** 60 }] })],
    ['a size of 1e308', () => image.manifest.replace(/"size":\d+\}\]/, '"size":1e308}]')],
    ['a wrong size', () => text({ ...parsed(), layers: [{ ...layer(), size: 8 }] })],
    ['a digest that is a path', () => text({ ...parsed(), layers: [{ ...layer(), digest: '../../etc/passwd' }] })],
    ['a digest in capitals', () => text({ ...parsed(), layers: [{ ...layer(), digest: layer().digest.toUpperCase() }] })],
    ['a type that is a script', () => text({ ...parsed(), layers: [{ ...layer(), mediaType: '<script>' }] })],
    ['a type of 300 characters', () => text({ ...parsed(), layers: [{ ...layer(), mediaType: `a/${'x'.repeat(300)}` }] })],
    ['addresses that are no strings', () => text({ ...parsed(), layers: [{ ...layer(), urls: [{}] }] })],
    ['notes that are no strings', () => text({ ...parsed(), annotations: { a: { b: 'c' } } })],
    ['notes that are an array', () => text({ ...parsed(), annotations: ['a'] })],
    ['a NUL in its notes', () => text({ ...parsed(), annotations: { a: 'x\0y' } })],
    ['half a character in its notes', () => `{"annotations":{"a":"\\ud800"},${image.manifest.slice(1)}`],
    ['a subject that is a string', () => text({ ...parsed(), subject: image.digest })],
    ['a subject without a digest', () => text({ ...parsed(), subject: { mediaType: OCI_MANIFEST, size: 1 } })],
    ['an artifact type that is none', () => text({ ...parsed(), artifactType: 'x\r\ny: z' })],
  ]
  it.each(BAD)('%s: refused', async (_, make) => {
    const body = Buffer.from(make(), make().includes('\xff') ? 'latin1' : 'utf8')
    const answer = await ask(
      'PUT',
      `/v2/${NAME}/manifests/v2`,
      [`Content-Type: ${OCI_MANIFEST}`, `Content-Length: ${body.byteLength}`],
      body,
    )
    expect(refused(answer)).toEqual([400, 'MANIFEST_INVALID'])
    expect((await f.call('GET', `/v2/${NAME}/manifests/v2`)).status).toBe(404)
  })

  const taken = async (name: string, body: string) => {
    const push = await f.call('PUT', `/v2/${NAME}/manifests/${digestBytes(body)}`, { headers: { 'content-type': OCI_MANIFEST }, body })
    expect(push.status, name).toBe(201)
    expect(await (await f.call('GET', `/v2/${NAME}/manifests/${digestBytes(body)}`)).text(), name).toBe(body)
    return f.db.manifest.findFirstOrThrow({ where: { digest: digestBytes(body) }, include: { layers: true } })
  }

  it('names that JavaScript knows are only names', async () => {
    const body = `{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"annotations":{"__proto__":"a","constructor":"b","toString":"c"},${image.manifest.slice(1)}`
    await taken('__proto__', body)
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
  })

  it('of a key that comes twice the last one counts, everywhere', async () => {
    const first = text({ ...layer(), digest: digestBytes('never pushed') })
    const body = image.manifest.replace('"layers":', `"layers":[${first}],"layers":`)
    expect((await taken('twice', body)).layers.map(({ digest }) => digest)).toEqual(image.layers)
    const reversed = image.manifest.replace(/"layers":(\[.*?\])/, `"layers":$1,"layers":[${first}]`)
    const answer = await f.call('PUT', `/v2/${NAME}/manifests/v2`, { headers: { 'content-type': OCI_MANIFEST }, body: reversed })
    expect([answer.status, (await answer.json()).errors[0].code]).toEqual([404, 'MANIFEST_BLOB_UNKNOWN'])
  })

  it('notes of a megabyte, and addresses that lead inside, are kept as they are and asked by nobody', async () => {
    const annotations = Object.fromEntries(Array.from({ length: 1000 }, (_, n) => [`key ${n}`, 'x'.repeat(1000)]))
    await taken('notes', text({ ...parsed(), annotations }))
    await taken(
      'urls',
      text({ ...parsed(), layers: [{ ...layer(), urls: ['file:///etc/passwd', 'http://169.254.169.254/latest/meta-data'] }] }),
    )
  })

  it('a config that is no JSON, or much of it, hurts nobody', async () => {
    const strange =
      '{"os":"a\\u0000b","architecture":"\\ud800","config":{"Labels":{"a\\u0000":"b\\u0000"}},"history":[{"created_by":"x\\u0000"}]}'
    for (const config of [
      strange,
      '{',
      `[${'['.repeat(100_000)}`,
      '{"rootfs":{"diff_ids":5},"history":"x"}',
      '{"__proto__":{"os":"x"}}',
      '{"os":{"a":1}}',
    ]) {
      const digest = digestBytes(config)
      expect((await f.call('POST', `/v2/${NAME}/blobs/uploads/?digest=${digest}`, { body: config })).status).toBe(201)
      const body = text({ ...parsed(), config: { mediaType: OCI_CONFIG, digest, size: Buffer.byteLength(config) } })
      const answer = await f.call('PUT', `/v2/${NAME}/manifests/${digestBytes(body)}`, { headers: { 'content-type': OCI_MANIFEST }, body })
      expect(answer.status, config.slice(0, 20)).toBe(201)
    }
  })

  it('an index of itself, and of what is not there, comes to an end', async () => {
    const entry = { mediaType: OCI_MANIFEST, digest: digestBytes('nowhere'), size: 7 }
    const body = text({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: Array.from({ length: 1000 }, () => entry) })
    const put = (content: string) =>
      f.call('PUT', `/v2/${NAME}/manifests/${digestBytes(content)}`, { headers: { 'content-type': OCI_INDEX }, body: content })
    expect((await put(body)).status).toBe(201)
    const strange = text({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [{ ...entry, platform: { os: 'a\0', architecture: 'b' } }] })
    expect((await put(strange)).status).toBe(400)
    const more = text({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: Array.from({ length: 1001 }, () => entry) })
    expect((await put(more)).status).toBe(400)
  })
})
