/** Another key signs, while requests go on; and requests beyond the limits. */
import { generateKeyPairSync } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { signRegistryToken } from '@slipway/oci'
import { readSigningKey, readSigningKeys, retiredKeys, rotateSigningKey } from '@slipway/oci/node'
import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadTokenKeys } from './auth/keys'
import { type Fixture, newKeyPem, startFixture } from './testing/fixture'

describe('signing keys', () => {
  let folder: string
  let file: string
  let f: Fixture
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'slipway-keys-'))
    file = path.join(folder, 'registry-token.pem')
    await writeFile(file, newKeyPem(), { mode: 0o600 })
    f = await startFixture({ keys: await loadTokenKeys(file) })
  })
  afterAll(async () => {
    await f.close()
    await rm(folder, { recursive: true, force: true })
  })

  const access = [{ type: 'registry' as const, name: 'catalog', actions: ['*' as const] }]
  const sign = async () => signRegistryToken({ sub: 'system:test', access, ttlSeconds: 600 }, await readSigningKey(folder))
  const catalog = (token: string) => f.call('GET', '/v2/_catalog', { token }).then((response) => response.status)
  const published = async () => ((await (await fetch(`${f.base}/.well-known/jwks.json`)).json()) as { keys: Record<string, string>[] }).keys

  it('change without a refused request: what the old one signed is good until it ends', async () => {
    const tokens = [await sign()]
    let refused = 0
    let rotating = true
    const traffic = (async () => {
      while (rotating) {
        const fresh = await sign()
        for (const token of [tokens[0] ?? '', fresh]) if ((await catalog(token)) !== 200) refused++
      }
    })()
    for (let i = 0; i < 3; i++) {
      await rotateSigningKey(folder)
      tokens.push(await sign())
    }
    rotating = false
    await traffic
    expect(refused).toBe(0)
    for (const token of tokens) expect(await catalog(token)).toBe(200)
    expect(new Set(tokens.map((token) => decodeProtectedHeader(token).kid)).size).toBe(4)
  })

  it('are published as a key set that others verify with, without a private half', async () => {
    const keys = await published()
    expect(keys).toHaveLength(4)
    for (const key of keys) expect(Object.keys(key).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x'])
    const token = await sign()
    expect(keys[0]?.kid).toBe(decodeProtectedHeader(token).kid)
    const verified = await jwtVerify(token, createRemoteJWKSet(new URL(`${f.base}/.well-known/jwks.json`)), { audience: 'slipway' })
    expect(verified.payload.sub).toBe('system:test')
    const files = await Promise.all((await readdir(path.join(folder, 'registry-token.retired'))).map((name) => readRetired(name)))
    for (const text of files) expect(text).toMatch(/^-----BEGIN PUBLIC KEY-----/)
  })
  const readRetired = (name: string) => readFile(path.join(folder, 'registry-token.retired', name), 'utf8')

  it('are ours alone: a kid of ours on a stranger’s token opens nothing', async () => {
    const stranger = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
    const token = await signRegistryToken({ sub: 'system:test', access, ttlSeconds: 600 }, stranger)
    const [, payload, signature] = token.split('.')
    const [key] = await published()
    const header = Buffer.from(JSON.stringify({ alg: 'EdDSA', typ: 'JWT', kid: key?.kid })).toString('base64url')
    expect(await catalog(token)).toBe(401)
    expect(await catalog([header, payload, signature].join('.'))).toBe(401)
  })

  it('that were stolen end with what they signed when somebody removes them, and when their time is over', async () => {
    const keys = await loadTokenKeys(file)
    const g = await startFixture({ keys })
    const pem = await readSigningKey(folder)
    const forged = await signRegistryToken({ sub: 'system:thief', access, ttlSeconds: 3600 }, pem)
    const status = () => g.call('GET', '/v2/_catalog', { token: forged }).then((response) => response.status)
    const { kid } = decodeProtectedHeader(forged)
    await rotateSigningKey(folder)
    expect(await status()).toBe(200)
    const half = path.join(retiredKeys(folder), `${kid}.pem`)
    const longAgo = new Date(Date.now() - 2 * 3_600_000)
    await keys.refresh()
    expect(await status()).toBe(200)
    const kept = await readFile(half)
    await rm(half)
    await keys.refresh()
    expect(await status()).toBe(401)
    await writeFile(half, kept)
    await keys.refresh()
    expect(await status()).toBe(200)
    await utimes(half, longAgo, longAgo)
    await rotateSigningKey(folder)
    await keys.refresh()
    expect(await status()).toBe(401)
    await g.close()
  })

  it('that were retired long ago verify nothing, and go with the next change', async () => {
    const before = await sign()
    await rotateSigningKey(folder)
    const retired = path.join(folder, 'registry-token.retired')
    const longAgo = new Date(Date.now() - 2 * 3_600_000)
    for (const name of await readdir(retired)) await utimes(path.join(retired, name), longAgo, longAgo)
    const keys = await loadTokenKeys(file)
    expect(keys.verifying).toHaveLength(1)
    const g = await startFixture({ keys })
    expect((await g.call('GET', '/v2/_catalog', { token: before })).status).toBe(401)
    await g.close()
    await rotateSigningKey(folder)
    expect(await readdir(retired)).toHaveLength(1)
  })

  it('change by themselves when they are old, and two at once make one', async () => {
    const keys = await loadTokenKeys(file)
    expect(await keys.rotateAfter(90)).toBe(false)
    const old = new Date(Date.now() - 91 * 24 * 3_600_000)
    await utimes(file, old, old)
    // As in a process that runs: an operator makes the file old, and the next look changes the key.
    const before = keys.pem
    await keys.refresh()
    expect(await keys.rotateAfter(90)).toBe(true)
    expect(keys.pem).not.toBe(before)
    expect((await readSigningKeys(folder)).pem).toBe(keys.pem)
    const two = await Promise.allSettled([rotateSigningKey(folder), rotateSigningKey(folder)])
    expect(two.some(({ status }) => status === 'fulfilled')).toBe(true)
    for (const result of two) if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'KEY_ROTATION_BUSY' })
  })
})

describe('requests beyond the limits', () => {
  let f: Fixture
  beforeAll(async () => {
    const limits = { tokens: { count: 20, seconds: 600 }, manifests: { count: 5, seconds: 600 }, uploads: { count: 3, seconds: 600 } }
    f = await startFixture({ limits })
    await f.push('acme/web', 'v1')
  })
  afterAll(() => f.close())

  const as = (sub: string) => f.sign([{ type: 'repository', name: 'acme/web', actions: ['pull', 'push'] }], sub)
  async function ask(times: number, request: () => Promise<Response>) {
    const answers: Response[] = []
    for (let i = 0; i < times; i++) answers.push(await request())
    return { statuses: answers.map((response) => response.status), last: answers.at(-1) as Response }
  }

  it('are refused per account, with when to come back, and others go on', async () => {
    const token = await as('usr_one')
    const { statuses, last } = await ask(6, () => f.call('GET', '/v2/acme/web/manifests/v1', { token }))
    expect(statuses).toEqual([200, 200, 200, 200, 200, 429])
    expect(last.headers.get('ratelimit-limit')).toBe('5;w=600')
    expect(last.headers.get('ratelimit-remaining')).toBe('0;w=600')
    expect(Number(last.headers.get('ratelimit-reset'))).toBeGreaterThan(590)
    expect(last.headers.get('retry-after')).toBe(last.headers.get('ratelimit-reset'))
    expect(((await last.json()) as { errors: { code: string }[] }).errors[0]?.code).toBe('TOOMANYREQUESTS')
    // Looking is free; another account has its own; our own parts have none.
    expect((await f.call('HEAD', '/v2/acme/web/manifests/v1', { token })).status).toBe(200)
    const other = await f.call('GET', '/v2/acme/web/manifests/v1', { token: await as('usr_two') })
    expect([other.status, other.headers.get('ratelimit-remaining')]).toEqual([200, '4;w=600'])
    expect((await ask(8, () => f.call('GET', '/v2/acme/web/manifests/v1'))).statuses).toEqual(Array(8).fill(200))
  })

  it('are refused per address, whoever they say they are', async () => {
    const sub = (i: number) => as(`usr_${i}`)
    const statuses: number[] = []
    for (let i = 0; i < 16; i++) statuses.push((await f.call('POST', '/v2/acme/web/blobs/uploads/', { token: await sub(i) })).status)
    expect(statuses).toEqual([...Array(15).fill(202), 429])
  })

  it('for tokens are counted before a password is looked at', async () => {
    const anonymous = await ask(21, () => fetch(`${f.base}/token?service=slipway`))
    expect(anonymous.statuses).toEqual([...Array(20).fill(200), 429])
    const { apiKey } = f.people.ada
    const authorization = `Basic ${Buffer.from(`x:${apiKey}`).toString('base64')}`
    const { statuses } = await ask(21, () => fetch(`${f.base}/token?service=slipway`, { headers: { authorization } }))
    expect(statuses).toEqual([...Array(20).fill(200), 429])
  })
})
