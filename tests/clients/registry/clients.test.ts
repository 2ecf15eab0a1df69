/** The registry in the hands of the programs people have: docker with its daemon, podman, buildah, BuildKit, and skopeo for what they cannot do. */
import { execFile } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { OCI_EMPTY, OCI_INDEX, OCI_MANIFEST, RegistryClient } from '@slipway/oci'
import { digestBytes } from '@slipway/oci/node'
import { startDockerd, type TestDockerd } from '@slipway/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { PASSWORD } from '../../../apps/registry/src/testing/fixture'
import { client, type Installation, startInstallation, writeImage } from './installation'

let i: Installation
let source: string
let digest: string
beforeAll(async () => {
  i = await startInstallation()
  source = path.join(i.folder, 'image')
  digest = await writeImage(source, 'v1', 'hello from clients')
})
afterAll(() => i?.close())

interface Given {
  input?: string
  env?: Record<string, string>
}

/** Runs a client to its end, at most a minute; rejects with all that it said. */
function run(argv: string[], { input, env = {} }: Given = {}): Promise<string> {
  const [program = '', ...args] = argv
  return new Promise((resolve, reject) => {
    const options = { timeout: 60_000, maxBuffer: 16 * 1024 * 1024, env: { PATH: process.env.PATH, HOME: i.folder, ...env } }
    const child = execFile(program, args, options, (error, stdout, stderr) =>
      error ? reject(new Error(`${argv.join(' ')}: ${stdout}${stderr}`)) : resolve(`${stdout}${stderr}`),
    )
    child.stdin?.end(input ?? '')
  })
}

const skopeo = (...argv: string[]) => client('skopeo', '--insecure-policy', ...argv)
const creds = () => `key:${i.people.ada.apiKey}`
const tags = async (name: string): Promise<string[]> =>
  JSON.parse(await skopeo('list-tags', '--tls-verify=false', '--creds', creds(), `docker://${i.host}/${name}`)).Tags
const remove = (name: string) => skopeo('delete', '--tls-verify=false', '--creds', creds(), `docker://${i.host}/${name}`)
const raw = async (name: string) =>
  JSON.parse(await skopeo('inspect', '--raw', '--tls-verify=false', '--creds', creds(), `docker://${i.host}/${name}`))

describe('docker with its daemon', () => {
  let daemon: TestDockerd
  /** The CLI of Debian's docker.io, which has BuildKit built in; a newer one would need a plugin. */
  const docker = (argv: string[], given: Given = {}) =>
    run(['/usr/bin/docker', '--config', path.join(i.folder, 'docker'), '-H', `unix://${daemon.socketPath}`, ...argv], given)
  beforeAll(async () => {
    daemon = await startDockerd()
  })
  afterAll(() => daemon?.stop())

  it('logs in, pushes, pulls what others pushed, and forgets the login', async () => {
    const name = `${i.host}/acme/docker`
    await expect(docker(['login', '-u', i.people.ada.email, '--password-stdin', i.host], { input: 'wrong' })).rejects.toThrow(
      /Wrong e-mail|unauthorized/i,
    )
    expect(await docker(['login', '-u', i.people.ada.email, '--password-stdin', i.host], { input: PASSWORD })).toContain('Login Succeeded')
    await skopeo('copy', '--dest-tls-verify=false', '--dest-creds', creds(), `oci:${source}:v1`, `docker://${name}:v1`)
    expect(await docker(['pull', `${name}:v1`])).toContain(digest)
    await docker(['tag', `${name}:v1`, `${name}:v2`])
    const pushed = /digest: (sha256:[0-9a-f]{64})/.exec(await docker(['push', `${name}:v2`]))?.[1] ?? ''
    // dockerd keeps no compressed layers: what it pushes is another manifest of its own kind, with the same content.
    expect(await raw('acme/docker:v2')).toMatchObject({ mediaType: 'application/vnd.docker.distribution.manifest.v2+json' })
    expect(await docker(['push', `${i.host}/acme/docker:v2`])).toContain('Layer already exists')
    await docker(['tag', `${name}:v2`, `${i.host}/acme/team/mounted:v2`])
    expect(await docker(['push', `${i.host}/acme/team/mounted:v2`])).toContain('Mounted from acme/docker')
    await docker(['rmi', '-f', `${name}:v1`, `${name}:v2`, `${i.host}/acme/team/mounted:v2`])
    expect(await docker(['pull', `${name}@${pushed}`])).toContain('Downloaded newer image')
    expect(await docker(['image', 'inspect', '--format', '{{json .Config.Cmd}}', `${name}@${pushed}`])).toContain('/hello.txt')
    expect(await docker(['manifest', 'inspect', '--insecure', `${name}:v2`])).toContain('"schemaVersion": 2')
    expect(await tags('acme/docker')).toEqual(['v1', 'v2'])
    await docker(['logout', i.host])
    await expect(docker(['pull', `${name}:v1`])).rejects.toThrow(/denied|unauthorized|no basic auth/i)
  })

  it('exports the cache of BuildKit into an image, and builds from it elsewhere', async () => {
    const name = `${i.host}/acme/built:cache`
    const context = path.join(i.folder, 'context')
    await mkdir(context, { recursive: true })
    await writeFile(path.join(context, 'Dockerfile'), 'FROM scratch\nCOPY one.txt /one.txt\nCOPY two.txt /two.txt\n')
    await writeFile(path.join(context, 'one.txt'), 'one')
    await writeFile(path.join(context, 'two.txt'), 'two')
    await docker(['login', '-u', 'key', '--password-stdin', i.host], { input: i.people.dan.apiKey })
    const build = (...more: string[]) =>
      docker(['build', '--progress=plain', '-t', name, ...more, context], { env: { DOCKER_BUILDKIT: '1' } })
    await build('--build-arg', 'BUILDKIT_INLINE_CACHE=1')
    await docker(['push', name])
    await docker(['rmi', '-f', name])
    await docker(['builder', 'prune', '-af'])
    expect((await build()).match(/^#\d+ CACHED$/gm) ?? []).toEqual([])
    await docker(['rmi', '-f', name])
    await docker(['builder', 'prune', '-af'])
    const again = await build('--cache-from', name)
    expect(again).toContain(`importing cache manifest from ${name}`)
    expect(again.match(/^#\d+ CACHED$/gm)).toHaveLength(2)
  })
})

/** Storage of a podman or buildah of its own, which goes with the test's folder. */
const storage = (name: string) => [
  ...['--root', path.join(i.folder, name, 'root'), '--runroot', path.join(i.folder, name, 'run'), '--storage-driver', 'vfs'],
]

describe.each(['podman', 'buildah'])('%s', (program) => {
  const call = (argv: string[], given: Given = {}) =>
    run([program, ...storage(program), ...argv], { ...given, env: { REGISTRY_AUTH_FILE: path.join(i.folder, `${program}.json`) } })
  const plain = '--tls-verify=false'

  it('logs in, pulls, pushes in both forms and as an index, and logs out', async () => {
    const name = `${i.host}/acme/${program}`
    await expect(call(['login', plain, '-u', 'key', '--password-stdin', i.host], { input: `slp_${'x'.repeat(43)}` })).rejects.toThrow(
      /invalid username|not valid|unauthorized/i,
    )
    expect(await call(['login', plain, '-u', 'key', '--password-stdin', i.host], { input: i.people.dan.apiKey })).toContain(
      'Login Succeeded',
    )
    await skopeo('copy', '--dest-tls-verify=false', '--dest-creds', creds(), `oci:${source}:v1`, `docker://${name}:v1`)
    await call(['pull', plain, `${name}:v1`])
    await call(['tag', `${name}:v1`, `${name}:oci`, `${name}:docker`])
    await call(['push', plain, '--format', 'oci', `${name}:oci`])
    await call(['push', plain, '--format', 'v2s2', `${name}:docker`])
    expect(await raw(`acme/${program}:oci`)).toMatchObject({ config: { mediaType: 'application/vnd.oci.image.config.v1+json' } })
    expect(await raw(`acme/${program}:docker`)).toMatchObject({ mediaType: 'application/vnd.docker.distribution.manifest.v2+json' })
    await call(['manifest', 'create', 'list'])
    await call(['manifest', 'add', plain, 'list', `docker://${name}:oci`])
    await call(['manifest', 'push', plain, '--all', 'list', `docker://${name}:all`])
    expect(await raw(`acme/${program}:all`)).toMatchObject({ mediaType: OCI_INDEX, manifests: [{ platform: { architecture: 'amd64' } }] })
    await call(['rmi', '-f', `${name}:v1`, `${name}:oci`, `${name}:docker`])
    await call(['pull', plain, `${name}:all`])
    expect(await tags(`acme/${program}`)).toEqual(['all', 'docker', 'oci', 'v1'])
    await remove(`acme/${program}:docker`)
    expect(await tags(`acme/${program}`)).toEqual(['all', 'oci', 'v1'])
    await call(['logout', i.host])
    await call(['rmi', '-f', '-a'])
    await expect(call(['pull', plain, `${name}:v1`])).rejects.toThrow(/unauthorized|denied|Log in/i)
  })
})

it('is searched and listed by podman', async () => {
  const auth = path.join(i.folder, 'search.json')
  const podman = (argv: string[], input?: string) =>
    run(['podman', ...storage('podman'), ...argv], { input, env: { REGISTRY_AUTH_FILE: auth } })
  await podman(['login', '--tls-verify=false', '-u', 'key', '--password-stdin', i.host], i.people.ada.apiKey)
  await skopeo('copy', '--dest-tls-verify=false', '--dest-creds', creds(), `oci:${source}:v1`, `docker://${i.host}/acme/searched:v1`)
  expect(await podman(['search', '--tls-verify=false', '--list-tags', `${i.host}/acme/searched`])).toContain('v1')
  expect(await podman(['search', '--tls-verify=false', `${i.host}/searched`])).toContain(`${i.host}/acme/searched`)
})

it('keeps the layers of buildah builds as their cache', async () => {
  const context = path.join(i.folder, 'bud')
  await mkdir(context, { recursive: true })
  await writeFile(path.join(context, 'Dockerfile'), 'FROM scratch\nCOPY one.txt /one.txt\nCOPY one.txt /two.txt\n')
  await writeFile(path.join(context, 'one.txt'), 'one')
  const env = { REGISTRY_AUTH_FILE: path.join(i.folder, 'bud.json') }
  const build = (machine: string) => {
    const cache = ['--layers', '--cache-to', `${i.host}/acme/cache`, '--cache-from', `${i.host}/acme/cache`]
    return run(['buildah', ...storage(machine), 'bud', '--tls-verify=false', ...cache, '-t', 'built', context], { env })
  }
  await run(['buildah', 'login', '--tls-verify=false', '-u', 'key', '--password-stdin', i.host], { input: i.people.dan.apiKey, env })
  expect(await build('machine-one')).toContain('Pushing cache')
  expect(await build('machine-two')).toMatch(/Cache pulled from remote/)
})

it('carries an artifact that is no image', async () => {
  const repository = new RegistryClient({ baseUrl: `http://${i.host}`, credentials: { username: 'key', password: i.people.dan.apiKey } })
  const bytes = (text: string) => new TextEncoder().encode(text)
  const chart = bytes('name: shop\nversion: 1.2.3\n')
  const manifest = {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    artifactType: 'application/vnd.example.chart',
    config: { mediaType: OCI_EMPTY, digest: await repository.putBlob('acme/charts', bytes('{}')), size: 2 },
    layers: [{ mediaType: 'text/yaml', digest: await repository.putBlob('acme/charts', chart), size: chart.byteLength }],
  }
  const pushed = await repository.putManifest('acme/charts', bytes(JSON.stringify(manifest)), OCI_MANIFEST, '1.2.3')
  expect(pushed).toBe(digestBytes(JSON.stringify(manifest)))
  expect(await raw('acme/charts:1.2.3')).toEqual(manifest)
  const target = path.join(i.folder, 'chart')
  await skopeo('copy', '--src-tls-verify=false', '--src-creds', creds(), `docker://${i.host}/acme/charts:1.2.3`, `dir:${target}`)
  expect(await readFile(path.join(target, digestBytes(chart).slice('sha256:'.length)), 'utf8')).toBe('name: shop\nversion: 1.2.3\n')
  await skopeo(
    ...['copy', '--src-tls-verify=false', '--src-creds', creds(), '--dest-tls-verify=false', '--dest-creds', creds()],
    ...[`docker://${i.host}/acme/charts:1.2.3`, `docker://${i.host}/acme/team/charts:stable`],
  )
  expect(await raw('acme/team/charts:stable')).toEqual(manifest)
})
