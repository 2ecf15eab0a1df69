/** `slipway build` from a folder without a repository, against a whole installation: it serves, and a change sends only itself. */
import { execFile, execFileSync, spawn } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Ready, readyInstallation } from './support/account'
import { fetchApp, until } from './support/api'

const ROOT = resolve(import.meta.dirname, '../..')
const SLIPWAY = join(ROOT, 'apps/cli/bin/slipway.cjs')

let ready: Ready
let home: string
let folder: string
beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'sw-laptop-'))
  folder = join(home, 'hello')
  cpSync(join(ROOT, 'examples/hello'), folder, { recursive: true })
  ready = await readyInstallation()
  await ready.api.projects.create.mutate({ org: ready.org, name: 'Desk' })
})
afterAll(async () => {
  await ready?.installation.remove()
  rmSync(home, { recursive: true, force: true })
})

const environment = () => ({
  PATH: process.env.PATH,
  HOME: home,
  SLIPWAY_URL: ready.installation.webUrl,
  SLIPWAY_API_KEY: ready.key,
  TOKEN: 'the-very-secret',
})
function slipway(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  return new Promise((done) => {
    execFile(process.execPath, [SLIPWAY, ...args], { env: environment(), timeout: 180_000 }, (error, out, err) =>
      done({ code: error ? (typeof error.code === 'number' ? error.code : 1) : 0, out, err }),
    )
  })
}
const page = async () => (await fetchApp(ready.installation.routerPort, 'hello.localhost')).text

it('builds and deploys a folder; the URL answers', async () => {
  const { code, out, err } = await slipway('build', folder, '--deploy')
  expect(`${code} ${err}`).toMatch(/^0 App hello is new/)
  expect(out).toMatch(/^slipway\.local\/acme\/hello:latest@sha256:[0-9a-f]{64}\nhttp:\/\/hello\.localhost/)
  expect(err).toMatch(/#\d+ \[.*FROM slipway\.local\/base\/busybox/)
  expect(await page()).toContain('<')
  const build = await ready.api.builds.get.query({ org: ready.org, app: 'hello', number: 1 })
  expect(build).toMatchObject({ trigger: 'upload', actor: expect.any(String), deploys: true, commit: null })
  expect((await ready.api.apps.get.query({ org: ready.org, app: 'hello' })).source).toBe('upload')
})

it('sends what changed, and takes the rest from before', async () => {
  writeFileSync(join(folder, 'index.html'), 'changed on a laptop\n')
  const { code, out, err } = await slipway('build', folder, '--deploy', '--json')
  expect(`${code} ${err}`).toMatch(/^0/)
  const { sent, build } = JSON.parse(out) as { sent: { bytes: number; files: number }; build: { cachedSteps: number } }
  expect(sent.bytes).toBeLessThan(2000)
  expect(build.cachedSteps).toBeGreaterThan(0)
  await until('the change serves', async () => (await page()) === 'changed on a laptop\n')
})

it('builds without deploying, with secrets that stay secret, and tells a failing line', async () => {
  writeFileSync(
    join(folder, 'Dockerfile'),
    'FROM slipway.local/base/busybox\nARG MODE\nCOPY . /srv\nRUN --mount=type=secret,id=token cat /run/secrets/token && wc -c < /run/secrets/token && echo mode $MODE\n',
  )
  const built = await slipway(
    'build',
    folder,
    '--app',
    'hello',
    '--secret',
    'id=token,env=TOKEN',
    '--build-arg',
    'MODE=dark',
    '-t',
    'hello:v7',
    '--push',
  )
  expect(`${built.code} ${built.err}`).toMatch(/^0/)
  expect(built.err).toMatch(/15\n/)
  expect(built.err).toContain('mode dark')
  expect(built.err).not.toContain('the-very-secret')
  expect((await ready.api.images.get.query({ org: ready.org, repository: 'hello', reference: 'v7' })).tags).toContain('v7')
  expect(await page(), 'a push deploys nothing').toBe('changed on a laptop\n')
  writeFileSync(join(folder, 'Dockerfile'), 'FROM slipway.local/base/busybox\nRUN echo cannot go on; exit 9\n')
  const failed = await slipway('build', folder)
  expect(failed.code).toBe(1)
  expect(failed.err).toMatch(/cannot go on/)
  expect(failed.err).toMatch(/Dockerfile:2|line 2/)
})

/** Digest of the image in an OCI archive, and what its layers are. */
function inArchive(path: string): { digest: string; layers: string[]; created: string } {
  const read = (name: string) => JSON.parse(execFileSync('tar', ['-xOf', path, name], { encoding: 'utf8' }))
  const blob = (digest: string) => read(`blobs/sha256/${digest.slice('sha256:'.length)}`)
  const { digest } = read('index.json').manifests[0]
  const manifest = blob(digest)
  return {
    digest,
    layers: manifest.layers.map((layer: { mediaType: string }) => layer.mediaType.split('.').at(-1)),
    created: blob(manifest.config.digest).created,
  }
}

it('makes the same image of the same files, wherever and whenever, and in the form that -o asks for', async () => {
  const made: ReturnType<typeof inArchive>[] = []
  for (const [name, age] of [
    ['here', 3600],
    ['there', 999_999],
  ] as const) {
    const copy = join(home, name)
    mkdirSync(join(copy, 'src'), { recursive: true })
    writeFileSync(join(copy, 'Dockerfile'), 'FROM slipway.local/base/busybox\nCOPY src /src\nRUN cat /src/a > /b && mkdir -p /c/d\n')
    writeFileSync(join(copy, 'src/a'), 'the same\n')
    utimesSync(join(copy, 'src/a'), Date.now() / 1000 - age, Date.now() / 1000 - age)
    const out = join(home, `${name}.tar`)
    const look = 'rewrite-timestamp=true,compression=zstd,compression-level=5,force-compression=true'
    const { code, err } = await slipway('build', copy, '--app', 'same', '--no-cache', '-o', `type=oci,dest=${out},${look}`)
    expect(`${code} ${err}`).toMatch(/^0/)
    expect(err).toContain('all is dated 1970-01-01')
    made.push(inArchive(out))
  }
  expect(made[0]).toEqual(made[1])
  expect(made[0]).toMatchObject({ layers: ['tar+zstd', 'tar+zstd', 'tar+zstd'], created: expect.stringMatching(/^1970-01-01T00:00:00/) })
})

it('ends the build on the server with Ctrl-C', async () => {
  writeFileSync(join(folder, 'Dockerfile'), 'FROM slipway.local/base/busybox\nRUN echo begun; sleep 600\n')
  const child = spawn(process.execPath, [SLIPWAY, 'build', folder], { env: environment(), stdio: ['ignore', 'ignore', 'pipe'] })
  let err = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text
  })
  const gone = new Promise<number | null>((r) => child.once('close', r))
  await until('the step runs', async () => / begun\n/.test(err))
  child.kill('SIGINT')
  expect(await gone).toBe(130)
  await until('the build is canceled', async () => {
    const { items } = await ready.api.builds.list.query({ org: ready.org, app: 'hello', limit: 1 })
    return items[0]?.state === 'canceled'
  })
})
