/** Documents attached to images (referrers): pushed by our client, seen by others, gone with their image. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { OCI_EMPTY, OCI_INDEX, OCI_MANIFEST, RegistryClient, signRegistryToken } from '@slipway/oci'
import { digestBytes } from '@slipway/oci/node'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Collector } from './gc'
import { FilesystemStore } from './store/filesystem'
import { type Fixture, startFixture } from './testing/fixture'

const SPDX = 'application/spdx+json'
const run = promisify(execFile)
let f: Fixture
let client: RegistryClient
let bearer: string
beforeAll(async () => {
  f = await startFixture()
  const access = [{ type: 'repository' as const, name: 'acme/shop', actions: ['pull' as const, 'push' as const] }]
  bearer = await signRegistryToken({ sub: 'system:worker', access, ttlSeconds: 600 }, f.pem)
  client = new RegistryClient({ baseUrl: f.base, credentials: { bearer } })
})
afterAll(() => f.close())

const bytes = (text: string) => new TextEncoder().encode(text)
async function attach(subject: string, text: string, tag?: string) {
  const found = await client.getManifest('acme/shop', subject)
  const [config, layer] = [await client.putBlob('acme/shop', bytes('{}')), await client.putBlob('acme/shop', bytes(text))]
  const manifest = {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    artifactType: SPDX,
    config: { mediaType: OCI_EMPTY, digest: config, size: 2 },
    layers: [{ mediaType: SPDX, digest: layer, size: bytes(text).byteLength }],
    subject: { mediaType: found.parsed.mediaType, digest: found.digest, size: found.bytes.byteLength },
    annotations: { note: text },
  }
  return client.putManifest('acme/shop', bytes(JSON.stringify(manifest)), OCI_MANIFEST, tag)
}

it('is listed with its type and annotations, to curl and skopeo as to us', async () => {
  const image = await f.push('acme/shop', 'v1', ['a layer'])
  const sbom = await attach(image.digest, '{"a":1}')
  expect(await attach(image.digest, '{"a":1}')).toBe(sbom)
  const listed = [expect.objectContaining({ digest: sbom, artifactType: SPDX, annotations: { note: '{"a":1}' } })]
  expect(await client.referrers('acme/shop', image.digest, SPDX)).toEqual(listed)
  expect(await client.referrers('acme/shop', image.digest, 'application/other')).toEqual([])
  const url = `${f.base}/v2/acme/shop/referrers/${image.digest}?artifactType=${encodeURIComponent(SPDX)}`
  const { stdout } = await run('curl', ['-sS', '-H', `Authorization: Bearer ${bearer}`, url])
  expect(JSON.parse(stdout).manifests).toEqual(listed)
  const name = `docker://${new URL(f.base).host}/acme/shop@${sbom}`
  const raw = await run('skopeo', ['inspect', '--raw', '--tls-verify=false', '--registry-token', bearer, name])
  expect(JSON.parse(raw.stdout)).toMatchObject({ artifactType: SPDX, subject: { digest: image.digest } })
})

it('goes with its image, and its blobs with the next collection; what has a tag of its own stays', async () => {
  const image = await f.push('acme/shop', 'v2', ['another layer'])
  const sbom = await attach(image.digest, '{"sbom":2}')
  const signature = await attach(sbom, '{"about":"the sbom"}')
  const kept = await attach(image.digest, '{"kept":true}', 'kept')
  const store = new FilesystemStore(f.root)
  const collector = new Collector({ db: f.db, store, log: pino({ level: 'silent' }), busyUploads: new Set() })
  const later = Date.now() + 2 * 3_600_000
  await collector.collect(later)
  expect(await store.size(digestBytes('{"sbom":2}'))).toBeDefined()
  await f.call('DELETE', `/v2/acme/shop/manifests/${image.digest}`)
  const there = await Promise.all([sbom, signature, kept].map((digest) => client.resolve('acme/shop', digest)))
  expect(there).toEqual([undefined, undefined, kept])
  await collector.collect(later)
  expect(await store.size(digestBytes('{"sbom":2}'))).toBeUndefined()
  expect(await store.size(digestBytes('{"kept":true}'))).toBeDefined()
})

/** As cosign and podman attach: by a tag that names the digest. */
const byTag = (digest: string, kind: string) => `${digest.replace(':', '-')}.${kind}`

it('stays with the other image that has the same one, by its tag', async () => {
  const [one, two] = [await f.push('acme/shop', 'v3', ['third']), await f.push('acme/shop', 'v4', ['fourth'])]
  const sbom = await f.push('acme/shop', byTag(one.digest, 'sbom'), ['the same packages'])
  await f.push('acme/shop', byTag(two.digest, 'sbom'), ['the same packages'])
  await f.call('DELETE', `/v2/acme/shop/manifests/${one.digest}`)
  expect(await client.resolve('acme/shop', byTag(two.digest, 'sbom'))).toBe(sbom.digest)
  expect(await client.resolve('acme/shop', byTag(one.digest, 'sbom'))).toBeUndefined()
  await f.call('DELETE', `/v2/acme/shop/manifests/${two.digest}`)
  expect(await client.resolve('acme/shop', sbom.digest)).toBeUndefined()
})

it('takes no part out of an index by calling it a signature of something else', async () => {
  const [part, bait] = [await f.push('acme/shop', 'part', ['of an index']), await f.push('acme/shop', 'bait', ['to be deleted'])]
  const descriptor = { mediaType: OCI_MANIFEST, digest: part.digest, size: part.manifest.length }
  const index = bytes(JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [descriptor] }))
  for (const tag of ['v5', undefined]) {
    await client.putManifest('acme/shop', index, OCI_INDEX, tag)
    if (tag) await f.call('DELETE', '/v2/acme/shop/manifests/part')
    else await f.call('DELETE', '/v2/acme/shop/manifests/v5')
    await client.putManifest('acme/shop', bytes(part.manifest), OCI_MANIFEST, byTag(bait.digest, 'sig'))
    await f.call('DELETE', `/v2/acme/shop/manifests/${bait.digest}`)
    expect(await client.resolve('acme/shop', part.digest)).toBe(part.digest)
    await f.push('acme/shop', 'bait', ['to be deleted'])
  }
})
