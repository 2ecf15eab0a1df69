/** What a build makes, in the hands of others: zstd layers through the registry and back, archives in front of skopeo and docker. */
import { createWriteStream } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createAgent } from '@slipway/agent-client'
import { giveContext, walkContext } from '@slipway/context'
import type { BuildOutput } from '@slipway/contracts'
import { newId } from '@slipway/core'
import { createIgnoreMatcher } from '@slipway/dockerfile'
import { OCI_LAYER_GZIP, OCI_LAYER_ZSTD } from '@slipway/oci'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Engine, startEngine } from '../docker/engine'
import { client, type Installation, startInstallation } from './installation'

let i: Installation
let engine: Engine
let name: string
const signal = AbortSignal.timeout(300_000)
const skopeo = (...argv: string[]) => client('skopeo', '--insecure-policy', ...argv)
const agent = () => createAgent({ socketPath: engine.socket })

beforeAll(async () => {
  i = await startInstallation()
  engine = await startEngine()
  name = `${i.host}/acme/zstd:v1`
  await engine.ok(['login', i.host, '--username', 'key', '--password-stdin'], { stdin: i.people.ada.apiKey })
  await mkdir(path.join(i.folder, 'context'))
  await writeFile(path.join(i.folder, 'context/hello.txt'), 'hello '.repeat(100_000))
})
afterAll(async () => {
  await engine?.stop()
  await i?.close()
})

/** `FROM busybox`, `COPY hello.txt /`. */
async function build(output: BuildOutput): Promise<string> {
  const digest = await engine.ok(['image', 'inspect', '--format', '{{.Id}}', 'busybox'])
  const vertex = { stage: '0', line: 1, endLine: 1 }
  const copy = { type: 'copy' as const, input: 'v0', from: null, sources: ['hello.txt'], dest: '/', chown: '', chmod: null, extract: false }
  const vertices = [
    { ...vertex, id: 'v0', name: 'FROM', instruction: 'FROM busybox', op: { type: 'image' as const, reference: 'busybox', digest } },
    { ...vertex, id: 'v1', name: 'COPY', instruction: 'COPY hello.txt /', op: copy },
  ]
  const plan = {
    version: 1 as const,
    platform: { os: 'linux' as const, architecture: 'amd64' },
    vertices,
    target: 'v1',
    image: { config: { Env: ['PATH=/bin'] }, history: [{ createdBy: 'COPY hello.txt /', vertex: 'v1' }] },
  }
  const context = await walkContext(path.join(i.folder, 'context'), createIgnoreMatcher(''), signal)
  const tree = await giveContext(agent().contexts, 'org', context, signal)
  const request = { id: 'outputs', scope: 'org', plan, tags: [name], output, context: { tree } }
  for await (const event of agent().build(request, signal)) {
    if (event.type === 'error') throw new Error(event.message)
    if (event.type === 'result') return event.manifestDigest
  }
  throw new Error('no result')
}

async function save(format: 'oci' | 'docker'): Promise<string> {
  const file = path.join(i.folder, `${format}.tar`)
  await pipeline(await agent().imageOutput(name, { kind: 'archive', format, name: 'example.com/app:v1' }, signal), createWriteStream(file))
  return file
}
const layersOf = (raw: string): string[] => JSON.parse(raw).layers.map((layer: { mediaType: string }) => layer.mediaType)

it('moves zstd layers through the registry and back', async () => {
  const digest = await build({ compression: 'zstd', force: true })
  await engine.ok(['push', name])
  const creds = `key:${i.people.ada.apiKey}`
  const raw = await skopeo('inspect', '--raw', '--tls-verify=false', '--creds', creds, `docker://${name}`)
  expect(layersOf(raw)).toEqual([OCI_LAYER_ZSTD, OCI_LAYER_ZSTD])
  // skopeo checks each layer against its diff id when it packs it anew.
  const plain = `dir:${path.join(i.folder, 'plain')}`
  await skopeo('copy', '--src-tls-verify=false', '--src-creds', creds, '--dest-decompress', `docker://${name}`, plain)
  await engine.ok(['rmi', '-f', name])
  await agent().docker.pruneImages()
  const pinned = name.replace(':v1', `@${digest}`)
  await engine.ok(['pull', pinned])
  expect(await engine.ok(['run', '--rm', pinned, 'sh', '-c', 'head -c 5 /hello.txt'])).toBe('hello')
  await engine.ok(['tag', pinned, name])
})

it('gives archives that others read', async () => {
  const digest = await build({ compression: 'zstd' })
  const oci = await save('oci')
  const target = path.join(i.folder, 'layout')
  await skopeo('copy', `oci-archive:${oci}`, `oci:${target}:v1`)
  expect(await skopeo('inspect', '--format', '{{.Digest}}', `oci:${target}:v1`)).toBe(`${digest}\n`)
  expect(layersOf(await skopeo('inspect', '--raw', `oci-archive:${oci}`))).toEqual([OCI_LAYER_GZIP, OCI_LAYER_ZSTD])
  const docker = await save('docker')
  await skopeo('copy', `docker-archive:${docker}`, `dir:${path.join(i.folder, 'loaded')}`)
  expect(JSON.parse(await skopeo('inspect', `docker-archive:${docker}`))).toMatchObject({ Architecture: 'amd64' })
  expect(await engine.ok(['load', '-i', docker])).toContain('example.com/app:v1')
})

it('tells a refused docker push in the registry’s own words', async () => {
  const { db } = i.database
  const { id: organizationId } = await db.organization.findUniqueOrThrow({ where: { slug: 'acme' } })
  await db.tagRule.create({ data: { id: newId('tagRule'), organizationId, kind: 'immutable', tags: 'kept*' } })
  const kept = `${i.host}/acme/zstd:kept`
  await build({ compression: 'zstd' })
  await engine.ok(['tag', name, kept])
  await engine.ok(['push', kept])
  await build({})
  await engine.ok(['tag', name, kept])
  const refused = await engine.docker(['push', kept])
  expect([refused.code, refused.err]).toEqual([1, expect.stringMatching(/^denied: The tag kept is immutable by the rule/m)])
  expect(refused.err).not.toContain('pull access')
})

it('leaves layers uncompressed, with OCI’s media types and Docker’s', async () => {
  const creds = `key:${i.people.ada.apiKey}`
  for (const [mediaTypes, type] of [
    ['oci', 'application/vnd.oci.image.layer.v1.tar'],
    ['docker', 'application/vnd.docker.image.rootfs.diff.tar'],
  ] as const) {
    const digest = await build({ compression: 'uncompressed', force: true, mediaTypes })
    await engine.ok(['push', name])
    const raw = await skopeo('inspect', '--raw', '--tls-verify=false', '--creds', creds, `docker://${name}`)
    expect(layersOf(raw)).toEqual([type, type])
    const config = JSON.parse(await skopeo('inspect', '--config', '--tls-verify=false', '--creds', creds, `docker://${name}`))
    expect(JSON.parse(raw).layers.map((layer: { digest: string }) => layer.digest)).toEqual(config.rootfs.diff_ids)
    for (const format of ['oci', 'docker'] as const) {
      const archive = await save(format)
      await skopeo('copy', `${format}-archive:${archive}`, `dir:${path.join(i.folder, `plain-${mediaTypes}-${format}`)}`)
      if (format === 'docker') expect(await engine.ok(['load', '-i', archive])).toContain('example.com/app:v1')
    }
    await engine.ok(['rmi', '-f', name, 'example.com/app:v1'])
    await agent().docker.pruneImages()
    const pinned = name.replace(':v1', `@${digest}`)
    await engine.ok(['pull', pinned])
    expect(await engine.ok(['run', '--rm', pinned, 'sh', '-c', 'head -c 5 /hello.txt'])).toBe('hello')
    await engine.ok(['tag', pinned, name])
  }
})
