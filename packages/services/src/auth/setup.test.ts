import { readFile, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { createServices } from '../create-services'
import { createHarness, type Harness, TEST_PASSWORD } from '../testing/harness'

let h: Harness
const tokenFile = () => path.join(h.secretsDir, 'setup-token')
const account = (token: string, name = 'Ada') => ({
  token,
  name,
  email: `${name.toLowerCase()}@Example.com`,
  password: TEST_PASSWORD,
  organizationName: 'Acme Inc.',
})
const signIn = (email: string, password: string, address = '10.0.0.1') =>
  h.services.auth.handler(
    new Request('http://localhost:3000/api/auth/sign-in/email', {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin: 'http://localhost:3000', 'x-forwarded-for': address },
      body: JSON.stringify({ email, password }),
    }),
  )

beforeEach(async () => {
  h = await createHarness()
})
afterEach(() => h.close())

it('makes a one-time token that only its owner can read, and keeps it over restarts', async () => {
  expect(await h.services.setup.status()).toEqual({ needed: true })
  const { token } = await h.services.setup.prepare()
  expect((await stat(tokenFile())).mode & 0o777).toBe(0o600)
  expect((await readFile(tokenFile(), 'utf8')).trim()).toBe(token)
  expect(await h.services.setup.prepare()).toEqual({ token })
})

it('creates the first account once, with the token, and then never again', async () => {
  const { token } = await h.services.setup.prepare()
  await expect(h.services.setup.create(account('wrong'), null)).rejects.toMatchObject({ code: 'SETUP_TOKEN_WRONG' })
  await expect(h.services.setup.create(account(''), null)).rejects.toMatchObject({ code: 'SETUP_TOKEN_WRONG' })

  const both = await Promise.allSettled(
    ['Ada', 'Bob', 'Cyd'].map((name) => h.services.setup.create(account(token ?? '', name), '10.0.0.1')),
  )
  expect(both.filter((result) => result.status === 'fulfilled')).toHaveLength(1)
  expect(await h.db.user.count()).toBe(1)
  expect(await h.db.organization.findMany({ select: { slug: true, name: true } })).toEqual([{ slug: 'acme-inc', name: 'Acme Inc.' }])
  await expect(stat(tokenFile())).rejects.toMatchObject({ code: 'ENOENT' })

  // A token that somebody puts there afterwards opens nothing.
  await writeFile(tokenFile(), 'again')
  await expect(h.services.setup.create(account('again', 'Eve'), null)).rejects.toMatchObject({ code: 'SETUP_OVER' })
  expect(await h.services.setup.status()).toEqual({ needed: false })
  expect(await h.services.setup.prepare()).toEqual({ token: null })
  await expect(stat(tokenFile())).rejects.toMatchObject({ code: 'ENOENT' })
})

it('creates the account of the settings without a browser, once', async () => {
  const passwordFile = path.join(h.secretsDir, 'admin-password')
  const admin = { email: 'Root@Example.com', passwordFile, organization: 'Default' }
  const services = createServices({ ...h.deps, config: { ...h.deps.config, admin } })
  await expect(services.setup.prepare()).rejects.toMatchObject({ code: 'ADMIN_PASSWORD_FILE_UNREADABLE' })
  await writeFile(passwordFile, 'short\n')
  await expect(services.setup.prepare()).rejects.toMatchObject({ code: 'ADMIN_SETTINGS_INVALID' })
  await writeFile(passwordFile, `${TEST_PASSWORD}\n`)
  expect(await services.setup.prepare()).toEqual({ token: null })
  expect(await services.setup.prepare()).toEqual({ token: null })
  expect(
    await h.db.member.findMany({ select: { role: true, organization: { select: { slug: true } }, user: { select: { email: true } } } }),
  ).toEqual([{ role: 'owner', organization: { slug: 'default' }, user: { email: 'root@example.com' } }])
  expect((await signIn('root@example.com', TEST_PASSWORD)).status).toBe(200)
})

it('signs in with the password, answers who it is by the cookie, and signs nobody up', async () => {
  await h.user('Ada', 'acme')
  const answer = await signIn('ada@example.com', TEST_PASSWORD)
  const cookie = answer.headers.get('set-cookie') ?? ''
  expect(cookie).toMatch(/^slipway_3000\.session_token=.*HttpOnly; SameSite=Lax/)
  expect(await h.services.auth.session(new Headers({ cookie }))).toMatchObject({ name: 'Ada', via: 'session' })
  expect(await h.services.auth.session(new Headers({ cookie: cookie.replace('=', '=x') }))).toBeNull()
  expect(await h.services.auth.session(new Headers())).toBeNull()
  await expect(h.services.auth.signIn('ada@example.com', 'wrong password', new Headers())).rejects.toMatchObject({
    code: 'SIGN_IN_REFUSED',
  })

  const signUp = await h.services.auth.handler(
    new Request('http://localhost:3000/api/auth/sign-up/email', {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin: 'http://localhost:3000' },
      body: JSON.stringify({ email: 'eve@example.com', password: TEST_PASSWORD, name: 'Eve' }),
    }),
  )
  expect(signUp.status).toBe(400)
  expect(await h.db.user.count()).toBe(1)
})

it('stops guessing at one account, whatever addresses it comes from', async () => {
  await h.user('Ada', 'acme')
  await h.user('Bob', 'bobs')
  const statuses: number[] = []
  for (let i = 0; i < 12; i++) statuses.push((await signIn('ada@example.com', 'wrong password', `10.0.1.${i}`)).status)
  expect(statuses).toEqual([...Array(10).fill(401), 429, 429])
  // Not even the right password, until the minute is over; other accounts are not touched.
  expect((await signIn('ADA@example.com', TEST_PASSWORD, '10.0.2.1')).status).toBe(429)
  expect((await signIn('bob@example.com', TEST_PASSWORD, '10.0.2.2')).status).toBe(200)
})
