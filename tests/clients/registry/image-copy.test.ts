/** `slipway image copy` between docker-registry, the server's own registry and back, looked at with skopeo. */
import { chmod, copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { startTestApi, type TestApi } from '@slipway/api/testing'
import { OCI_EMPTY, OCI_INDEX, OCI_MANIFEST } from '@slipway/oci'
import { digestBytes } from '@slipway/oci/node'
import { freePort } from '@slipway/testing'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { runSlipway } from '../../../apps/cli/src/testing/terminal'
import { newKeyPem, TestClient } from '../../../apps/registry/src/testing/fixture'
import { type RegistryProcess, spawnRegistry, writeKey } from '../../../apps/registry/src/testing/process'
import { client } from './installation'
import { clientOf, type Hub, startHub } from './replication-world'

let folder: string
let api: TestApi
let registry: RegistryProcess
let hub: Hub
let hubName: string
let ours: TestClient
let env: Record<string, string>
let key: string
let index: string
let sbom: string

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'slipway-copy-'))
  const port = await freePort()
  api = await startTestApi({ registryPort: port, webUrl: 'http://127.0.0.1:3000' })
  const { userId } = await api.harness.user('Ada', 'acme')
  key = (await api.harness.services.apiKeys.create({ userId, label: 'Ada', ip: null }, { name: 'cli' })).key
  const pem = newKeyPem()
  await writeKey(folder, pem)
  await copyFile(path.join(api.harness.secretsDir, 'master.key'), path.join(folder, 'secrets/master.key'))
  registry = await spawnRegistry({ databaseUrl: api.harness.databaseUrl, data: folder, port })
  ours = new TestClient(registry.base, pem)
  hub = await startHub(folder)
  hubName = `127.0.0.1:${hub.port}`
  env = { HOME: folder, XDG_CONFIG_HOME: folder, SLIPWAY_URL: api.url, SLIPWAY_API_KEY: key, SLIPWAY_ORG: 'acme' }
  ;({ index, sbom } = await pushIndex())
}, 120_000)
afterAll(async () => {
  await hub?.end()
  await registry?.end('SIGTERM')
  await api?.close()
  await rm(folder, { recursive: true, force: true })
})

const slipway = (...args: string[]) => runSlipway(args, { env })
const skopeo = (...argv: string[]) => client('skopeo', '--insecure-policy', ...argv)
const raw = async (name: string) => skopeo('inspect', '--raw', '--tls-verify=false', `docker://${hubName}/${name}`)
const children: string[] = []

async function pushIndex() {
  const name = 'acme/shop'
  const manifests = []
  for (const architecture of ['amd64', 'arm64']) {
    const { digest, manifest } = await ours.push(name, 'tmp', ['shared layer', `layer of ${architecture}`])
    children.push(digest)
    manifests.push({ mediaType: OCI_MANIFEST, digest, size: manifest.length, platform: { os: 'linux', architecture } })
  }
  const text = JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests })
  const put = (reference: string, type: string, body: string) =>
    ours.call('PUT', `/v2/${name}/manifests/${reference}`, { body, headers: { 'content-type': type } })
  expect((await put('v1', OCI_INDEX, text)).status).toBe(201)
  const [config, layer] = [await ours.pushBlob(name, '{}'), await ours.pushBlob(name, 'packages')]
  const subject = { mediaType: OCI_INDEX, digest: digestBytes(text), size: text.length }
  const list = JSON.stringify({
    ...{ schemaVersion: 2, mediaType: OCI_MANIFEST, artifactType: 'application/spdx+json', subject },
    config: { mediaType: OCI_EMPTY, digest: config, size: 2 },
    layers: [{ mediaType: 'text/plain', digest: layer, size: 8 }],
  })
  expect((await put(digestBytes(list), OCI_MANIFEST, list)).status).toBe(201)
  const signature = JSON.stringify({ ...JSON.parse(list), artifactType: undefined, subject: undefined })
  expect((await put(`${digestBytes(text).replace(':', '-')}.sig`, OCI_MANIFEST, signature)).status).toBe(201)
  return { index: digestBytes(text), sbom: digestBytes(list) }
}

it('copies out of our registry with the sign-in of the command line: all platforms and what refers to them', async () => {
  const ran = await slipway('image', 'copy', 'slipway.local/acme/shop:v1', `${hubName}/copies/shop`)
  expect(ran).toMatchObject({ code: 0, out: expect.stringContaining('7 blobs') })
  expect(digestBytes(await raw('copies/shop:v1'))).toBe(index)
  for (const child of children) expect(digestBytes(await raw(`copies/shop@${child}`))).toBe(child)
  const found = await clientOf(hub.url).referrers('copies/shop', index)
  expect(found.map(({ digest }) => digest)).toEqual([sbom])
  // As cosign attaches.
  expect(JSON.parse(await raw(`copies/shop:${index.replace(':', '-')}.sig`)).layers).toHaveLength(1)
  const again = await slipway('--json', 'image', 'copy', `${new URL(registry.base).host}/acme/shop:v1`, `${hubName}/copies/shop:v1`)
  expect(JSON.parse(again.out)).toMatchObject({ digest: index, manifests: 0, moved: { blobs: 0, bytes: 0 } })
})

it('copies one platform, and several', async () => {
  const one = await slipway('image', 'copy', '--platform', 'linux/arm64', 'slipway.local/acme/shop:v1', `${hubName}/one/shop:arm`)
  expect(one.code).toBe(0)
  expect(digestBytes(await raw('one/shop:arm'))).toBe(children[1])
  await slipway('image', 'copy', '--platform', 'linux/arm64,linux/amd64', 'slipway.local/acme/shop:v1', `${hubName}/two/shop`)
  expect(JSON.parse(await raw('two/shop:v1')).manifests).toHaveLength(2)
  const none = await slipway('image', 'copy', '--platform', 'linux/s390x', 'slipway.local/acme/shop:v1', `${hubName}/one/shop`)
  expect(none).toMatchObject({ code: 4, err: expect.stringContaining('linux/amd64, linux/arm64') })
})

it('copies into our registry, by digest too, and from one of its repositories to another without moving a byte', async () => {
  const into = await slipway('image', 'copy', `${hubName}/copies/shop@${index}`, 'slipway.local/acme/back:v9')
  expect(into).toMatchObject({ code: 0 })
  const bearer = await ours.sign([{ type: 'repository', name: 'acme/back', actions: ['pull'] }])
  const reader = clientOf(registry.base, { bearer })
  expect(await reader.resolve('acme/back', 'v9')).toBe(index)
  expect((await reader.referrers('acme/back', index)).map(({ digest }) => digest)).toEqual([sbom])
  const within = await slipway('--json', 'image', 'copy', 'slipway.local/acme/back:v9', 'slipway.local/acme/third')
  expect(JSON.parse(within.out)).toMatchObject({ digest: index, moved: { blobs: 0 }, skipped: { blobs: 7 } })
})

it('uses the logins of docker: kept in the file, as a refresh token, by a helper', async () => {
  const host = new URL(registry.base).host
  const copy = () =>
    runSlipway(['image', 'copy', `${host}/acme/shop:v1`, `${hubName}/logins/shop`], { env: { HOME: folder, PATH: env.PATH ?? '' } })
  const write = async (config: object) => {
    await mkdir(path.join(folder, '.docker'), { recursive: true })
    await writeFile(path.join(folder, '.docker/config.json'), JSON.stringify(config))
  }
  expect(await copy()).toMatchObject({ code: 3, err: expect.stringContaining('docker login') })
  const auth = Buffer.from(`ada:${key}`).toString('base64')
  await write({ auths: { [host]: { auth } } })
  expect(await copy()).toMatchObject({ code: 0 })
  await write({ auths: { [host]: { auth: Buffer.from('ada:wrong').toString('base64') } } })
  expect(await copy()).toMatchObject({ code: 3 })
  const form = { grant_type: 'password', username: 'ada', password: key, service: 'slipway', client_id: 'docker', access_type: 'offline' }
  const answer = await fetch(`${registry.base}/token`, { method: 'POST', body: new URLSearchParams(form) })
  const { refresh_token: identitytoken } = (await answer.json()) as { refresh_token: string }
  await write({ auths: { [host]: { identitytoken } } })
  expect(await copy()).toMatchObject({ code: 0 })
  const helper = path.join(folder, 'docker-credential-test')
  await writeFile(helper, `#!/bin/sh\nread -r host\n[ "$host" = "${host}" ] || exit 1\necho '{"Username":"ada","Secret":"${key}"}'\n`)
  await chmod(helper, 0o755)
  await write({ credsStore: 'test' })
  const before = process.env.PATH
  process.env.PATH = `${folder}:${before}`
  try {
    expect(await copy()).toMatchObject({ code: 0 })
  } finally {
    process.env.PATH = before
    await write({})
  }
})

it('says what is wrong', async () => {
  const gone = await slipway('image', 'copy', 'slipway.local/acme/nothing:v1', `${hubName}/x`)
  expect(gone).toMatchObject({ code: 4, err: expect.stringContaining('has no acme/nothing:v1') })
  expect(await slipway('image', 'copy', 'slipway.local/acme/shop:v1', `127.0.0.1:${await freePort()}/x`)).toMatchObject({
    code: 5,
    err: expect.stringContaining('refused'),
  })
  expect(await slipway('image', 'copy', 'docker://a', 'b')).toMatchObject({ code: 2 })
})
