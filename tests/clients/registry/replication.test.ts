/** Rules of replication between our registry, a second one of ours and Debian's docker-registry, looked at with skopeo. */
import { randomBytes } from 'node:crypto'
import { newId } from '@slipway/core'
import { OCI_EMPTY, OCI_INDEX, OCI_MANIFEST } from '@slipway/oci'
import { digestBytes } from '@slipway/oci/node'
import { freePort } from '@slipway/testing'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { TestClient } from '../../../apps/registry/src/testing/fixture'
import { startLine } from '../../../apps/registry/src/testing/proxy'
import { runReplication } from '../../../apps/worker/src/replication/run'
import { client, writeImage } from './installation'
import { clientOf, ended, startWorld, type World } from './replication-world'

let w: World
beforeAll(async () => {
  w = await startWorld()
})
afterAll(() => w?.close())

const skopeo = (...argv: string[]) => client('skopeo', '--insecure-policy', ...argv)
const inspect = async (url: string, name: string) =>
  digestBytes(await skopeo('inspect', '--raw', '--tls-verify=false', `docker://${url.replace('http://', '')}/${name}`))

const put = (to: TestClient, name: string, reference: string, type: string, body: string) =>
  to.call('PUT', `/v2/${name}/manifests/${reference}`, { body, headers: { 'content-type': type } })

/** An index of two images under a tag, with an SBOM that refers to the index. */
async function pushIndex(to: TestClient, name: string, tag: string) {
  const children = []
  for (const architecture of ['amd64', 'arm64']) {
    const { digest, manifest } = await to.push(name, `tmp-${architecture}`, ['shared layer', `layer of ${architecture}`])
    children.push({ mediaType: OCI_MANIFEST, digest, size: manifest.length, platform: { os: 'linux', architecture } })
    await to.call('DELETE', `/v2/${name}/manifests/tmp-${architecture}`)
  }
  const index = JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: children })
  expect((await put(to, name, tag, OCI_INDEX, index)).status).toBe(201)
  const subject = { mediaType: OCI_INDEX, digest: digestBytes(index), size: index.length }
  const [config, layer] = await Promise.all(['{}', 'the list of its packages'].map((text) => to.pushBlob(name, text)))
  const sbom = JSON.stringify({
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    artifactType: 'application/spdx+json',
    config: { mediaType: OCI_EMPTY, digest: config, size: 2 },
    layers: [{ mediaType: 'text/plain', digest: layer, size: 24 }],
    subject,
  })
  expect((await put(to, name, digestBytes(sbom), OCI_MANIFEST, sbom)).status).toBe(201)
  return { index: digestBytes(index), sbom: digestBytes(sbom), children: children.map(({ digest }) => digest) }
}

it('pushes what matches, whole, and nothing the second time', async () => {
  const made = await pushIndex(w.client, 'acme/shop/api', 'v1')
  await w.client.push('acme/shop/api', 'dev', ['unwanted'])
  await w.client.push('acme/other', 'v1', ['unwanted'])
  const rule = await w.rule({ direction: 'push', remote: w.hub.url, repositories: ['shop/*'], tags: ['v*'], target: 'copies/acme' })
  const first = await w.run(rule)
  expect(first).toMatchObject({ state: 'succeeded', error: null, items: { succeeded: 1, failed: 0 } })
  expect(first.movedBlobs).toBe(7)
  expect(await inspect(w.hub.url, 'copies/acme/shop/api:v1')).toBe(made.index)
  const hub = clientOf(w.hub.url)
  expect(await hub.listTags('copies/acme/shop/api')).toEqual(expect.arrayContaining(['v1']))
  // docker-registry has no referrers API: the SBOM is found under the fallback tag.
  expect((await hub.referrers('copies/acme/shop/api', made.index)).map(({ digest }) => digest)).toEqual([made.sbom])
  expect(await hub.catalog()).toEqual(['copies/acme/shop/api'])
  const second = await w.run(rule)
  expect(second).toMatchObject({ state: 'succeeded', movedBlobs: 0, movedBytes: 0 })
})

it('mounts at the target what another repository of it has', async () => {
  await w.client.push('acme/mount/one', 'v1', ['the same layer'])
  await w.client.push('acme/mount/two', 'v1', ['the same layer'])
  const rule = await w.rule({ direction: 'push', remote: w.hub.url, repositories: ['mount/*'] })
  const run = await w.run(rule)
  expect(run).toMatchObject({ state: 'succeeded', movedBlobs: 2, skippedBlobs: 2 })
  expect(await inspect(w.hub.url, 'mount/two:v1')).toBe(await inspect(w.hub.url, 'mount/one:v1'))
})

it('pulls from a second installation and from docker-registry, with their indexes and what refers to them', async () => {
  const theirs = w.second
  const to = theirs as unknown as TestClient
  const made = await pushIndex(Object.assign(to, { pushBlob: blobPusher(to) }), 'acme/lib', 'v2')
  const credentials = { username: 'key', password: theirs.people.ada.apiKey }
  const rule = await w.rule({ direction: 'pull', remote: theirs.base, repositories: ['acme/li?'], target: 'mirror', ...credentials })
  const run = await w.run(rule)
  expect(run).toMatchObject({ state: 'succeeded', items: { succeeded: 1 } })
  const bearer = await w.client.sign([{ type: 'repository', name: 'acme/mirror/acme/lib', actions: ['pull'] }])
  const ours = clientOf(w.registry.base, { bearer })
  expect(await ours.resolve('acme/mirror/acme/lib', 'v2')).toBe(made.index)
  expect((await ours.referrers('acme/mirror/acme/lib', made.index)).map(({ digest }) => digest)).toEqual([made.sbom])
  for (const child of made.children) expect(await ours.resolve('acme/mirror/acme/lib', child)).toBe(child)
  expect(await w.run(rule)).toMatchObject({ state: 'succeeded', movedBlobs: 0, movedBytes: 0 })
  // Told as what it was, and by whom.
  const event = await w.h.db.auditEvent.findFirstOrThrow({ where: { action: 'image.push', targetLabel: 'mirror/acme/lib:v2' } })
  expect(event.actorLabel).toBe('Slipway')

  const digest = await writeImage(`${w.folder}/image`, 'v1', 'from the hub')
  await skopeo('copy', '--dest-tls-verify=false', `oci:${w.folder}/image:v1`, `docker://127.0.0.1:${w.hub.port}/library/hello:v1`)
  const other = await w.rule({ direction: 'pull', remote: w.hub.url, repositories: ['library/gone', 'library/hello'], target: 'hub' })
  const mixed = await w.run(other)
  expect(mixed).toMatchObject({ state: 'failed', items: { succeeded: 1, failed: 1 } })
  const { items: wrong } = await w.h.services.replication.items(w.scope, { id: mixed.id, limit: 10, state: 'failed' })
  expect(wrong).toMatchObject([{ source: 'library/gone', error: expect.stringContaining('no repository library/gone') }])
  const name = 'acme/hub/library/hello'
  const reader = clientOf(w.registry.base, { bearer: await w.client.sign([{ type: 'repository', name, actions: ['pull'] }]) })
  expect(await reader.resolve(name, 'v1')).toBe(digest)
})

const blobPusher = (to: TestClient) => async (name: string, content: string) => {
  const digest = digestBytes(content)
  await to.call('POST', `/v2/${name}/blobs/uploads/?digest=${digest}`, { body: content })
  return digest
}

it('says what is wrong: credentials, a private address, a registry that is away', async () => {
  const { replication } = w.h.services
  const wrong = { direction: 'pull' as const, remote: w.second.base, username: 'key', password: 'slp_nothing' }
  const denied = await w.rule({ ...wrong, repositories: ['acme/lib'] })
  expect(await w.run(denied)).toMatchObject({ state: 'failed', error: expect.stringContaining('does not accept these credentials') })
  expect(await replication.test(w.scope, { ...wrong, inside: true })).toMatchObject({ problem: expect.stringContaining('credentials') })
  const outside = await w.rule({ direction: 'push', remote: w.hub.url, inside: false })
  expect(await w.run(outside)).toMatchObject({ state: 'failed', error: expect.stringContaining('inside this network') })
  expect(await replication.test(w.scope, { id: outside, remote: w.hub.url, username: '', inside: false })).toMatchObject({
    problem: expect.stringContaining('inside this network'),
  })
  expect(await replication.test(w.scope, { remote: w.hub.url, username: '', inside: true })).toMatchObject({ problem: null })
  const down = await w.rule({ direction: 'push', remote: `http://127.0.0.1:${await freePort()}`, repositories: ['shop/*'] })
  const waiting = await w.run(down)
  expect(waiting).toMatchObject({ state: 'queued', attempt: 1, error: expect.stringContaining('refused') })
  expect(waiting.notBefore?.getTime()).toBeGreaterThan(Date.now() + 30_000)
})

it('keeps to the rules of tags here, and goes on with the others', async () => {
  const { policies } = w.h.services
  await w.client.push('acme/kept/app', 'v1', ['mine'])
  await policies.addRule(w.scope, { kind: 'immutable', tags: 'v1', repositories: 'kept/*', builds: false })
  for (const tag of ['v1', 'v2']) {
    const folder = `${w.folder}/kept-${tag}`
    await writeImage(folder, tag, `theirs ${tag}`)
    await skopeo('copy', '--dest-tls-verify=false', `oci:${folder}:${tag}`, `docker://127.0.0.1:${w.hub.port}/kept/app:${tag}`)
  }
  const rule = await w.rule({ direction: 'pull', remote: w.hub.url, repositories: ['kept/app'] })
  const run = await w.run(rule)
  expect(run).toMatchObject({ state: 'failed', items: { succeeded: 1, failed: 1 } })
  const { items } = await w.h.services.replication.items(w.scope, { id: run.id, limit: 10, state: 'failed' })
  expect(items).toMatchObject([{ tag: 'v1', error: expect.stringMatching(/immutable|v1/) }])
})

it('goes on after kill -9 in the middle, and moves no blob twice', async () => {
  const layers = Array.from({ length: 6 }, () => randomBytes(1024 * 1024).toString('base64'))
  const { config, layers: digests } = await w.client.push('acme/big/app', 'v1', layers)
  const line = await startLine(w.hub.port)
  try {
    const worker = await w.worker()
    line.holdAfter(1_000_000)
    const rule = await w.rule({ direction: 'push', remote: `http://127.0.0.1:${line.port}`, repositories: ['big/*'] })
    const { id } = await w.h.services.replication.run(w.scope, { id: rule })
    // Six layers of 1.4 MB, and a configuration that tells them all again: a megabyte at a time, until the first one is whole.
    const some = async () => {
      for (let tries = 0; tries < 100; tries++) {
        await new Promise((r) => setTimeout(r, 250))
        const run = await w.h.services.replication.runOf(w.scope, { id })
        if (run.movedBlobs >= 1) return run
        line.set('open')
        line.holdAfter(1_000_000)
      }
      throw new Error(`not enough moved: ${JSON.stringify(await w.h.services.replication.runOf(w.scope, { id }))}`)
    }
    const before = await some()
    expect(before.state).toBe('running')
    expect(before.movedBlobs).toBeLessThan(7)
    await ended(worker, 'SIGKILL')
    line.set('cut')
    // What arrived without the worker having heard of it is there, too.
    await new Promise((r) => setTimeout(r, 500))
    const has = async (digest: string) => (await fetch(`${w.hub.url}/v2/big/app/blobs/${digest}`, { method: 'HEAD' })).ok
    const there = (await Promise.all([config, ...digests].map(has))).filter(Boolean).length
    expect(there).toBeGreaterThan(0)
    expect(there).toBeLessThan(7)
    const { movedBlobs: noted } = await w.h.services.replication.runOf(w.scope, { id })
    line.set('open')
    await w.worker()
    const after = await w.settled(id)
    expect(after).toMatchObject({ state: 'succeeded', items: { succeeded: 1 } })
    const { items } = await w.h.services.replication.items(w.scope, { id, limit: 10 })
    // The second worker moved what was missing, and asked for the others only.
    expect(items).toMatchObject([{ blobs: 7, movedBlobs: noted + 7 - there, skippedBlobs: there - noted }])
    expect(await inspect(w.hub.url, 'big/app:v1')).toMatch(/^sha256:/)
  } finally {
    await line.close()
  }
})

it('copies what is pushed at once, and ends when it is told to', async () => {
  const line = await startLine(w.hub.port)
  try {
    const remote = `http://127.0.0.1:${line.port}`
    const id = await w.rule({ direction: 'push', remote, repositories: ['live/*'], tags: ['v*'], onPush: true, target: 'live' })
    const { digest } = await w.client.push('acme/live/app', 'v7', ['pushed now'])
    const runs = async () => (await w.h.services.replication.runs(w.scope, { id, limit: 10 })).items
    for (let tries = 0; (await runs()).length === 0 && tries < 100; tries++) await new Promise((r) => setTimeout(r, 100))
    const [run] = await runs()
    expect(run).toMatchObject({ trigger: 'push', repository: 'live/app', tags: ['v7'] })
    await w.settled(run?.id ?? '')
    expect(await inspect(w.hub.url, 'live/live/app:v7')).toBe(digest)
    line.set('held')
    const { id: second } = await w.h.services.replication.run(w.scope, { id })
    for (let tries = 0; (await runs())[0]?.state !== 'running' && tries < 100; tries++) await new Promise((r) => setTimeout(r, 100))
    await w.h.services.replication.cancel(w.scope, { id: second })
    expect(await w.settled(second)).toMatchObject({ state: 'canceled' })
  } finally {
    await line.close()
  }
})

it('ends a run whose password no key opens, and one that only waits, at once', async () => {
  const rule = await w.rule({ direction: 'push', remote: w.hub.url, username: 'ada', password: 'secret' })
  await w.h.db.replicationRule.update({ where: { id: rule }, data: { password: new Uint8Array(64) } })
  expect(await w.run(rule)).toMatchObject({ state: 'failed', error: expect.any(String) })
  const [running, waiting] = [newId('replicationRun'), newId('replicationRun')]
  const made = { organizationId: w.scope.organizationId, ruleId: rule, trigger: 'push', actorLabel: 'Ada', repository: 'api', tags: ['v1'] }
  await w.h.db.replicationRun.create({ data: { ...made, id: running, state: 'running', heartbeatAt: new Date() } })
  await w.h.db.replicationRun.create({ data: { ...made, id: waiting } })
  await w.h.services.replication.cancel(w.scope, { id: waiting })
  await runReplication(w.deps, waiting, new AbortController().signal)
  expect(await w.settled(waiting)).toMatchObject({ state: 'canceled' })
  await w.h.db.replicationRun.deleteMany({ where: { ruleId: rule } })
})

it('copies what is attached to an image after it was pushed', async () => {
  const rule = await w.rule({ direction: 'push', remote: w.hub.url, repositories: ['signed'], tags: ['v*'], onPush: true })
  await w.worker()
  /** The run that was begun since the last time, at its end. */
  let seen = 0
  const next = async () => {
    for (let tries = 0; tries < 300; tries++) {
      const { items, total } = await w.h.services.replication.runs(w.scope, { id: rule, limit: 1 })
      if (total > seen && items[0]?.finishedAt) {
        seen = total
        return items[0]
      }
      await new Promise((r) => setTimeout(r, 100))
    }
    throw new Error('no run was begun')
  }
  const image = await w.client.push('acme/signed', 'v1', ['to be signed'])
  expect(await next()).toMatchObject({ state: 'succeeded', tags: ['v1'] })
  const hub = clientOf(w.hub.url)
  const tag = `${image.digest.replace(':', '-')}.sig`
  const signature = await w.client.push('acme/signed', tag, ['a signature'])
  expect(await next()).toMatchObject({ state: 'succeeded', tags: ['v1'], movedBlobs: 2 })
  expect(await hub.resolve('signed', tag)).toBe(signature.digest)
  // By OCI's `subject`, to the signature; what it is about in the end is still v1.
  const [config, layer] = await Promise.all(['{}', 'who signed'].map((text) => w.client.pushBlob('acme/signed', text)))
  const about = JSON.stringify({
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    artifactType: 'application/vnd.example',
    config: { mediaType: OCI_EMPTY, digest: config, size: 2 },
    layers: [{ mediaType: 'text/plain', digest: layer, size: 10 }],
    subject: { mediaType: OCI_MANIFEST, digest: signature.digest, size: signature.manifest.length },
  })
  expect((await put(w.client, 'acme/signed', digestBytes(about), OCI_MANIFEST, about)).status).toBe(201)
  expect(await next()).toMatchObject({ state: 'succeeded', tags: ['v1'] })
  expect(await hub.resolve('signed', digestBytes(about))).toBe(digestBytes(about))
})
