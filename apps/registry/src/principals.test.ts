/** Robots, share links, limited API keys and what `docker login` keeps: each opens what its own row says, and nothing else. */
import { randomBytes } from 'node:crypto'
import { type RegistryToken, type RobotGrant, registryToken } from '@slipway/contracts'
import { newId } from '@slipway/core'
import { setRepositoryName } from '@slipway/db'
import { OCI_INDEX, OCI_MANIFEST } from '@slipway/oci'
import { digestBytes } from '@slipway/oci/node'
import { hashPassword } from 'better-auth/crypto'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { sha256 } from './auth/logins'
import { type Fixture, PASSWORD, type PushedImage, startFixture } from './testing/fixture'

let f: Fixture
let organizationId: string
let api: PushedImage
let other: PushedImage
let index: string
beforeAll(async () => {
  f = await startFixture()
  organizationId = (await f.db.organization.findUniqueOrThrow({ where: { slug: 'acme' } })).id
  api = await f.push('acme/team/api', 'v1', ['api layer', 'shared by both'])
  other = await f.push('acme/team/api', 'v2', ['not shared', 'shared by both'])
  await f.push('acme/web', 'v1')
  await f.push('acme/open', 'v1')
  await f.db.repository.updateMany({ where: { name: 'open' }, data: { visibility: 'public' } })
  await f.push('rival/own', 'v1', ['of the rival'])
  const content = JSON.stringify({
    schemaVersion: 2,
    mediaType: OCI_INDEX,
    manifests: [{ mediaType: OCI_MANIFEST, digest: api.digest, size: Buffer.byteLength(api.manifest) }],
  })
  const put = await f.call('PUT', '/v2/acme/team/api/manifests/all', { headers: { 'content-type': OCI_INDEX }, body: content })
  expect(put.status).toBe(201)
  index = digestBytes(content)
})
afterAll(() => f.close())

const secret = (kind: string) => `${kind}_${randomBytes(32).toString('base64url')}`
const basic = (password: string, user = 'anything') => `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`

async function login(password: string, scopes: string[], more = '') {
  const query = scopes.map((scope) => `&scope=${encodeURIComponent(scope)}`).join('')
  const response = await fetch(`${f.base}/token?service=slipway${query}${more}`, { headers: { authorization: basic(password) } })
  if (response.status !== 200) return { status: response.status, body: await response.text() }
  const { token, refresh_token } = (await response.json()) as { token: string; refresh_token?: string }
  const claims: RegistryToken = registryToken.parse(decodeJwt(token))
  return { status: 200, token, refresh_token, claims, access: claims.access.map((a) => `${a.name}:${a.actions.join(',')}`) }
}
const all = (name: string) => `repository:${name}:pull,push,delete`

async function makeRobot(grants: RobotGrant[], data: object = {}) {
  const key = secret('slr')
  const id = newId('robot')
  await f.db.robot.create({
    data: { id, organizationId, name: id.slice(4), prefix: key.slice(4, 12), hash: sha256(key), grants, createdBy: 'ada', ...data },
  })
  return { id, key }
}

describe('a robot', () => {
  it('may what its patterns say, in its organization, and what anybody may', async () => {
    const { id, key } = await makeRobot([
      { pattern: 'team/*', actions: ['pull', 'push'] },
      { pattern: 'web', actions: ['pull'] },
      { pattern: 'team/api', actions: ['delete'] },
    ])
    const names = ['acme/team/api', 'acme/team/new', 'acme/web', 'acme/web2', 'acme/open', 'rival/own', 'rival/team/api', 'base/busybox']
    const { access, claims } = await login(key, [...names.map(all), 'registry:catalog:*'])
    expect(access).toEqual([
      'acme/team/api:pull,push,delete',
      'acme/team/new:pull,push',
      'acme/web:pull',
      'acme/open:pull',
      'base/busybox:pull',
      'catalog:*',
    ])
    expect(claims?.sub).toBe(`robot:${id}`)
    expect(await f.db.robot.findUnique({ where: { id } })).toMatchObject({ lastUsedAt: expect.any(Date), lastUsedFrom: '127.0.0.1' })
  })

  it('lists and mounts only what it may read', async () => {
    const { key } = await makeRobot([{ pattern: 'team/*', actions: ['pull', 'push'] }])
    const { token } = await login(key, ['registry:catalog:*', all('acme/team/copy')])
    const seen = await f.call('GET', '/v2/_catalog', { token })
    expect(await seen.json()).toEqual({ repositories: ['acme/open', 'acme/team/api'] })
    const mount = (digest: string | undefined, from: string) =>
      f.call('POST', `/v2/acme/team/copy/blobs/uploads/?mount=${digest}&from=${from}`, { token })
    expect((await mount(api.layers[0], 'acme/team/api')).status).toBe(401)
    expect((await mount(digestBytes('layer one'), 'acme/web')).status).toBe(202)
    expect((await mount(digestBytes('of the rival'), 'rival/own')).status).toBe(202)
    const wider = await login(key, [all('acme/team/copy'), 'repository:acme/team/api:pull'])
    const mounted = await f.call('POST', `/v2/acme/team/copy/blobs/uploads/?mount=${api.layers[0]}&from=acme/team/api`, wider)
    expect(mounted.status).toBe(201)
  })

  it('is refused in one way when it is disabled, expired, unknown or of no sense', async () => {
    const answers = new Set<string>()
    const grants: RobotGrant[] = [{ pattern: '*', actions: ['pull'] }]
    const past = new Date(Date.now() - 1000)
    for (const data of [{ disabledAt: past }, { expiresAt: past }]) {
      const { status, body } = await login((await makeRobot(grants, data)).key, [])
      answers.add(`${status} ${body}`)
    }
    const { status, body } = await login(secret('slr'), [])
    answers.add(`${status} ${body}`)
    expect(answers.size).toBe(1)
    expect([...answers][0]).toMatch(/^401 /)
    const { key } = await makeRobot([{ pattern: '*', actions: ['sing'] }] as unknown as RobotGrant[])
    expect((await login(key, [all('acme/web')])).access).toEqual([])
  })
})

async function makeShare(digest: string, data: object = {}) {
  const key = secret('sls')
  const { id: repositoryId } = await f.db.repository.findFirstOrThrow({ where: { organizationId, name: 'team/api' } })
  const id = newId('share')
  const expiresAt = new Date(Date.now() + 3_600_000)
  await f.db.share.create({
    data: { id, organizationId, repositoryId, digest, prefix: 'x', hash: sha256(key), createdBy: 'ada', expiresAt, ...data },
  })
  return { id, key }
}

describe('a share link', () => {
  it('opens its image under a name that the repository had, too, and no more there than under its own', async () => {
    const image = await f.push('acme/saved', 'v1', ['saved layer'])
    const rest = await f.push('acme/saved', 'v2', ['another layer'])
    const repository = await f.db.repository.findFirstOrThrow({ where: { organizationId, name: 'saved' } })
    const { key } = await makeShare(image.digest, { repositoryId: repository.id })
    await f.db.$transaction((tx) => setRepositoryName(tx, repository, 'team/saved'))
    for (const name of ['acme/saved', 'acme/team/saved']) {
      const { token } = await login(key, [all(name)])
      const get = async (path: string, method = 'GET') => (await f.call(method, `/v2/${name}/${path}`, { token })).status
      expect(await get(`manifests/${image.digest}`, 'HEAD'), name).toBe(200)
      for (const path of [`manifests/${image.digest}`, `blobs/${image.config}`, `blobs/${image.layers[0]}`])
        expect([name, path, await get(path)]).toEqual([name, path, 200])
      for (const path of ['manifests/v1', `manifests/${rest.digest}`, `blobs/${rest.layers[0]}`, 'tags/list'])
        expect([name, path, await get(path)]).toEqual([name, path, 401])
      expect(await get(`manifests/${image.digest}`, 'DELETE')).toBe(401)
      expect(await get('manifests/mine', 'PUT')).toBe(401)
    }
    await f.db.repository.delete({ where: { id: repository.id } })
  })

  it('opens its image and what that is made of, and nothing else of the repository', async () => {
    const { id, key } = await makeShare(index)
    const { token, access, claims } = await login(key, [all('acme/team/api'), all('acme/web'), all('rival/own'), 'registry:catalog:*'])
    expect(access).toEqual(['acme/team/api:pull'])
    expect(claims?.access).toEqual([{ type: 'image', name: 'acme/team/api', actions: ['pull'], digest: index }])
    const get = async (rest: string, method = 'GET') => {
      const response = await f.call(method, `/v2/acme/team/api/${rest}`, { token })
      await response.arrayBuffer()
      return response.status
    }
    for (const method of ['GET', 'HEAD']) {
      expect(await get(`manifests/${index}`, method)).toBe(200)
      expect(await get(`manifests/${api.digest}`, method)).toBe(200)
      for (const blob of [api.config, ...api.layers]) expect(await get(`blobs/${blob}`, method)).toBe(200)
    }
    const refused = [
      'manifests/v1',
      'manifests/all',
      `manifests/${other.digest}`,
      `blobs/${other.layers[0]}`,
      `blobs/${other.config}`,
      'tags/list',
      `referrers/${index}`,
      'manifests/none',
      `manifests/sha256:${'0'.repeat(64)}`,
      `blobs/sha256:${'0'.repeat(64)}`,
    ]
    for (const rest of refused) expect([rest, await get(rest)]).toEqual([rest, 401])
    for (const [method, rest] of [
      ['DELETE', `manifests/${index}`],
      ['DELETE', `blobs/${api.config}`],
      ['PUT', 'manifests/mine'],
      ['POST', 'blobs/uploads/'],
      ['POST', `blobs/uploads/?mount=${api.layers[0]}&from=acme/team/api`],
    ] as const)
      expect([rest, await get(rest, method)]).toEqual([rest, 401])
    expect((await f.call('GET', '/v2/_catalog', { token })).status).toBe(401)
    expect((await f.call('GET', `/v2/acme/web/manifests/v1`, { token })).status).toBe(401)
    await expect.poll(async () => (await f.db.share.findUnique({ where: { id } }))?.pullCount, { timeout: 8000, interval: 200 }).toBe(1)
  })

  it('of one platform opens that one', async () => {
    const { token } = await login((await makeShare(api.digest)).key, [all('acme/team/api')])
    expect((await f.call('GET', `/v2/acme/team/api/manifests/${api.digest}`, { token })).status).toBe(200)
    expect((await f.call('GET', `/v2/acme/team/api/manifests/${index}`, { token })).status).toBe(401)
  })

  it('looks the same when it is unknown, expired, revoked, or its image is gone', async () => {
    const past = new Date(Date.now() - 1000)
    const shares = await Promise.all([
      makeShare(index, { expiresAt: past }),
      makeShare(index, { revokedAt: past }),
      makeShare(`sha256:${'1'.repeat(64)}`),
    ])
    const answers = await Promise.all([...shares.map(({ key }) => key), secret('sls')].map((key) => login(key, [])))
    expect(new Set(answers.map(({ status, body }) => `${status} ${body}`)).size).toBe(1)
    expect(answers[0]?.status).toBe(401)
  })
})

describe('an API key', () => {
  const limit = (data: object) => f.db.apiKey.updateMany({ where: { userId: f.people.ada.id }, data })

  it('that only reads, reads what its user may', async () => {
    await limit({ scope: 'registry_read' })
    expect((await login(f.people.ada.apiKey, [all('acme/web'), all('rival/own')])).access).toEqual(['acme/web:pull'])
    await limit({ scope: 'registry_write' })
    expect((await login(f.people.ada.apiKey, [all('acme/web')])).access).toEqual(['acme/web:pull,push,delete'])
  })

  it('of one organization is nobody in another', async () => {
    const rival = await f.db.organization.findUniqueOrThrow({ where: { slug: 'rival' } })
    await f.db.member.create({ data: { id: newId('member'), organizationId: rival.id, userId: f.people.ada.id, role: 'developer' } })
    await limit({ organizationId })
    const { access, token, claims } = await login(f.people.ada.apiKey, [
      ...['acme/web', 'rival/own', 'base/busybox'].map(all),
      'registry:catalog:*',
    ])
    expect(access).toEqual(['acme/web:pull,push,delete', 'base/busybox:pull', 'catalog:*'])
    expect(claims?.org).toBe('acme')
    const { repositories } = (await (await f.call('GET', '/v2/_catalog', { token })).json()) as { repositories: string[] }
    expect(repositories).toEqual(['acme/open', 'acme/team/api', 'acme/team/copy', 'acme/web'])
    // Nor is the client sent for a token that it would not get.
    const mount = `/v2/acme/web/blobs/uploads/?mount=${digestBytes('of the rival')}&from=rival/own`
    expect((await f.call('POST', mount, { token })).status).toBe(202)
    await limit({ organizationId: null, scope: 'everything' })
    expect((await login(f.people.ada.apiKey, [all('rival/own')])).access).toEqual(['rival/own:pull,push,delete'])
  })
})

describe('what docker login keeps', () => {
  const refresh = (token: string, scope = all('acme/web')) =>
    fetch(`${f.base}/token`, {
      method: 'POST',
      body: new URLSearchParams({ grant_type: 'refresh_token', service: 'slipway', client_id: 'docker', refresh_token: token, scope }),
    })
  const ask = (user: string, password: string) =>
    fetch(`${f.base}/token?service=slipway&offline_token=true&client_id=docker`, { headers: { authorization: basic(password, user) } })
      .then((response) => response.json() as Promise<{ refresh_token: string }>)
      .then(({ refresh_token }) => refresh_token)

  it('is given only to those who ask, works like the login, and ends with the password', async () => {
    const { dan } = f.people
    expect((await login(dan.apiKey, [])).refresh_token).toBeUndefined()
    const token = await ask(dan.email, PASSWORD)
    const answer = (await (await refresh(token)).json()) as { access_token: string; refresh_token: string }
    expect(registryToken.parse(decodeJwt(answer.access_token))).toMatchObject({
      sub: dan.id,
      access: [{ name: 'acme/web', actions: ['pull', 'push', 'delete'] }],
    })
    expect(answer.refresh_token).toBe(token)
    // Another password, or none at all, ends it.
    await f.db.account.updateMany({ where: { userId: dan.id }, data: { password: await hashPassword('another password') } })
    expect((await refresh(token)).status).toBe(401)
    expect((await refresh(PASSWORD)).status).toBe(401)
    expect((await refresh(secret('sli'))).status).toBe(401)
  })

  it('is bound to the key: to its scope, its end, and its user’s', async () => {
    const { gus } = f.people
    const token = await ask('x', gus.apiKey)
    expect((await refresh(token)).status).toBe(200)
    await f.db.apiKey.updateMany({ where: { userId: gus.id }, data: { revokedAt: new Date() } })
    expect((await refresh(token)).status).toBe(401)
    await f.db.apiKey.updateMany({ where: { userId: gus.id }, data: { revokedAt: null } })
    expect((await refresh(token)).status).toBe(200)
    await f.db.refreshToken.updateMany({ where: { userId: gus.id }, data: { expiresAt: new Date(Date.now() - 1000) } })
    expect((await refresh(token)).status).toBe(401)
  })

  it('is kept at most fifty times per person', async () => {
    const { eve } = f.people
    for (let i = 0; i < 52; i++) await ask('x', eve.apiKey)
    expect(await f.db.refreshToken.count({ where: { userId: eve.id } })).toBe(50)
  })
})

it('locks nobody out by wrong secrets under a name that many use', async () => {
  const { key } = await makeShare(index)
  for (let i = 0; i < 12; i++) expect((await login(secret('sls'), [])).status).toBe(401)
  expect((await login(key, [])).status).toBe(200)
})
