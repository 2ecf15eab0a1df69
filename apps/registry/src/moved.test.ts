/** Repositories under the names that they had: what answers is the new one, with the rights of the new one. */
import { REGISTRY_SERVICE } from '@slipway/contracts'
import { moveRepository, setRepositoryName } from '@slipway/db'
import { OCI_INDEX, OCI_MANIFEST } from '@slipway/oci'
import { digestBytes } from '@slipway/oci/node'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Fixture, type Person, startFixture } from './testing/fixture'

let f: Fixture
beforeAll(async () => {
  f = await startFixture()
})
afterAll(() => f.close())

const find = (organization: string, name: string) =>
  f.db.repository.findFirstOrThrow({ where: { name, organization: { slug: organization } } })
const rename = async (from: string, to: string) => {
  const repository = await find('acme', from)
  await f.db.$transaction((tx) => setRepositoryName(tx, repository, to))
}
/** As a client gets it: for the name that it knows. */
async function tokenOf({ email, apiKey }: Person, name: string): Promise<string> {
  const scope = encodeURIComponent(`repository:${name}:pull,push,delete`)
  const basic = Buffer.from(`${email}:${apiKey}`).toString('base64')
  const answer = await fetch(`${f.base}/token?service=${REGISTRY_SERVICE}&scope=${scope}`, { headers: { authorization: `Basic ${basic}` } })
  if (!answer.ok) throw new Error(`token: ${answer.status} ${await answer.text()}`)
  return ((await answer.json()) as { token: string }).token
}
const asPerson = async (person: Person, method: string, name: string, rest: string, body?: string, headers?: Record<string, string>) =>
  f.call(method, `/v2/${name}/${rest}`, {
    token: await tokenOf(person, name),
    ...(body !== undefined && { body }),
    ...(headers && { headers }),
  })

it('answers to an old name as to the new one: manifests, blobs, tags, referrers, uploads and pushes', async () => {
  const image = await f.push('acme/old', 'v1', ['layer'])
  await rename('old', 'team/new')
  const { dan, eve } = f.people
  const get = await asPerson(dan, 'GET', 'acme/old', 'manifests/v1')
  expect([get.status, await get.text()]).toEqual([200, image.manifest])
  expect(await (await asPerson(dan, 'GET', 'acme/old', `blobs/${image.layers[0]}`)).text()).toBe('layer')
  expect(await (await asPerson(dan, 'GET', 'acme/old', 'tags/list')).json()).toEqual({ name: 'acme/team/new', tags: ['v1'] })
  const subject = { mediaType: OCI_MANIFEST, digest: image.digest, size: image.manifest.length }
  const about = JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, artifactType: 'x/y', manifests: [], subject })
  expect((await asPerson(dan, 'PUT', 'acme/old', `manifests/${digestBytes(about)}`, about, { 'content-type': OCI_INDEX })).status).toBe(201)
  const referrers = await (await asPerson(dan, 'GET', 'acme/old', `referrers/${image.digest}`)).json()
  expect(referrers).toMatchObject({ manifests: [{ artifactType: 'x/y' }] })
  const start = await asPerson(dan, 'POST', 'acme/old', 'blobs/uploads/')
  expect(start.headers.get('location')).toMatch(/^\/v2\/acme\/team\/new\/blobs\/uploads\//)
  expect((await asPerson(dan, 'PUT', 'acme/old', 'manifests/v2', image.manifest, { 'content-type': OCI_MANIFEST })).status).toBe(201)
  expect(await f.db.repository.count({ where: { name: 'old' } }), 'nobody made it anew').toBe(0)
  expect((await asPerson(eve, 'GET', 'acme/old', 'manifests/v1')).status).toBe(401)
  expect((await asPerson(dan, 'GET', 'acme/old', 'manifests/none')).status).toBe(404)
})

it('opens one image alone to a token for it, under both names', async () => {
  const image = await f.push('acme/before', 'v1', ['of the image'])
  const other = await f.push('acme/before', 'v2', ['of another'])
  const about = { mediaType: OCI_MANIFEST, digest: image.digest, size: image.manifest.length }
  const index = JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [about] })
  const root = digestBytes(index)
  expect((await f.call('PUT', '/v2/acme/before/manifests/all', { headers: { 'content-type': OCI_INDEX }, body: index })).status).toBe(201)
  await rename('before', 'after')
  // As the worker signs it for a deployment.
  const access = ['acme/before', 'acme/after'].map((name) => ({ type: 'image' as const, name, digest: root, actions: ['pull' as const] }))
  const token = await f.sign(access, 'system:worker')
  const parts = [`manifests/${root}`, `manifests/${image.digest}`, `blobs/${image.config}`, `blobs/${image.layers[0]}`]
  const closed = [
    'manifests/v1',
    'manifests/all',
    'tags/list',
    `manifests/${other.digest}`,
    `blobs/${other.layers[0]}`,
    `referrers/${root}`,
  ]
  for (const name of ['acme/before', 'acme/after']) {
    const statuses = (paths: string[], method: string) =>
      Promise.all(paths.map(async (path) => (await f.call(method, `/v2/${name}/${path}`, { token })).status))
    for (const method of ['HEAD', 'GET']) expect(await statuses(parts, method), `${method} ${name}`).toEqual(parts.map(() => 200))
    expect(await statuses(closed, 'GET'), name).toEqual(closed.map(() => 401))
    expect(await statuses(parts, 'DELETE'), name).toEqual(parts.map(() => 401))
  }
  // The name is taken again: what is there now is nothing of that image.
  await f.push('acme/before', 'v1', ['somebody else’s'])
  expect((await f.call('GET', `/v2/acme/before/manifests/${root}`, { token })).status).not.toBe(200)
  expect((await f.call('GET', '/v2/acme/before/manifests/v1', { token })).status).toBe(401)
})

it('gives in another organization only what that one gives, and ends where the name is taken again', async () => {
  const image = await f.push('acme/gift', 'v1', ['gift'])
  const rival = await f.db.organization.findUniqueOrThrow({ where: { slug: 'rival' } })
  const gift = await find('acme', 'gift')
  const { ada, dan, eve } = f.people
  await f.db.$transaction((tx) => moveRepository(tx, gift, rival.id))
  // A member of where it was may nothing there, and makes no new one by a push to the old name.
  expect((await asPerson(ada, 'GET', 'acme/gift', 'manifests/v1')).status).toBe(401)
  expect((await asPerson(dan, 'POST', 'acme/gift', 'blobs/uploads/')).status).toBe(401)
  const pulled = await asPerson(eve, 'GET', 'acme/gift', 'manifests/v1')
  expect(pulled.headers.get('docker-content-digest')).toBe(image.digest)
  const before = await tokenOf(eve, 'acme/gift')
  // The builds of an app mean their own name.
  const build = await f.sign([{ type: 'repository', name: 'acme/gift', actions: ['pull', 'push'] }], 'system:worker')
  expect((await f.call('POST', '/v2/acme/gift/blobs/uploads/', { token: build })).status).toBe(202)
  expect((await f.call('GET', '/v2/acme/gift/tags/list', { token: before })).status, 'a token of before, for the new one').toBe(401)
  expect((await asPerson(dan, 'GET', 'acme/gift', 'tags/list')).status).toBe(200)
})
