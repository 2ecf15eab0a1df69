/** Who may what: tokens, the permission matrix, and a walk over all routes with another organization's account. */

import { randomBytes } from 'node:crypto'
import { registryToken } from '@slipway/contracts'
import { newId } from '@slipway/core'
import { decodeJwt, importPKCS8, SignJWT, UnsecuredJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { METHODS } from './http/route'
import { type Fixture, newKeyPem, PASSWORD, type Person, type PushedImage, startFixture } from './testing/fixture'

let f: Fixture
let image: PushedImage
beforeAll(async () => {
  f = await startFixture()
  image = await f.push('acme/secret', 'v1', ['acme only', 'nobody else'])
  await f.push('acme/open', 'v1')
  await f.db.repository.updateMany({ where: { name: 'open' }, data: { visibility: 'public' } })
  await f.push('rival/own', 'v1')
  await f.call('POST', '/v2/base/busybox/blobs/uploads/')
})
afterAll(() => f.close())

const basic = (user: string, password: string) => `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
const askToken = (scope: string[], authorization?: string) =>
  fetch(`${f.base}/token?service=slipway&${scope.map((s) => `scope=${encodeURIComponent(s)}`).join('&')}`, {
    headers: authorization ? { authorization } : {},
  })
async function granted(who: Person | null, ...scope: string[]) {
  const response = await askToken(scope, who ? basic('x', who.apiKey) : undefined)
  const { token } = (await response.json()) as { token: string }
  return { token, access: registryToken.parse(decodeJwt(token)).access.map((a) => `${a.name}:${a.actions.join(',')}`) }
}

describe('the token endpoint', () => {
  it('grants exactly what the role, the visibility and the base organization give', async () => {
    const want = (name: string) => `repository:${name}:pull,push,delete`
    const { ada, dan, gus, eve } = f.people
    const table: [Person | null, string, string[]][] = [
      [ada, 'acme/secret', ['acme/secret:pull,push,delete']],
      [dan, 'acme/secret', ['acme/secret:pull,push,delete']],
      [dan, 'acme/not-there-yet', ['acme/not-there-yet:pull,push,delete']],
      [gus, 'acme/secret', ['acme/secret:pull']],
      [eve, 'acme/secret', []],
      [eve, 'acme/not-there-yet', []],
      [eve, 'nobody/at-all', []],
      [eve, 'acme/open', ['acme/open:pull']],
      [null, 'acme/open', ['acme/open:pull']],
      [null, 'acme/secret', []],
      [null, 'base/busybox', ['base/busybox:pull']],
      [eve, 'base/busybox', ['base/busybox:pull']],
      [eve, 'acme', []],
      [eve, '../acme/secret', []],
    ]
    for (const [who, name, expected] of table) {
      expect((await granted(who, want(name))).access, `${who?.email} ${name}`).toEqual(expected)
    }
    expect((await granted(gus, 'repository:acme/secret:*')).access).toEqual(['acme/secret:pull'])
    expect((await granted(ada, 'repository:acme/secret:*')).access).toEqual(['acme/secret:pull,push,delete'])
    expect((await granted(ada, 'repository:acme/a:pull repository:acme/b:push', 'nonsense', 'repository:x')).access).toEqual([
      'acme/a:pull',
      'acme/b:push',
    ])
    expect((await granted(ada, 'registry:catalog:*')).access).toEqual(['catalog:*'])
    expect((await granted(null, 'registry:catalog:*')).access).toEqual([])
  })

  it('keeps base images for the system, even from an owner of that organization', async () => {
    const base = await f.db.organization.findUniqueOrThrow({ where: { slug: 'base' } })
    await f.db.member.create({ data: { id: newId('member'), organizationId: base.id, userId: f.people.gus.id, role: 'owner' } })
    expect((await granted(f.people.gus, 'repository:base/busybox:pull,push')).access).toEqual(['base/busybox:pull'])
  })

  it('takes the password, in both forms, and says one thing for every wrong login', async () => {
    const { ada } = f.people
    expect((await askToken([], basic(ada.email.toUpperCase(), PASSWORD))).status).toBe(200)
    const form = new URLSearchParams({
      grant_type: 'password',
      service: 'slipway',
      username: ada.email,
      password: PASSWORD,
      scope: 'repository:acme/secret:pull',
    })
    const posted = await fetch(`${f.base}/token`, { method: 'POST', body: form })
    expect(posted.status).toBe(200)
    expect(await posted.json()).toMatchObject({ expires_in: 300, access_token: expect.any(String) })
    const wrong = [
      basic(ada.email, 'wrong'),
      basic('nobody@example.com', PASSWORD),
      basic('x', `slp_${'A'.repeat(43)}`),
      basic(ada.email, ''),
    ]
    const answers = await Promise.all(wrong.map(async (authorization) => (await askToken([], authorization)).text()))
    expect(new Set(answers).size).toBe(1)
    expect((await askToken([], 'Basic %%%')).status).toBe(401)
    expect((await askToken([], 'Bearer x')).status).toBe(401)
    expect((await fetch(`${f.base}/token?service=other`)).status).toBe(400)
  })

  it('takes no revoked or expired key, and notes use', async () => {
    const { dan } = f.people
    await granted(dan)
    expect((await f.db.apiKey.findFirstOrThrow({ where: { userId: dan.id } })).lastUsedAt).toBeInstanceOf(Date)
    await f.db.apiKey.updateMany({ where: { userId: dan.id }, data: { expiresAt: new Date(Date.now() - 1000) } })
    expect((await askToken([], basic('x', dan.apiKey))).status).toBe(401)
    await f.db.apiKey.updateMany({ where: { userId: dan.id }, data: { expiresAt: null, revokedAt: new Date() } })
    expect((await askToken([], basic('x', dan.apiKey))).status).toBe(401)
    await f.db.apiKey.updateMany({ where: { userId: dan.id }, data: { revokedAt: null } })
    expect((await askToken([], basic('x', dan.apiKey))).status).toBe(200)
  })

  it('blocks one client of a proxy, and nobody else behind it', async () => {
    const { ada } = f.people
    const from = (address: string, password: string, email = `${randomBytes(4).toString('hex')}@example.com`) =>
      fetch(`${f.base}/token?service=slipway`, { headers: { authorization: basic(email, password), 'x-forwarded-for': address } })
    for (let i = 0; i < 50; i++) expect((await from(`6.6.6.${i}, 203.0.113.7`, 'guess')).status).toBe(401)
    expect((await from('6.6.6.6, 203.0.113.7', PASSWORD, ada.email)).status).toBe(429)
    expect((await from('203.0.113.8', PASSWORD, ada.email)).status).toBe(200)
    expect((await askToken([], basic(ada.email, PASSWORD))).status).toBe(200)
  })

  it('stops a guesser, and tells when to come back', async () => {
    const tries = []
    for (let i = 0; i < 11; i++) tries.push((await askToken([], basic('guessed@example.com', `guess ${i}`))).status)
    expect(tries).toEqual([...Array(10).fill(401), 429])
    const refused = await askToken([], basic('guessed@example.com', 'one more'))
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(800)
    expect((await refused.json()).errors[0].code).toBe('TOOMANYREQUESTS')
    expect((await askToken([], basic(f.people.ada.email, PASSWORD))).status).toBe(200)
  })
})

describe('bearer tokens', () => {
  const claims = { access: [{ type: 'repository', name: 'acme/secret', actions: ['pull'] }] }
  const make = (pem: string, change: (jwt: SignJWT) => SignJWT = (jwt) => jwt, header: Record<string, unknown> = {}) =>
    importPKCS8(pem, 'EdDSA').then((key) =>
      change(
        new SignJWT(claims)
          .setProtectedHeader({ alg: 'EdDSA', ...header })
          .setIssuer('slipway')
          .setAudience('slipway')
          .setSubject('u')
          .setIssuedAt()
          .setExpirationTime('1m')
          .setJti('j'),
      ).sign(key),
    )
  const get = async (token: string) => (await f.call('GET', '/v2/acme/secret/manifests/v1', { token })).status

  it('are good only from our key, for our service, while they last', async () => {
    expect(await get(await make(f.pem))).toBe(200)
    expect(await get(await make(newKeyPem()))).toBe(401)
    expect(await get(await make(f.pem, (jwt) => jwt.setExpirationTime('-1s')))).toBe(401)
    expect(await get(await make(f.pem, (jwt) => jwt.setAudience('other')))).toBe(401)
    expect(await get(await make(f.pem, (jwt) => jwt.setIssuer('other')))).toBe(401)
    const other = newKeyPem()
    const { publicHalf } = await import('@slipway/oci/node')
    const publicKey = publicHalf(other)
    const jwk = publicKey.export({ format: 'jwk' })
    expect(await get(await make(other, (jwt) => jwt, { jwk, kid: 'registry' }))).toBe(401)
    expect(
      await get(new UnsecuredJWT(claims).setIssuer('slipway').setAudience('slipway').setSubject('u').setExpirationTime('1m').encode()),
    ).toBe(401)
    expect(await get('a.b.c')).toBe(401)
    expect(await get('x'.repeat(10_000))).toBe(401)
  })

  it('are asked for where the client found us', async () => {
    const response = await fetch(`${f.base}/v2/`)
    expect(response.status).toBe(401)
    expect(response.headers.get('www-authenticate')).toBe(`Bearer realm="${f.base}/token",service="slipway"`)
    const scoped = await fetch(`${f.base}/v2/acme/secret/manifests/v1`)
    expect(scoped.headers.get('www-authenticate')).toContain('scope="repository:acme/secret:pull"')
    expect((await f.call('GET', '/v2/', {})).status).toBe(200)
  })
})

describe('another organization', () => {
  /** Every method of every route that names a repository. A new route fails here until it is listed. */
  const paths = (name: string, uploadId: string): Record<string, string[]> => ({
    blob: [`/v2/${name}/blobs/${image.layers[0]}`],
    'upload-start': [`/v2/${name}/blobs/uploads/`, `/v2/${name}/blobs/uploads/?mount=${image.layers[0]}&from=acme/open`],
    upload: [`/v2/${name}/blobs/uploads/${uploadId}?digest=${image.layers[0]}`],
    manifest: [`/v2/${name}/manifests/v1`, `/v2/${name}/manifests/${image.digest}`],
    tags: [`/v2/${name}/tags/list`],
    referrers: [`/v2/${name}/referrers/${image.digest}`],
  })
  const walk = async (name: string, uploadId: string, token: string) => {
    const seen: [string, string, number, string][] = []
    for (const [kind, urls] of Object.entries(paths(name, uploadId))) {
      for (const url of urls) {
        for (const method of METHODS[kind as keyof typeof METHODS]) {
          const body = ['PUT', 'PATCH'].includes(method) ? 'x' : undefined
          const response = await f.call(method, url, { token, body })
          seen.push([method, url, response.status, await response.text()])
        }
      }
    }
    return seen
  }

  it('is told the same about what is there and what is not, on every route', async () => {
    const routes = Object.keys(METHODS).filter((kind) => !['base', 'health', 'token', 'jwks', 'catalog'].includes(kind))
    expect(Object.keys(paths('a/b', 'x')).sort()).toEqual(routes.sort())
    const uploadId = (await f.call('POST', '/v2/acme/secret/blobs/uploads/')).headers.get('docker-upload-uuid') ?? ''
    const ask = (name: string) => granted(f.people.eve, `repository:${name}:pull,push,delete`, 'repository:rival/own:pull,push,delete')
    const there = await walk('acme/secret', uploadId, (await ask('acme/secret')).token)
    const notThere = await walk('acme/nothing', uploadId, (await ask('acme/nothing')).token)
    expect(there.filter(([, , status]) => status !== 401)).toEqual([])
    expect(there.map(([method, , status, body]) => [method, status, body])).toEqual(
      notThere.map(([method, , status, body]) => [method, status, body]),
    )
    expect((await f.call('GET', `/v2/acme/secret/blobs/uploads/${uploadId}`)).status).toBe(204)
  })

  it('gets nothing through its own repository for ids it knows', async () => {
    const uploadId = (await f.call('POST', '/v2/acme/secret/blobs/uploads/')).headers.get('docker-upload-uuid') ?? ''
    const { token } = await granted(f.people.eve, 'repository:rival/own:pull,push,delete')
    const own = (method: string, rest: string, body?: string) => f.call(method, `/v2/rival/own/${rest}`, { token, body })
    expect((await own('GET', `blobs/${image.config}`)).status).toBe(404)
    expect((await own('HEAD', `blobs/${image.config}`)).status).toBe(404)
    expect((await own('PATCH', `blobs/uploads/${uploadId}`, 'x')).status).toBe(404)
    expect((await own('DELETE', `blobs/uploads/${uploadId}`)).status).toBe(404)
    expect((await own('POST', `blobs/uploads/?mount=${image.config}&from=acme/secret`)).status).toBe(202)
    expect((await own('GET', `blobs/${image.config}`)).status).toBe(404)
    const manifest = image.manifest.replace(/"layers":\[.*\]/, '"layers":[]')
    const put = await f.call('PUT', '/v2/rival/own/manifests/stolen', {
      token,
      body: manifest,
      headers: { 'content-type': 'application/vnd.oci.image.manifest.v1+json' },
    })
    expect([put.status, (await put.json()).errors[0].code]).toEqual([404, 'MANIFEST_BLOB_UNKNOWN'])
  })

  it('mounts what the person may read, once the token says so, and nothing else', async () => {
    const mount = (token: string, query: string) => f.call('POST', `/v2/rival/own/blobs/uploads/?mount=${query}`, { token })
    const { token } = await granted(f.people.eve, 'repository:rival/own:pull,push')
    const [named = '', found = ''] = (await f.push('acme/open', 'v1', ['read by everybody', 'this too'])).layers
    // Two ways to ask, one answer: the scope to come back with.
    for (const query of [`${named}&from=acme/open`, found]) {
      const asked = await mount(token, query)
      expect([asked.status, asked.headers.get('www-authenticate')]).toEqual([
        401,
        expect.stringContaining('scope="repository:rival/own:pull,push repository:acme/open:pull",error="insufficient_scope"'),
      ])
      const wider = await granted(f.people.eve, 'repository:rival/own:pull,push', 'repository:acme/open:pull')
      expect((await mount(wider.token, query)).status).toBe(201)
    }
    expect(await (await f.call('GET', `/v2/rival/own/blobs/${named}`)).text()).toBe('read by everybody')
    // What is secret, and what is not there at all: upload it, whoever asks and however.
    const secret = (await f.push('acme/secret', 'other', ['not for eve'])).layers[0]
    const wider = await granted(f.people.eve, 'repository:rival/own:pull,push', 'repository:acme/secret:pull')
    for (const query of [`${secret}&from=acme/secret`, `${secret}`, `${secret}&from=acme/nothing`, `sha256:${'0'.repeat(64)}`, 'x']) {
      expect((await mount(wider.token, query)).status, query).toBe(202)
    }
    expect((await f.call('HEAD', `/v2/rival/own/blobs/${secret}`)).status).toBe(404)
  })

  it('sees only its own, public and base repositories in the catalog', async () => {
    const { token } = await granted(f.people.eve, 'registry:catalog:*')
    expect(await (await f.call('GET', '/v2/_catalog', { token })).json()).toEqual({
      repositories: ['acme/open', 'base/busybox', 'rival/own'],
    })
    expect((await f.call('GET', '/v2/_catalog', { token: (await granted(null)).token })).status).toBe(401)
    const page = await f.call('GET', '/v2/_catalog?n=1', { token })
    expect(page.headers.get('link')).toBe('</v2/_catalog?n=1&last=acme%2Fopen>; rel="next"')
  })
})

it('refuses guests what is not theirs to do', async () => {
  const { token } = await granted(f.people.gus, 'repository:acme/secret:pull,push,delete')
  expect((await f.call('GET', '/v2/acme/secret/manifests/v1', { token })).status).toBe(200)
  expect((await f.call('PUT', '/v2/acme/secret/manifests/v2', { token, body: '{}' })).status).toBe(401)
  expect((await f.call('DELETE', '/v2/acme/secret/manifests/v1', { token })).status).toBe(401)
  expect((await f.call('POST', '/v2/acme/secret/blobs/uploads/', { token })).status).toBe(401)
})
