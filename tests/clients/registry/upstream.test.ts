/** What was pulled through the cache is there for docker and skopeo when the upstream, Debian's docker-registry or one of ours, is dead. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { newId, upstreamNamespace } from '@slipway/core'
import { freePort, startDockerd, type TestDockerd } from '@slipway/testing'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { client, type Installation, startInstallation, writeImage } from './installation'

let i: Installation
let ours: Installation
let hub: ChildProcess
let hubHost: string
let daemon: TestDockerd
let mirror: number
let digest: string

const run = promisify(execFile)
const skopeo = (...argv: string[]) => client('skopeo', '--insecure-policy', ...argv)
const docker = async (...argv: string[]) => {
  const options = { timeout: 60_000, env: { PATH: process.env.PATH, HOME: i.folder } }
  return (await run('/usr/bin/docker', ['-H', `unix://${daemon.socketPath}`, ...argv], options)).stdout
}
const pull = (name: string, to: string, creds = `key:${i.people.ada.apiKey}`) =>
  skopeo('copy', '--src-tls-verify=false', '--src-creds', creds, `docker://${i.host}/${name}`, `oci:${path.join(i.folder, to)}:v1`)

async function startHub(folder: string, port: number): Promise<ChildProcess> {
  const file = path.join(folder, 'docker-registry.yml')
  await mkdir(folder, { recursive: true })
  const storage = `storage: { filesystem: { rootdirectory: ${path.join(folder, 'docker-registry')} } }`
  await writeFile(file, `version: 0.1\n${storage}\nhttp: { addr: 127.0.0.1:${port} }\n`)
  const child = spawn('docker-registry', ['serve', file], { stdio: 'ignore' })
  for (let tries = 0; tries < 200; tries++) {
    if ((await fetch(`http://127.0.0.1:${port}/v2/`).catch(() => undefined))?.ok) return child
    await new Promise((r) => setTimeout(r, 50))
  }
  throw new Error('docker-registry did not start')
}

const ended = (child: ChildProcess) =>
  new Promise<void>((resolve) => (child.exitCode !== null || child.signalCode !== null ? resolve() : child.once('close', () => resolve())))

beforeAll(async () => {
  mirror = await freePort()
  const port = await freePort()
  i = await startInstallation({ SLIPWAY_REGISTRY_MIRROR_PORT: String(mirror) })
  ours = await startInstallation()
  hubHost = `127.0.0.1:${port}`
  hub = await startHub(i.folder, port)
  const source = path.join(i.folder, 'image')
  digest = await writeImage(source, 'v1', 'hello from upstream')
  await skopeo('copy', '--dest-tls-verify=false', `oci:${source}:v1`, `docker://${hubHost}/library/hello:v1`)
  const creds = `key:${ours.people.ada.apiKey}`
  await skopeo('copy', '--dest-tls-verify=false', '--dest-creds', creds, `oci:${source}:v1`, `docker://${ours.host}/acme/open:v1`)
  await ours.database.db.repository.updateMany({ where: { name: 'open' }, data: { visibility: 'public' } })
  const { db } = i.database
  const settings = { allowPrivate: true, anonymous: true, revalidateMinutes: 0 }
  await db.upstream.update({ where: { host: 'docker.io' }, data: { url: `http://${hubHost}`, ...settings } })
  const other = { host: ours.host, url: `http://${ours.host}`, limitBytes: 1024 ** 3, ...settings }
  await db.upstream.create({ data: { id: newId('upstream'), ...other } })
  daemon = await startDockerd({ args: ['--registry-mirror', `http://127.0.0.1:${mirror}`] })
})
afterAll(async () => {
  await daemon?.stop()
  hub?.kill('SIGKILL')
  await Promise.all([i?.close(), ours?.close()])
})

it('is pulled by docker as its mirror, and by skopeo under our name', async () => {
  expect(await docker('pull', 'hello:v1')).toContain(digest)
  await pull('docker.io/library/hello:v1', 'first')
  await pull(`${upstreamNamespace(ours.host)}/acme/open:v1`, 'second')
})

it('is there when the upstream was killed', async () => {
  hub.kill('SIGKILL')
  await Promise.all([ended(hub), ours.registry.end('SIGKILL')])
  await docker('rmi', '-f', 'hello:v1')
  expect(await docker('pull', 'hello:v1')).toContain(digest)
  const cached = `docker.io/library/hello@${digest}`
  await pull(cached, 'third', `key:${i.people.eve.apiKey}`)
  await pull(`${upstreamNamespace(ours.host)}/acme/open:v1`, 'fourth')
  const folders = ['image', 'third', 'fourth'].map((folder) => path.join(i.folder, folder, 'blobs'))
  for (const folder of folders.slice(1)) expect(await client('diff', '-r', folders[0] ?? '', folder)).toBe('')
  const tags = await skopeo(
    'list-tags',
    '--tls-verify=false',
    '--creds',
    `key:${i.people.ada.apiKey}`,
    `docker://${i.host}/docker.io/library/hello`,
  )
  expect(JSON.parse(tags).Tags).toEqual(['v1'])
})

it('says what is the matter with what nobody pulled before', async () => {
  await expect(pull('docker.io/library/other:v1', 'fifth')).rejects.toThrow(/docker\.io .*not in the cache|unavailable|503/)
  await expect(pull('ghcr.io/team/app:v1', 'sixth')).rejects.toThrow(/denied|unauthorized|Settings → Upstreams/i)
})
