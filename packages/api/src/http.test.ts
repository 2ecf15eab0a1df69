/** The API as browsers and the CLI meet it: over HTTP, with cookies, keys, origins and event streams. */
import type { Identity } from '@slipway/services'
import { createHarness, type Harness, TEST_PASSWORD } from '@slipway/services/testing'
import { fetchRequestHandler } from '@trpc/server/adapters/fetch'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createContext, isSameOrigin } from './context'
import { appRouter } from './root'

let h: Harness
let ada: Identity
let cookie: string
let key: string
const logged: Record<string, unknown>[] = []
const WEB = 'http://localhost:3000'

beforeAll(async () => {
  h = await createHarness()
  ada = await h.user('Ada', 'acme')
  const scope = await h.scope(ada, 'acme')
  await h.services.projects.create(scope, { name: 'Shop' })
  await h.services.apps.createExample(scope, { example: 'hello' })
  cookie = (await h.services.auth.signIn(ada.email, TEST_PASSWORD, new Headers())).map((c) => c.split(';')[0]).join('; ')
  key = (await h.services.apiKeys.create(scope.actor, { name: 'ci' })).key
})
afterAll(() => h.close())

function call(path: string, init: { input?: unknown; headers?: Record<string, string>; mutation?: boolean; signal?: AbortSignal } = {}) {
  const json = JSON.stringify({ json: init.input ?? null })
  const url = `${WEB}/api/trpc/${path}${init.mutation ? '' : `?input=${encodeURIComponent(json)}`}`
  const request = new Request(url, {
    method: init.mutation ? 'POST' : 'GET',
    headers: { host: 'localhost:3000', 'content-type': 'application/json', ...init.headers },
    ...(init.mutation && { body: json }),
    ...(init.signal && { signal: init.signal }),
  })
  return fetchRequestHandler({
    endpoint: '/api/trpc',
    req: request,
    router: appRouter,
    createContext: ({ resHeaders }) =>
      createContext({
        services: h.services,
        headers: request.headers,
        responseHeaders: resHeaders,
        webUrl: WEB,
        log: { error: (fields) => logged.push(fields) },
      }),
  })
}
const answer = async (response: Response) => ({ status: response.status, body: (await response.json()) as Record<string, never> })

it('knows who calls by the cookie or the key; a bad key is nobody, even beside a good cookie', async () => {
  expect((await call('me.get', { headers: { cookie } })).status).toBe(200)
  expect((await call('me.get', { headers: { authorization: `Bearer ${key}` } })).status).toBe(200)
  expect((await call('me.get')).status).toBe(401)
  expect((await call('me.get', { headers: { cookie, authorization: `Bearer slp_${'x'.repeat(43)}` } })).status).toBe(401)
})

it('ends a key at once when it is revoked or expires', async () => {
  const actor = { userId: ada.userId, label: 'Ada', ip: null }
  const { key: short, view } = await h.services.apiKeys.create(actor, { name: 'short', expiresInDays: 1 })
  const headers = { authorization: `Bearer ${short}` }
  expect((await call('me.get', { headers })).status).toBe(200)
  await h.db.apiKey.update({ where: { id: view.id }, data: { expiresAt: new Date(Date.now() - 1) } })
  expect((await call('me.get', { headers })).status).toBe(401)
  await h.db.apiKey.update({ where: { id: view.id }, data: { expiresAt: null } })
  await h.services.apiKeys.revoke(actor, { id: view.id })
  expect((await call('me.get', { headers })).status).toBe(401)
  expect((await h.db.apiKey.findUniqueOrThrow({ where: { id: view.id } })).hash).not.toContain(short)
})

it('takes changes by cookie from its own pages only', async () => {
  const change = (headers: Record<string, string>) =>
    call('projects.create', { mutation: true, input: { org: 'acme', name: 'New' }, headers: { cookie, ...headers } })
  expect((await change({})).status).toBe(403)
  expect((await change({ origin: 'http://evil.example' })).status).toBe(403)
  expect((await change({ origin: 'null' })).status).toBe(403)
  expect((await change({ origin: WEB })).status).toBe(200)
  // Reached by another name of the same machine: the page's own host.
  expect((await change({ origin: 'http://192.168.1.5:3000', host: '192.168.1.5:3000' })).status).toBe(200)
  expect(isSameOrigin(new Headers({ origin: 'http://localhost:3000.evil.example', host: 'localhost:3000' }), WEB)).toBe(false)
})

it('tells forms which field is wrong, and everyone a code and a sentence', async () => {
  const bad = await answer(
    await call('projects.create', { mutation: true, input: { org: 'acme', name: ' ' }, headers: { cookie, origin: WEB } }),
  )
  expect(bad.status).toBe(400)
  expect(bad.body).toMatchObject({ error: { json: { data: { app: { code: 'INPUT_INVALID', fields: { name: ['Name the project.'] } } } } } })
  const gone = await answer(await call('apps.get', { input: { org: 'acme', app: 'nope' }, headers: { cookie } }))
  expect(gone).toMatchObject({
    status: 404,
    body: { error: { json: { data: { app: { code: 'APP_NOT_FOUND', status: 404, errorId: null } } } } },
  })
})

it('keeps the cause of an internal error in the log, under the id that the client sees', async () => {
  const broken = { ...h.services, hosts: { ...h.services.hosts, list: () => Promise.reject(new Error('password=hunter2 at /var/lib')) } }
  const services = h.services
  h.services = broken
  const response = await answer(await call('hosts.list', { input: { org: 'acme' }, headers: { cookie } }))
  h.services = services
  const text = JSON.stringify(response.body)
  expect(text).not.toContain('hunter2')
  expect(text).not.toContain('stack')
  const errorId = /error ([0-9a-f]{8})/.exec(text)?.[1]
  expect(logged.at(-1)).toMatchObject({
    errorId,
    path: 'hosts.list',
    err: expect.objectContaining({ message: 'password=hunter2 at /var/lib' }),
  })
})

it('streams a build as it changes, resumes after the last event, and ends with the reader', async () => {
  const { id } = await h.db.build.findFirstOrThrow({ where: { number: 1 } })
  const log = (seq: number) => ({ buildId: id, seq, stream: 'stdout', at: new Date(), text: `line ${seq}\n` })
  await h.db.buildLogChunk.createMany({ data: [log(1), log(2)] })
  const input = { org: 'acme', app: 'hello', number: 1 }
  const end = new AbortController()
  const response = await call('builds.watch', { input, headers: { cookie, accept: 'text/event-stream' }, signal: end.signal })
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  const until = async (part: string) => {
    while (!text.includes(part)) {
      const { value, done } = (await reader?.read()) ?? { done: true, value: undefined }
      if (done) throw new Error(`ended before ${part}: ${text}`)
      text += value
    }
  }
  await until('line 2')
  await until('id: 2\n')
  await h.db.buildLogChunk.create({ data: log(3) })
  h.deps.signals.publish(`slipway:build:${id}`)
  await until('line 3')
  end.abort()
  await reader?.cancel().catch(() => undefined)

  const again = await call('builds.watch', { input: { ...input, lastEventId: '2' }, headers: { cookie, accept: 'text/event-stream' } })
  const resumed = again.body?.pipeThrough(new TextDecoderStream()).getReader()
  text = ''
  while (!text.includes('id: 3')) text += (await resumed?.read())?.value ?? ''
  expect(text).toContain('line 3')
  expect(text).not.toContain('line 2')
  await resumed?.cancel()
})

it('obeys what a key is limited to', async () => {
  const { actor } = await h.scope(ada, 'acme')
  await h.services.organizations.create(actor, { name: 'Second', slug: 'second' })
  const make = async (input: object) => {
    const { key } = await h.services.apiKeys.create(actor, { name: 'limited', ...input })
    return { headers: { authorization: `Bearer ${key}` } }
  }
  const reader = await make({ scope: 'registry_read' })
  const refused = await answer(await call('me.get', reader))
  expect(refused).toMatchObject({ status: 403, body: { error: { json: { data: { app: { code: 'KEY_SCOPE' } } } } } })
  expect((await call('projects.list', { ...reader, input: { org: 'acme' } })).status).toBe(403)
  expect((await call('system.health', reader)).status).toBe(200)

  const one = await make({ organization: 'second' })
  expect((await call('projects.list', { ...one, input: { org: 'second' } })).status).toBe(200)
  expect((await call('projects.list', { ...one, input: { org: 'acme' } })).status).toBe(404)
  const me = await answer(await call('me.get', one))
  expect(me.body).toMatchObject({ result: { data: { json: { organizations: [{ slug: 'second' }] } } } })
  // Nor does it make itself a key that opens more.
  expect((await call('me.apiKeys.create', { ...one, mutation: true, input: { name: 'more' } })).status).toBe(403)
  expect((await call('organizations.create', { ...one, mutation: true, input: { name: 'Third' } })).status).toBe(403)
  const { key } = await h.services.apiKeys.create(actor, { name: 'all' })
  expect((await call('projects.list', { headers: { authorization: `Bearer ${key}` }, input: { org: 'acme' } })).status).toBe(200)
  await expect(h.services.apiKeys.create(actor, { name: 'x', organization: 'nowhere' })).rejects.toMatchObject({
    code: 'ORGANIZATION_NOT_FOUND',
  })
})
