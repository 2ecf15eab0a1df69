/** Layers as clients push them, read by the agent through the registry: files, what later layers hide, packages, contents. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import { createAgent } from '@slipway/agent-client'
import { OCI_CONFIG, OCI_LAYER_GZIP, OCI_MANIFEST } from '@slipway/oci'
import { digestBytes } from '@slipway/oci/node'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Deps as WorkerDeps } from '../../../apps/worker/src/deps'
import { readLayer } from '../../../apps/worker/src/pipeline/layer'
import { sweepLayers } from '../../../apps/worker/src/sweep/layers'
import type { Deps, Scope } from '../../../packages/services/src'
import { createFiles } from '../../../packages/services/src/layers/files'
import { type Engine, startEngine } from '../docker/engine'
import { client, type Installation, startInstallation } from './installation'

let i: Installation
let engine: Engine
let files: ReturnType<typeof createFiles>
let worker: WorkerDeps
let acme: Scope
const enqueued: string[] = []

beforeAll(async () => {
  i = await startInstallation()
  engine = await startEngine()
  const { db } = i.database
  const agent = createAgent({ socketPath: engine.socket })
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined }
  const queue = { add: async (_name: string, data: { layer: string }) => void enqueued.push(data.layer) }
  const pem = path.join(i.folder, 'secrets/registry-token.pem')
  const env = { registryKey: readFileSync(pem, 'utf8'), SLIPWAY_REGISTRY_URL: i.registry.base }
  worker = { db, agent, log, env, queues: { layer: queue }, stopping: new AbortController().signal } as unknown as WorkerDeps
  const config = { secretsDir: path.join(i.folder, 'secrets'), registryUrl: i.registry.base }
  files = createFiles({ db, agent, log, config, queues: { layer: queue } } as unknown as Deps)
  const organization = await db.organization.findUniqueOrThrow({ where: { slug: 'acme' } })
  acme = { organizationId: organization.id, organization: 'acme' } as Scope
})
afterAll(async () => {
  await engine?.stop()
  await i?.close()
})

/** Pushes an image whose layers are these tars, by skopeo. */
async function push(tag: string, layers: { tar: Buffer; packed?: Buffer; mediaType?: string }[]) {
  const folder = path.join(i.folder, tag)
  await mkdir(path.join(folder, 'blobs/sha256'), { recursive: true })
  const blob = async (content: Buffer | string) => {
    const digest = digestBytes(content)
    await writeFile(path.join(folder, 'blobs', digest.replace(':', '/')), content)
    return { digest, size: Buffer.byteLength(content) }
  }
  const pushed = await Promise.all(
    layers.map(async ({ tar, packed, mediaType = OCI_LAYER_GZIP }) => ({ mediaType, ...(await blob(packed ?? gzipSync(tar))) })),
  )
  const rootfs = { type: 'layers', diff_ids: layers.map(({ tar }) => digestBytes(tar)) }
  const config = await blob(JSON.stringify({ architecture: 'amd64', os: 'linux', config: {}, rootfs }))
  const manifest = { schemaVersion: 2, mediaType: OCI_MANIFEST, config: { mediaType: OCI_CONFIG, ...config }, layers: pushed }
  const made = await blob(JSON.stringify(manifest))
  await writeFile(path.join(folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
  const named = { mediaType: OCI_MANIFEST, ...made, annotations: { 'org.opencontainers.image.ref.name': tag } }
  await writeFile(path.join(folder, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [named] }))
  const creds = `key:${i.people.ada.apiKey}`
  const to = `docker://${i.host}/acme/shop:${tag}`
  await client('skopeo', '--insecure-policy', 'copy', '--dest-tls-verify=false', '--dest-creds', creds, `oci:${folder}:${tag}`, to)
  return { image: { repository: 'shop', reference: tag }, digests: pushed.map((layer) => layer.digest) }
}

/** Files of a folder as GNU tar packs them. */
async function tarOf(name: string, content: Record<string, string>): Promise<Buffer> {
  const folder = path.join(i.folder, `files-${name}`)
  for (const [file, text] of Object.entries(content)) {
    await mkdir(path.dirname(path.join(folder, file)), { recursive: true })
    await writeFile(path.join(folder, file), text)
  }
  const out = path.join(i.folder, `${name}.tar`)
  await client('tar', '-C', folder, '--sort=name', '-cf', out, '.')
  return readFile(out)
}

/** What the worker does with what its sweep finds. */
async function read(): Promise<void> {
  enqueued.length = 0
  await sweepLayers(worker)
  for (const layer of enqueued) await readLayer(worker, layer, AbortSignal.timeout(60_000))
}
/** What webhooks hear of what was read, once. */
async function told(): Promise<unknown[]> {
  const { db } = i.database
  const events = await db.event.findMany({ where: { kind: 'scan' }, orderBy: { id: 'asc' } })
  await db.event.deleteMany({ where: { kind: 'scan' } })
  return events.map((event) => event.data)
}
const textOf = async (image: { repository: string; reference: string }, file: string) =>
  (await files.text(acme, { ...image, path: file })).text

const STATUS = 'Package: bash\nStatus: install ok installed\nArchitecture: amd64\nVersion: 5.2-1\n'

it('reads what was pushed: gzip and zstd, whiteouts, links, packages; and gives out the files', async () => {
  const big = 'line\n'.repeat(300_000)
  await tarOf('base', { 'etc/motd': 'hello', 'srv/a': 'one', 'srv/big': big, 'var/lib/dpkg/status': STATUS })
  const next = await tarOf('next', {
    'srv/.wh.a': '',
    'srv/b': 'two',
    'node_modules/left-pad/package.json': '{"name":"left-pad","version":"1.3.0"}',
  })
  await client('ln', path.join(i.folder, 'files-base/etc/motd'), path.join(i.folder, 'files-base/etc/issue'))
  const linked = await tarOf('base', {})
  await writeFile(path.join(i.folder, 'next.raw'), next)
  await client('zstd', '-q', '-f', path.join(i.folder, 'next.raw'), '-o', path.join(i.folder, 'next.zst'))
  const packed = await readFile(path.join(i.folder, 'next.zst'))
  const { image, digests } = await push('v1', [
    { tar: linked },
    { tar: next, packed, mediaType: 'application/vnd.oci.image.layer.v1.tar+zstd' },
  ])

  expect((await files.state(acme, image)).state).toBe('waiting')
  await read()
  expect([...enqueued].sort()).toEqual(digests.map((digest) => digest.replace(':', '-')).sort())
  const state = await files.state(acme, image)
  expect(state).toMatchObject({ state: 'ready', total: { wasted: 3, top: [{ path: 'srv/a', bytes: 3, layer: 0, by: 1, how: 'removed' }] } })
  await read()
  expect(enqueued).toEqual([])
  await read()
  expect(await told()).toEqual([
    {
      digest: expect.stringMatching(/^sha256:/),
      tags: ['v1'],
      platform: 'linux/amd64',
      files: expect.any(Number),
      bytes: expect.any(Number),
      packages: { deb: 1, npm: 1 },
      unreadLayers: 0,
    },
  ])

  const list = await files.list(acme, { ...image, path: 'srv', hidden: false, offset: 0, limit: 100 })
  expect(list.items.map((one) => [one.name, one.size, one.layer])).toEqual([
    ['b', 3, 1],
    ['big', big.length, 0],
  ])
  expect(await textOf(image, 'etc/motd')).toBe('hello')
  // The second name of the same file.
  expect(await textOf(image, 'etc/issue')).toBe('hello')
  expect(await textOf(image, 'srv/b')).toBe('two')
  expect((await files.text(acme, { ...image, path: 'srv/a', layer: 0 })).text).toBe('one')
  await expect(textOf(image, 'srv/big')).rejects.toMatchObject({ code: 'FILE_TOO_LARGE' })
  const download = await files.download(acme, { ...image, path: 'srv/big' }, AbortSignal.timeout(30_000))
  const hash = createHash('sha256')
  for await (const chunk of download.stream) hash.update(chunk as Buffer)
  expect([download.filename, hash.digest('hex')]).toEqual(['big', createHash('sha256').update(big).digest('hex')])
  const packages = await files.packages(acme, image)
  expect(packages.packages.map((one) => [one.type, one.name, one.version, one.layer])).toEqual([
    ['deb', 'bash', '5.2-1', 0],
    ['npm', 'left-pad', '1.3.0', 1],
  ])
})

it('refuses a layer that is none for good, and tries again what was only away', async () => {
  const hostile = await push('hostile', [{ tar: Buffer.from('x'.repeat(5000)) }])
  await read()
  expect((await files.state(acme, hostile.image)).layers[0]).toMatchObject({
    state: 'refused',
    error: expect.stringContaining('valid archive'),
  })
  await read()
  expect(enqueued).toEqual([])
  expect(await told()).toEqual([expect.objectContaining({ tags: ['hostile'], packages: {}, unreadLayers: 1 })])

  const away = await push('away', [{ tar: await tarOf('away', { file: 'x' }) }])
  const { registryKey } = worker.env
  const layer = (away.digests[0] as string).replace(':', '-')
  await readLayer(
    { ...worker, env: { ...worker.env, registryKey, SLIPWAY_REGISTRY_URL: 'http://127.0.0.1:9' } },
    layer,
    AbortSignal.timeout(20_000),
  )
  expect((await files.state(acme, away.image)).layers[0]).toMatchObject({
    state: 'waiting',
    error: expect.stringContaining('does not answer'),
  })
  await read()
  expect(enqueued).toEqual([])
  expect(await told()).toEqual([])
  await i.database.db.layerIndex.updateMany({ data: { updatedAt: new Date(Date.now() - 120_000) }, where: { state: 'failed' } })
  await read()
  expect((await files.state(acme, away.image)).state).toBe('ready')
})
