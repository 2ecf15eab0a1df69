/** One Dockerfile for two platforms, out of a base that has both, against a whole installation; the foreign one is never run here. */
import { execFile } from 'node:child_process'
import { createReadStream, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { gzipSync } from 'node:zlib'
import { createAgent } from '@slipway/agent-client'
import { buildParameters, provenanceStatement } from '@slipway/contracts'
import { OCI_CONFIG, OCI_INDEX, OCI_LAYER_GZIP, OCI_MANIFEST, RegistryClient } from '@slipway/oci'
import { digestBytes } from '@slipway/oci/node'
import { extract, pack } from 'tar-stream'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Ready, readyInstallation } from './support/account'
import { fetchApp, until } from './support/api'

const ROOT = resolve(import.meta.dirname, '../..')
const BOTH = ['linux/amd64', 'linux/arm64']
const FETCHED = 'fetched\n'
const DOCKERFILE = `FROM --platform=$BUILDPLATFORM slipway.local/base/busybox AS build
RUN echo once >> /shared
FROM build AS made
ARG TARGETARCH
RUN mkdir -p /www && echo "made for $TARGETARCH" > /www/index.html
FROM slipway.local/acme/two:1
COPY --from=build /shared /shared
COPY --from=made /www /srv
CMD ["/bin/busybox", "httpd", "-f", "-p", "8080", "-h", "/srv"]
`

const server = createServer((_request, response) => response.end(FETCHED))
let ready: Ready
let home: string
let folder: string
let registry: RegistryClient

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'sw-platforms-'))
  folder = join(home, 'two-worlds')
  mkdirSync(folder)
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  ready = await readyInstallation({ SLIPWAY_DOWNLOAD_INSIDE: '127.0.0.1' })
  await ready.api.projects.create.mutate({ org: ready.org, name: 'Desk' })
  const credentials = { username: 'key', password: ready.key }
  registry = new RegistryClient({ baseUrl: `http://localhost:${ready.installation.registryPort}`, credentials })
  const amd = await pushBase('amd64', { 'bin/busybox': readFileSync('/bin/busybox') })
  const arm = await pushBase('arm64', { 'bin/busybox': Buffer.from('no program of this machine') })
  await push({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [amd, arm] }, OCI_INDEX, '1')
})
afterAll(async () => {
  await ready?.installation.remove()
  server.close()
  rmSync(home, { recursive: true, force: true })
})

async function push(manifest: object, mediaType: string, target?: string) {
  const bytes = new TextEncoder().encode(JSON.stringify(manifest))
  return { mediaType, digest: await registry.putManifest('acme/two', bytes, mediaType, target), size: bytes.length }
}

/** A base that is made of files; nothing of it has to run. */
async function pushBase(architecture: string, files: Record<string, Buffer>) {
  const tar = pack()
  for (const [name, content] of Object.entries(files)) tar.entry({ name, mode: 0o755, mtime: new Date(0) }, content)
  tar.finalize()
  const layer = await buffer(tar)
  const blob = async (mediaType: string, content: Buffer) => {
    const bytes = new Uint8Array(content)
    return { mediaType, digest: await registry.putBlob('acme/two', bytes), size: bytes.length }
  }
  const rootfs = { type: 'layers', diff_ids: [digestBytes(layer)] }
  const config = { architecture, os: 'linux', config: { Env: ['PATH=/bin'] }, rootfs, history: [{ created_by: 'files' }] }
  const layers = [await blob(OCI_LAYER_GZIP, gzipSync(layer))]
  const manifest = {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: await blob(OCI_CONFIG, Buffer.from(JSON.stringify(config))),
    layers,
  }
  return { ...(await push(manifest, OCI_MANIFEST)), platform: { os: 'linux', architecture } }
}

function slipway(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const env = { PATH: process.env.PATH, HOME: home, SLIPWAY_URL: ready.installation.webUrl, SLIPWAY_API_KEY: ready.key }
  return new Promise((done) => {
    execFile(process.execPath, [join(ROOT, 'apps/cli/bin/slipway.cjs'), ...args], { env, timeout: 180_000 }, (error, out, err) =>
      done({ code: error ? (typeof error.code === 'number' ? error.code : 1) : 0, out, err }),
    )
  })
}
const image = (reference: string) => ready.api.images.get.query({ org: ready.org, repository: 'two-worlds', reference })

it('makes an index of both images, each with its own record, and runs the one of this host', async () => {
  const place = `http://127.0.0.1:${(server.address() as AddressInfo).port}/note`
  writeFileSync(
    join(folder, 'Dockerfile'),
    DOCKERFILE.replace('/shared\n', `/shared\nADD ${place}?key=s3cret /note\nCOPY --from=extra / /extra\n`),
  )
  const extra = join(home, 'extra')
  mkdirSync(extra)
  writeFileSync(join(extra, 'beside.txt'), 'beside\n')
  const tree = join(home, 'tree')
  const archive = join(home, 'image.tar')
  const wanted = ['--platform', BOTH.join(','), '-o', tree, '-o', `type=oci,dest=${archive}`]
  const { code, out, err } = await slipway(
    'build',
    folder,
    '-t',
    'two-worlds:v1',
    '--deploy',
    '--build-context',
    `extra=${extra}`,
    ...wanted,
  )
  expect(`${code} ${err}`).toMatch(/^0/)
  const digest = /two-worlds:v1@(sha256:[0-9a-f]{64})/.exec(out)?.[1] ?? ''

  const index = await image('v1')
  expect(index).toMatchObject({ digest, mediaType: OCI_INDEX, index: null, build: { app: 'two-worlds', number: 1 } })
  expect(index.children.map(({ platform }) => platform)).toEqual(BOTH)
  expect(index.tags.sort()).toEqual(['build-1', 'v1'])
  for (const { digest, platform } of index.children) {
    const one = await image(digest)
    expect(one).toMatchObject({ platform, index: { reference: expect.stringMatching(/^(?:v1|build-1)$/) }, build: { number: 1 } })
    expect(one.layers.map(({ createdBy }) => createdBy)).toEqual(['files', 'COPY /shared /shared', 'COPY /www /srv'])
    const asked = { org: ready.org, repository: 'two-worlds', reference: digest }
    const statement = await ready.api.images.attestation.query({ ...asked, kind: 'provenance' })
    const { subject, predicate } = provenanceStatement.parse(JSON.parse(statement?.text ?? ''))
    expect(subject[0]?.digest).toEqual({ sha256: digest.slice(7) })
    expect(predicate.buildDefinition.internalParameters).toMatchObject({ platform })
    expect(buildParameters.parse(predicate.buildDefinition.externalParameters).tree).toMatch(/^sha256:/)
    const materials = predicate.buildDefinition.resolvedDependencies ?? []
    const uris = materials.map(({ uri, name }) => `${uri?.replace(/^(oci:.*):[^:]*$/, '$1')}${name ? ` ${name}` : ''}`)
    expect(uris.sort()).toEqual([
      place,
      'oci://slipway.local/acme/two',
      'oci://slipway.local/base/busybox',
      'slipway:context',
      'slipway:context extra',
    ])
    expect(materials.find(({ uri }) => uri === place)?.digest).toEqual({ sha256: digestBytes(Buffer.from(FETCHED)).slice(7) })
    expect(statement?.text).not.toContain('s3cret')
    expect((await ready.api.images.sbom.query(asked))?.packages).toBeDefined()
  }

  const { steps, platform } = await ready.api.builds.get.query({ org: ready.org, app: 'two-worlds', number: 1 })
  expect(platform).toBe(BOTH.join(', '))
  const runs = steps.filter(({ instruction }) => instruction.startsWith('RUN')).map((step) => step.platform)
  expect(runs.sort(), 'what is the same is done once').toEqual(['linux/amd64', 'linux/amd64', 'linux/amd64->linux/arm64'])

  for (const name of ['amd64', 'arm64'])
    expect(readFileSync(join(tree, `linux_${name}`, 'srv/index.html'), 'utf8')).toBe(`made for ${name}\n`)
  const layout = await jsonOf(archive)
  const [entry] = (layout.get('index.json') as { manifests: { mediaType: string; digest: string }[] }).manifests
  expect(entry).toMatchObject({ mediaType: OCI_INDEX, digest })
  for (const child of index.children) expect([...layout.keys()]).toContain(`blobs/sha256/${child.digest.slice(7)}`)

  await until('this host’s own serves', async () =>
    (await fetchApp(ready.installation.routerPort, 'two-worlds.localhost')).text.includes('made for amd64'),
  )
  const { docker } = createAgent({ socketPath: ready.installation.agentSocket })
  const inspected = await docker.getImage(`slipway.local/acme/two-worlds@${digest}`).inspect()
  expect(inspected.Architecture).toBe('amd64')
})

it('is refused at a RUN on the foreign base, with the line, the platform and the way out', async () => {
  writeFileSync(join(folder, 'Dockerfile'), 'FROM slipway.local/acme/two:1\nRUN ["/bin/busybox", "true"]\n')
  const { code, err } = await slipway('build', folder, '--platform', BOTH.join(','))
  expect(code).toBe(1)
  expect(err).toMatch(/RUN needs a machine of linux\/arm64.*nothing is emulated/)
  expect(err).toContain('--platform=$BUILDPLATFORM')
  expect(err).toMatch(/Dockerfile:2|line 2/)
})

it('is an app’s setting too, and a foreign platform alone is one image', async () => {
  writeFileSync(join(folder, 'Dockerfile'), DOCKERFILE)
  const settings = { org: ready.org, app: 'two-worlds' }
  await expect(ready.api.apps.update.mutate({ ...settings, platforms: ['windows/amd64'] })).rejects.toThrow()
  await ready.api.apps.update.mutate({ ...settings, platforms: ['linux/arm64'] })
  expect((await slipway('build', folder, '-t', 'two-worlds:arm', '--push')).code).toBe(0)
  expect(await image('arm')).toMatchObject({ mediaType: OCI_MANIFEST, platform: 'linux/arm64', children: [] })
})

/** The JSON documents of an OCI archive, by name; null where there is none. */
async function jsonOf(path: string): Promise<Map<string, unknown>> {
  const files = new Map<string, unknown>()
  const reading = extract()
  createReadStream(path).pipe(reading)
  for await (const entry of reading) {
    const content = await buffer(entry)
    files.set(entry.header.name, entry.header.name.endsWith('.json') ? JSON.parse(content.toString()) : null)
  }
  return files
}
