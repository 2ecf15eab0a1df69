/** Downloads of images over HTTP, with an engine that has one image less than the registry. */
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createHarness, type Harness, TEST_PASSWORD } from '@slipway/services/testing'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createContext } from './context'
import { imageArchive } from './downloads'

const dir = mkdtempSync(path.join(tmpdir(), 'image-archive-'))
const digest = `sha256:${'ab'.repeat(32)}`
const asked: string[] = []
let pulled = false
let h: Harness
let cookie: string
const engine = createServer((request, response) => {
  const url = decodeURIComponent(request.url ?? '')
  asked.push(`${request.method} ${url}`)
  if (url.includes('/images/create')) {
    pulled = true
    response.end('{"status":"done"}\n')
  } else if (url.endsWith('/json') && !pulled) {
    response.statusCode = 404
    response.end('{"message":"no such image"}')
  } else response.end(url.endsWith('/json') ? '{}' : 'tar')
})

beforeAll(async () => {
  const agentSocket = path.join(dir, 'agent.sock')
  await new Promise<void>((resolve) => engine.listen(agentSocket, resolve))
  h = await createHarness({ agentSocket })
  const ada = await h.user('Ada', 'acme')
  await h.user('Eve', 'evil')
  const pem = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' })
  writeFileSync(path.join(h.deps.config.secretsDir, 'registry-token.pem'), pem)
  await h.image(await h.scope(ada, 'acme'), 'team/web', { tag: 'v1', digest })
  cookie = await signIn(ada.email)
})
afterAll(async () => {
  await h.close()
  engine.close()
  rmSync(dir, { recursive: true })
})

const signIn = async (email: string) =>
  (await h.services.auth.signIn(email, TEST_PASSWORD, new Headers())).map((c) => c.split(';')[0]).join('; ')

async function get(query: Record<string, string>, headers: Record<string, string> = { cookie }) {
  const request = new Request(`http://localhost:3000/api/images/archive?${new URLSearchParams(query)}`, { headers })
  const log = { error: () => undefined }
  const context = await createContext({
    services: h.services,
    headers: request.headers,
    responseHeaders: null,
    webUrl: 'http://localhost:3000',
    log,
  })
  const response = await imageArchive(request, context)
  return { status: response.status, headers: response.headers, text: await response.text() }
}
const image = { org: 'acme', repository: 'team/web', reference: 'v1', format: 'docker' }

it('gives the image by its digest under the name that it was asked for, pulled where it is missing', async () => {
  const answer = await get(image)
  expect([answer.status, answer.text]).toEqual([200, 'tar'])
  expect(answer.headers.get('content-disposition')).toBe('attachment; filename="team-web-v1.docker.tar"')
  const pinned = `slipway.local/acme/team/web@${digest}`
  expect(asked.some((line) => line.startsWith('POST') && line.includes(digest))).toBe(true)
  expect(asked.at(-1)).toBe(
    `GET /slipway/v1/images/${pinned}/archive?format=docker&name=localhost:${h.deps.config.registryPort}/acme/team/web:v1`,
  )
  const byDigest = await get({ ...image, reference: digest, format: 'oci' })
  expect(byDigest.headers.get('content-disposition')).toBe('attachment; filename="team-web-abababababab.oci.tar"')
})

it('tells nothing to strangers, other organizations and addresses that are none', async () => {
  const before = asked.length
  expect(await get(image, {})).toMatchObject({ status: 401, text: 'Sign in first, or send an API key.\n' })
  const eve = { cookie: await signIn((await h.db.user.findFirstOrThrow({ where: { name: 'Eve' } })).email) }
  expect((await get(image, eve)).status).toBe(404)
  expect((await get({ ...image, org: 'evil' }, eve)).status).toBe(404)
  expect((await get({ ...image, reference: 'v2' })).status).toBe(404)
  expect((await get({ ...image, format: 'zip' })).status).toBe(400)
  expect((await get({ ...image, reference: '../../x' })).status).toBe(404)
  expect(asked.length).toBe(before)
})
