/**
 * What a push sets off, in a whole installation: apps that follow its tag answer with the new content, and webhooks hear of every push,
 * whatever happens to Redis and to the worker meanwhile.
 */
import { execFile, execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { OCI_CONFIG, OCI_LAYER_GZIP, OCI_MANIFEST, RegistryClient } from '@slipway/oci'
import { startDockerd, type TestDockerd } from '@slipway/testing'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Ready, readyInstallation } from './support/account'
import { fetchApp, until } from './support/api'
import { serving } from './support/apps'

const run = promisify(execFile)
let ready: Ready
let daemon: TestDockerd
let folder: string
let host: string
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sw-events-'))
  ;[ready, daemon] = await Promise.all([readyInstallation(), startDockerd()])
  host = `127.0.0.1:${ready.installation.registryPort}`
  await ready.api.projects.create.mutate({ org: ready.org, name: 'Shop' })
  await docker('login', '-u', 'key', '-p', ready.key, host)
})
afterAll(async () => {
  await daemon?.stop()
  await ready?.installation.remove()
  rmSync(folder, { recursive: true, force: true })
})

const docker = async (...argv: string[]): Promise<string> => {
  const env = { PATH: process.env.PATH, HOME: folder }
  const { stdout } = await run('docker', ['--config', folder, '-H', `unix://${daemon.socketPath}`, ...argv], { env, timeout: 120_000 })
  return stdout
}

/** kill −9, also of one that was just killed and is coming back. */
const killWorker = () =>
  until('the worker runs', async () => {
    ready.installation.kill9('worker')
    return true
  })

/** An image that serves one text: busybox out of this machine, with a page. */
async function pushSite(text: string): Promise<void> {
  const root = join(folder, text)
  mkdirSync(join(root, 'bin'), { recursive: true })
  mkdirSync(join(root, 'www'))
  copyFileSync('/bin/busybox', join(root, 'bin/busybox'))
  writeFileSync(join(root, 'www/index.html'), `${text}\n`)
  execFileSync('tar', ['-C', root, '-cf', `${root}.tar`, 'bin', 'www'])
  const changes = ['CMD ["/bin/busybox", "httpd", "-f", "-p", "8080", "-h", "/www"]', 'EXPOSE 8080'].flatMap((line) => ['--change', line])
  await docker('import', ...changes, `${root}.tar`, `${host}/${ready.org}/site:live`)
  expect(await docker('push', `${host}/${ready.org}/site:live`)).toMatch(/digest: sha256:/)
}

it('a docker push deploys the apps that follow the tag, and no others', { timeout: 300_000 }, async () => {
  const { api, org, installation } = ready
  await pushSite('one')
  const image = { org, project: 'shop', source: 'image' as const, imageReference: `slipway.local/${org}/site:live` }
  const { app } = await api.apps.create.mutate({ ...image, name: 'Follows', followTag: true })
  const { app: stays } = await api.apps.create.mutate({ ...image, name: 'Stays' })
  const answers = async (of: string) => (await fetchApp(installation.routerPort, (await serving(api, org, of)).hostname)).text
  expect([await answers(app), await answers(stays)]).toEqual(['one\n', 'one\n'])

  await pushSite('two')
  const { hostname } = await serving(api, org, app)
  await until('the new content answers', async () => (await fetchApp(installation.routerPort, hostname)).text === 'two\n', 120_000)
  const deployment = await api.deployments.get.query({ org, app, number: 2 })
  expect(deployment).toMatchObject({ number: 2, state: 'serving' })
  // The worker dies between the push and what it sets off.
  installation.kill9('worker')
  await pushSite('three')
  await until(
    'the push after the crash answers',
    async () => (await fetchApp(installation.routerPort, hostname)).text === 'three\n',
    120_000,
  )
  expect(await answers(stays)).toBe('one\n')
  // The same again moves no tag, so nothing is deployed.
  await docker('push', `${host}/${org}/site:live`)
  await sleep(2000)
  expect((await api.apps.get.query({ org, app })).serving?.number).toBe(3)
})

it('webhooks hear of every push, through a Redis that is wiped and a worker that is killed again and again', {
  timeout: 420_000,
}, async () => {
  const { api, org, installation } = ready
  const heard = new Map<string, Set<string>>()
  const seen = new Set<string>()
  const receiver: Server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk) => (body += chunk))
    request.on('end', async () => {
      const { data } = JSON.parse(body) as { data: { tags: string[] } }
      const delivery = String(request.headers['webhook-id'])
      // The first attempt at every third is refused; all take so long that some are in the middle when the worker dies.
      const refused = !seen.has(delivery) && seen.add(delivery).size % 3 === 0
      await sleep(150)
      if (!refused) for (const tag of data.tags) heard.set(tag, (heard.get(tag) ?? new Set()).add(delivery))
      response.writeHead(refused ? 503 : 204).end()
    })
  })
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve))
  try {
    const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`
    const { id } = await api.outgoing.create.mutate({ org, name: 'Ears', url, events: ['push'], repositories: ['told'], inside: true })
    const registry = new RegistryClient({ baseUrl: `http://${host}`, credentials: { username: 'key', password: ready.key } })
    const blob = async (mediaType: string, text: string) => {
      const bytes = new TextEncoder().encode(text)
      return { mediaType, digest: await registry.putBlob(`${org}/told`, bytes), size: bytes.length }
    }
    const config = await blob(OCI_CONFIG, '{"os":"linux","architecture":"amd64","rootfs":{"type":"layers","diff_ids":[]}}')
    const layers = [await blob(OCI_LAYER_GZIP, 'a layer')]
    const pushed: string[] = []
    for (let n = 0; n < 40; n++) {
      const manifest = { schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers, annotations: { n: `${n}` } }
      await registry.putManifest(`${org}/told`, new TextEncoder().encode(JSON.stringify(manifest)), OCI_MANIFEST, `v${n}`)
      pushed.push(`v${n}`)
      if (n % 8 === 3) execFileSync('redis-cli', ['-s', join(installation.data, 'run/redis.sock'), 'FLUSHALL'])
      if (n % 13 === 6) await killWorker()
      await sleep(100)
    }
    execFileSync('redis-cli', ['-s', join(installation.data, 'run/redis.sock'), 'FLUSHALL'])
    await until('every push was heard of', async () => pushed.every((tag) => heard.has(tag)), 240_000)
    await until(
      'nothing waits',
      async () => (await api.outgoing.deliveries.query({ org, id, state: 'pending', limit: 1 })).items.length === 0,
      120_000,
    )
    const { items } = await api.outgoing.deliveries.query({ org, id, limit: 100 })
    expect(items.map(({ state }) => state)).toEqual(pushed.map(() => 'delivered'))
    // However often it was sent, it is one delivery, which the receiver tells by its id.
    expect([...heard.values()].map((ids) => ids.size)).toEqual(pushed.map(() => 1))
  } finally {
    receiver.closeAllConnections()
    receiver.close()
  }
})
