/** What a token for one image opens of an upstream, as a deployment's is: that image, also before any of it is here, and nothing else. */
import { isPartOfImage } from '@slipway/db'
import { OCI_CONFIG, OCI_INDEX, OCI_LAYER_GZIP, OCI_MANIFEST } from '@slipway/oci'
import { digestBytes } from '@slipway/oci/node'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { type Fixture, startFixture } from '../testing/fixture'
import { addUpstream, PlainUpstream } from '../testing/upstream'

let fixture: Fixture
let upstream: PlainUpstream
let name: string
let token: string

const describe = (mediaType: string, content: Buffer) => ({ mediaType, digest: digestBytes(content), size: content.byteLength })
const image = (text: string) => {
  const [config, layer] = [Buffer.from(JSON.stringify({ os: 'linux', architecture: 'arm64', config: { Env: [text] } })), Buffer.from(text)]
  const manifest = {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: describe(OCI_CONFIG, config),
    layers: [describe(OCI_LAYER_GZIP, layer)],
  }
  return { config, layer, manifest: Buffer.from(JSON.stringify(manifest)) }
}
const arm = image('layer for arm')
const other = image('layer of another image')
const index = (...children: Buffer[]) =>
  Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: children.map((child) => describe(OCI_MANIFEST, child)) }))
/** Of the upstream's own image and `arm`, reached through another index. */
let all: Buffer
let root: string

beforeAll(async () => {
  fixture = await startFixture({ upstreamLimits: { headMs: 3000, idleMs: 3000 } })
})
afterAll(() => fixture.close())

beforeEach(async () => {
  upstream = new PlainUpstream()
  name = `${await addUpstream(fixture.db, await upstream.start())}/team/app`
  const nested = index(arm.manifest)
  all = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: OCI_INDEX,
      manifests: [describe(OCI_MANIFEST, upstream.manifest), describe(OCI_INDEX, nested)],
    }),
  )
  root = digestBytes(all)
  const serve = (path: string, content: Buffer, type: string) =>
    upstream.answers.set(path, (request, response) => {
      response.writeHead(200, { 'content-type': type, 'content-length': content.byteLength })
      response.end(request.method === 'HEAD' ? undefined : content)
    })
  for (const [content, type] of [
    [all, OCI_INDEX],
    [nested, OCI_INDEX],
    [arm.manifest, OCI_MANIFEST],
    [other.manifest, OCI_MANIFEST],
  ] as const)
    serve(`manifests/${digestBytes(content)}`, content, type)
  serve('manifests/all', all, OCI_INDEX)
  for (const one of [arm, other]) for (const content of [one.config, one.layer]) serve(`blobs/${digestBytes(content)}`, content, 'x/y')
  serve('tags/list', Buffer.from('{"name":"team/app","tags":["1","all"]}'), 'application/json')
  serve(`referrers/${root}`, index(), OCI_INDEX)
  token = await tokenFor(root)
})
afterEach(() => upstream.stop())

const tokenFor = (digest: string) => fixture.sign([{ type: 'image', name, digest, actions: ['pull'] }], 'system:worker')
const status = async (path: string, method = 'GET', with_ = token) => {
  const response = await fixture.call(method, `/v2/${name}/${path}`, { token: with_ })
  await response.arrayBuffer()
  return response.status
}
const statuses = async (paths: string[], method = 'GET') => {
  const found: [string, number][] = []
  for (const path of paths) found.push([path, await status(path, method)])
  return found
}
const answered = (paths: string[], code: number) => paths.map((path) => [path, code])
const parts = () => [
  `manifests/${root}`,
  `manifests/${upstream.digest}`,
  `blobs/${digestBytes(upstream.config)}`,
  `blobs/${upstream.layerDigest}`,
  `manifests/${digestBytes(index(arm.manifest))}`,
  `manifests/${digestBytes(arm.manifest)}`,
  `blobs/${digestBytes(arm.config)}`,
  `blobs/${digestBytes(arm.layer)}`,
]
const closed = () => [
  'manifests/1',
  'manifests/all',
  'tags/list',
  `referrers/${root}`,
  `manifests/${digestBytes(other.manifest)}`,
  `blobs/${digestBytes(other.config)}`,
  `blobs/${digestBytes(other.layer)}`,
  `manifests/sha256:${'0'.repeat(64)}`,
  'manifests/sha256:none',
]

it('opens the image while nothing of it is here, then from the cache', async () => {
  for (const method of ['GET', 'HEAD', 'GET']) expect(await statuses(parts(), method)).toEqual(answered(parts(), 200))
  expect(upstream.count('GET', upstream.layerDigest)).toBe(1)
  await upstream.stop()
  expect(await statuses(parts())).toEqual(answered(parts(), 200))
})

it.each([['before'], ['after']])('opens nothing else of the repository, %s the image was pulled', async (when) => {
  if (when === 'after') await statuses(parts())
  expect(await statuses(closed())).toEqual(answered(closed(), 401))
  expect(await statuses(closed().slice(0, 7), 'HEAD')).toEqual(answered(closed().slice(0, 7), 401))
  // Nor what others have brought into the cache meanwhile, nor the same digests under another name of the upstream.
  for (const path of [`manifests/${digestBytes(other.manifest)}`, `blobs/${digestBytes(other.layer)}`, 'manifests/1'])
    expect((await fixture.call('GET', `/v2/${name}/${path}`)).status).toBe(200)
  expect(await statuses(closed())).toEqual(answered(closed(), 401))
  const elsewhere = await fixture.call('GET', `/v2/${name.replace('/app', '/other')}/manifests/1`, { token })
  expect(elsewhere.status).toBe(401)
  for (const [method, path] of [
    ['PUT', 'manifests/mine'],
    ['POST', 'blobs/uploads/'],
    ['DELETE', `manifests/${root}`],
  ] as const)
    expect([method, await status(path, method)]).toEqual([method, 401])
})

it('asks the upstream for nothing that the token does not open', async () => {
  await statuses(closed())
  expect(upstream.asked.filter((line) => /tags|referrers|blobs/.test(line) || line.includes(digestBytes(other.manifest)))).toEqual([])
  const asked = upstream.asked.length
  await statuses(closed())
  expect(upstream.asked, 'what it is made of is known by now').toHaveLength(asked)
})

it('opens a layer first, for a host that has the manifests already', async () => {
  expect(await status(`blobs/${digestBytes(arm.layer)}`)).toBe(200)
  expect(await status(`blobs/${digestBytes(other.layer)}`)).toBe(401)
})

it('opens the index and its other image when only one of its images is here', async () => {
  for (const path of [`manifests/${upstream.digest}`, `blobs/${upstream.layerDigest}`])
    expect((await fixture.call('GET', `/v2/${name}/${path}`)).status).toBe(200)
  const [organization = ''] = name.split('/')
  const wanted = { digest: upstream.digest, kind: 'manifest' as const }
  expect(await isPartOfImage(fixture.db, { organization, name: 'team/app' }, root, wanted)).toBe(false)
  expect(await status(`blobs/${upstream.layerDigest}`)).toBe(200)
  expect(await statuses(parts())).toEqual(answered(parts(), 200))
})

it('for one platform opens that one', async () => {
  token = await tokenFor(digestBytes(arm.manifest))
  const own = [`manifests/${digestBytes(arm.manifest)}`, `blobs/${digestBytes(arm.config)}`, `blobs/${digestBytes(arm.layer)}`]
  expect(await statuses(own)).toEqual(answered(own, 200))
  const rest = [`manifests/${root}`, `manifests/${upstream.digest}`, `blobs/${upstream.layerDigest}`]
  expect(await statuses(rest)).toEqual(answered(rest, 401))
})

it('says so when the upstream cannot be asked what the image is made of', async () => {
  await upstream.stop()
  expect(await status(`blobs/${upstream.layerDigest}`)).toBe(503)
})
