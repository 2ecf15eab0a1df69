import { expect, it } from 'vitest'
import { parseImageConfig } from './image-config'
import { pairLayers } from './layers'
import { parseManifest } from './manifest'
import { DOCKER_MANIFEST, OCI_CONFIG, OCI_INDEX, OCI_LAYER_GZIP, OCI_MANIFEST } from './media-types'
import { digestBytes } from './node'

const bytes = (value: unknown) => new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value))
const described = (content: string, mediaType = OCI_LAYER_GZIP) => ({ mediaType, digest: digestBytes(content), size: content.length })
const image = { schemaVersion: 2, mediaType: OCI_MANIFEST, config: described('{}', OCI_CONFIG), layers: [described('a'), described('b')] }

it('reads OCI and Docker images and indexes', () => {
  expect(parseManifest(bytes(image), OCI_MANIFEST)).toMatchObject({ kind: 'image', mediaType: OCI_MANIFEST })
  expect(parseManifest(bytes({ ...image, mediaType: undefined }), `${OCI_MANIFEST}; charset=utf-8`).mediaType).toBe(OCI_MANIFEST)
  expect(parseManifest(bytes({ ...image, mediaType: DOCKER_MANIFEST })).mediaType).toBe(DOCKER_MANIFEST)
  const index = {
    schemaVersion: 2,
    mediaType: OCI_INDEX,
    manifests: [{ ...described('m', OCI_MANIFEST), platform: { os: 'linux', architecture: 'arm64', variant: 'v8' } }],
  }
  expect(parseManifest(bytes(index))).toMatchObject({ kind: 'index', manifest: { manifests: [{ platform: { variant: 'v8' } }] } })
})

it.each([
  ['not JSON', '{', 'not JSON'],
  ['not UTF-8', new Uint8Array([0xff, 0xfe]), 'not JSON'],
  ['an array', [], 'not a JSON object'],
  ['schema 1', { schemaVersion: 1 }, 'schema 1'],
  ['another type', { ...image, mediaType: 'application/json' }, 'not supported'],
  ['both kinds at once', { ...image, manifests: [] }, 'only one kind'],
  ['a layer with a wrong digest', { ...image, layers: [{ ...described('a'), digest: 'sha256:../..' }] }, 'layers.0.digest'],
  ['a negative size', { ...image, layers: [{ ...described('a'), size: -1 }] }, 'layers.0.size'],
  ['no config', { schemaVersion: 2, mediaType: OCI_MANIFEST, layers: [] }, 'config'],
  ['a thousand and one layers', { ...image, layers: Array.from({ length: 1001 }, () => described('a')) }, 'layers'],
])('refuses %s', (_name, content, problem) => {
  const body = content instanceof Uint8Array ? content : bytes(content)
  expect(() => parseManifest(body)).toThrow(problem)
})

it('refuses a content type that contradicts the manifest', () => {
  expect(() => parseManifest(bytes(image), OCI_INDEX)).toThrow('the request says')
})

const history = [
  { created: '2026-01-02T03:04:05Z', created_by: 'FROM busybox' },
  { created_by: 'ENV A=1', empty_layer: true },
  { created: 'nonsense', created_by: 'COPY . /srv' },
]

it('pairs layers with the steps that made them, leaving out empty ones', () => {
  const config = parseImageConfig(bytes({ rootfs: { type: 'layers', diff_ids: ['sha256:1', 'sha256:2'] }, history }))
  expect(pairLayers(image.layers, config)).toEqual([
    expect.objectContaining({ position: 0, createdBy: 'FROM busybox', diffId: 'sha256:1', madeAt: new Date('2026-01-02T03:04:05Z') }),
    { position: 1, ...described('b'), createdBy: 'COPY . /srv', diffId: 'sha256:2' },
  ])
})

it('guesses nothing when history and layers do not match', () => {
  const config = parseImageConfig(bytes({ history: history.slice(0, 2), rootfs: { diff_ids: ['x'] } }))
  expect(pairLayers(image.layers, config)).toEqual([
    { position: 0, ...described('a') },
    { position: 1, ...described('b') },
  ])
  expect(pairLayers(image.layers, undefined)).toHaveLength(2)
  expect(parseImageConfig(bytes('no json'))).toBeUndefined()
})
