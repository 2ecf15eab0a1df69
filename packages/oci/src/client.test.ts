import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { RegistryClient } from './client'
import { parseChallenge } from './client-auth'
import { OCI_CONFIG, OCI_MANIFEST } from './media-types'
import { digestBytes } from './node'

let server: Server | undefined
afterEach(() => new Promise<void>((resolve) => (server ? server.close(() => resolve()) : resolve())))

async function serve(handler: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const started = createServer(handler)
  server = started
  await new Promise<void>((resolve) => started.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(started.address() as AddressInfo).port}`
}

const manifest = JSON.stringify({
  schemaVersion: 2,
  mediaType: OCI_MANIFEST,
  config: { mediaType: OCI_CONFIG, digest: digestBytes('{}'), size: 2 },
  layers: [],
})

it('answers the challenge once, then uses its token', async () => {
  const seen: string[] = []
  const base = await serve((request, response) => {
    seen.push(`${request.url} ${request.headers.authorization ?? '-'}`)
    if (request.url?.startsWith('/token')) return response.end(JSON.stringify({ token: 't1' }))
    if (request.headers.authorization !== 'Bearer t1') {
      response.writeHead(401, { 'www-authenticate': `Bearer realm="${base}/token",service="slipway"` })
      return response.end()
    }
    response.setHeader('content-type', OCI_MANIFEST)
    return response.end(manifest)
  })
  const client = new RegistryClient({ baseUrl: base, credentials: { username: 'ada', password: 'pä' } })
  expect((await client.getManifest('acme/api', 'latest')).digest).toBe(digestBytes(manifest))
  await client.getManifest('acme/api', digestBytes(manifest))
  expect(seen).toEqual([
    '/v2/acme/api/manifests/latest -',
    `/token?service=slipway&scope=repository%3Aacme%2Fapi%3Apull Basic ${Buffer.from('ada:pä').toString('base64')}`,
    '/v2/acme/api/manifests/latest Bearer t1',
    `/v2/acme/api/manifests/${digestBytes(manifest)} Bearer t1`,
  ])
})

it('believes no registry that sends other content', async () => {
  const base = await serve((_request, response) => response.end('something else'))
  const client = new RegistryClient({ baseUrl: base })
  await expect(client.getManifest('a/b', digestBytes(manifest))).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' })
  await expect(client.getBlob('a/b', digestBytes('x'))).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' })
  await expect(client.getBlob('a/b', digestBytes('x'), 3)).rejects.toMatchObject({ code: 'REGISTRY_ANSWER_TOO_LARGE' })
})

it('says what is wrong: missing, denied, silent, gone', async () => {
  let status = 404
  const base = await serve((_request, response) => {
    if (status === 0) return
    response.writeHead(status).end()
  })
  const client = new RegistryClient({ baseUrl: base, timeoutMs: 100 })
  await expect(client.getManifest('a/b', 'v1')).rejects.toMatchObject({
    code: 'MANIFEST_UNKNOWN',
    message: expect.stringContaining('a/b:v1'),
  })
  expect(await client.resolve('a/b', 'v1')).toBeUndefined()
  status = 403
  await expect(client.listTags('a/b')).rejects.toMatchObject({ code: 'REGISTRY_DENIED' })
  status = 429
  await expect(client.listTags('a/b')).rejects.toMatchObject({ code: 'REGISTRY_RATE_LIMITED' })
  status = 0
  await expect(client.listTags('a/b')).rejects.toMatchObject({ code: 'REGISTRY_UNREACHABLE' })
  server?.closeAllConnections()
  await expect(new RegistryClient({ baseUrl: 'http://127.0.0.1:1' }).listTags('a/b')).rejects.toMatchObject({
    code: 'REGISTRY_UNREACHABLE',
  })
})

it('reads tags page by page', async () => {
  const base = await serve((request, response) => {
    const last = new URL(request.url ?? '', 'http://x').searchParams.get('last')
    if (!last) response.setHeader('link', '</v2/a/b/tags/list?n=1000&last=t1>; rel="next"')
    response.end(JSON.stringify({ name: 'a/b', tags: last ? ['t2'] : ['t1'] }))
  })
  expect(await new RegistryClient({ baseUrl: base }).listTags('a/b')).toEqual(['t1', 't2'])
})

it('reads challenges', () => {
  expect(parseChallenge('Bearer realm="http://x/token",service="a, b",scope="repository:a/b:pull,push"')).toEqual({
    scheme: 'bearer',
    parameters: { realm: 'http://x/token', service: 'a, b', scope: 'repository:a/b:pull,push' },
  })
  expect(parseChallenge('')).toEqual({ scheme: '', parameters: {} })
})
