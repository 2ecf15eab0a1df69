/** Docker with its daemon and skopeo, and a registry whose blobs lie in a bucket that it sends them to. */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { RegistryClient } from '@slipway/oci'
import { digestBytes } from '@slipway/oci/node'
import { startDockerd, type TestDockerd } from '@slipway/testing'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Line, startLine } from '../../../apps/registry/src/testing/proxy'
import { type S3Server, startS3Server } from '../../../apps/registry/src/testing/s3'
import { client, type Installation, startInstallation, writeImage } from './installation'

const run = promisify(execFile)
let server: S3Server
let line: Line
let i: Installation
beforeAll(async () => {
  server = await startS3Server()
  // What clients send to the bucket comes along here; the registry itself goes straight.
  line = await startLine(server.port)
  i = await startInstallation(
    server.env({
      SLIPWAY_REGISTRY_S3_REDIRECT: 'true',
      SLIPWAY_REGISTRY_S3_PUBLIC_ENDPOINT: `http://127.0.0.1:${line.port}`,
    }),
  )
}, 600_000)
afterAll(async () => {
  await i?.close()
  await line?.close()
  await server?.stop()
})

const creds = () => `key:${i.people.ada.apiKey}`
const skopeo = (...argv: string[]) => client('skopeo', '--insecure-policy', ...argv)

/** A layer above the size from which clients are sent to the bucket. */
async function imageWith(bytes: number, name: string) {
  const source = path.join(i.folder, name)
  const digest = await writeImage(source, 'v1', randomBytes(bytes).toString('hex'))
  return { source, digest }
}

it('skopeo pushes and pulls, and fetches layers from the bucket without its token', async () => {
  const { source, digest } = await imageWith(200_000, 'image')
  const image = `docker://${i.host}/acme/app`
  await skopeo('copy', '--dest-tls-verify=false', '--dest-creds', creds(), `oci:${source}:v1`, `${image}:v1`)
  const target = path.join(i.folder, 'pulled')
  await skopeo('copy', '--src-tls-verify=false', '--src-creds', creds(), `${image}@${digest}`, `oci:${target}:v1`)
  expect(await client('diff', '-r', path.join(source, 'blobs'), path.join(target, 'blobs'))).toBe('')
  expect(line.heard()).toMatch(/GET \/blobs\/\S+X-Amz-Signature=/)
  expect(line.heard()).not.toMatch(/^authorization:/im)
})

it('our own client follows, too', async () => {
  const { source, digest } = await imageWith(100_000, 'own')
  await skopeo('copy', '--dest-tls-verify=false', '--dest-creds', creds(), `oci:${source}:v1`, `docker://${i.host}/acme/own:v1`)
  const manifest = JSON.parse(await readFile(path.join(source, 'blobs', digest.replace(':', '/')), 'utf8'))
  const registry = new RegistryClient({ baseUrl: `http://${i.host}`, credentials: { username: 'key', password: i.people.ada.apiKey } })
  const blob = await registry.getBlob('acme/own', manifest.layers[0].digest)
  expect(digestBytes(blob)).toBe(manifest.layers[0].digest)
  expect(line.heard()).not.toMatch(/^authorization:/im)
})

it('docker pushes, forgets and pulls', async () => {
  const { source } = await imageWith(300_000, 'docker')
  const daemon: TestDockerd = await startDockerd({ parent: i.folder })
  try {
    const docker = (...argv: string[]) =>
      run('docker', ['--config', path.join(i.folder, 'config'), '-H', `unix://${daemon.socketPath}`, ...argv])
    await writeFile(path.join(i.folder, 'password'), i.people.ada.apiKey)
    const archive = path.join(i.folder, 'docker.tar')
    const name = `${i.host}/acme/docker:v1`
    await skopeo('copy', `oci:${source}:v1`, `docker-archive:${archive}:${name}`)
    await docker('load', '-i', archive)
    await docker('login', '-u', 'key', '-p', i.people.ada.apiKey, i.host)
    await docker('push', name)
    await docker('rmi', name)
    await docker('pull', name)
    expect((await docker('image', 'inspect', name)).stdout).toContain('acme/docker')
    expect(line.heard()).not.toMatch(/^authorization:/im)
  } finally {
    await daemon.stop()
  }
})
