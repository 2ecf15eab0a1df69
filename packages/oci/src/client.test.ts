import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { RegistryClient } from './client'
import { parseChallenge } from './client-auth'
import { beginUpload, uploadStream } from './client-upload'
import { isPassing } from './copy'
import { OCI_CONFIG, OCI_INDEX, OCI_MANIFEST } from './media-types'
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
  const client = new RegistryClient({ baseUrl: base })
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
  await expect(new RegistryClient({ baseUrl: base, timeoutMs: 100 }).listTags('a/b')).rejects.toMatchObject({
    code: 'REGISTRY_UNREACHABLE',
  })
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

it('follows pages of referrers, and takes the fallback tag where the registry has no such list', async () => {
  const digest = digestBytes('image')
  const entry = (text: string, artifactType: string) => ({ mediaType: OCI_MANIFEST, digest: digestBytes(text), size: 1, artifactType })
  const index = (...manifests: object[]) => JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests })
  let old = false
  const base = await serve((request, response) => {
    const url = new URL(request.url ?? '', 'http://registry')
    response.setHeader('content-type', OCI_INDEX)
    if (url.pathname === `/v2/a/b/manifests/${digest.replace(':', '-')}` && old)
      return response.end(index(entry('tagged', 'x/y'), entry('t', 'x/z')))
    if (url.pathname !== `/v2/a/b/referrers/${digest}` || old) return response.writeHead(404).end()
    if (url.searchParams.has('last')) return response.end(index(entry('second', 'x/y'), entry('other', 'x/z')))
    response.setHeader('link', `</v2/a/b/referrers/${digest}?last=1>; rel="next"`)
    return response.end(index(entry('first', 'x/y')))
  })
  const client = new RegistryClient({ baseUrl: base })
  const seen = async (type?: string) => (await client.referrers('a/b', digest, type)).map((one) => one.digest)
  expect(await seen()).toEqual(['first', 'second', 'other'].map((text) => digestBytes(text)))
  expect(await seen('x/y')).toEqual(['first', 'second'].map((text) => digestBytes(text)))
  old = true
  expect(await seen('x/y')).toEqual([digestBytes('tagged')])
  expect(await client.referrers('a/b', digestBytes('unknown'))).toEqual([])
})

it('follows no page to another host', async () => {
  const base = await serve((_request, response) => {
    response.setHeader('link', '<http://192.0.2.1/v2/a/b/referrers/x>; rel="next"')
    response.end(JSON.stringify({ manifests: [] }))
  })
  expect(await new RegistryClient({ baseUrl: base }).referrers('a/b', digestBytes('image'))).toEqual([])
})

/** A registry that wants a token for everything; `answer` gets what has one. */
const withLogin = (token: (response: ServerResponse) => void, answer: (request: IncomingMessage, response: ServerResponse) => void) => {
  const started = serve((request, response) => {
    if (request.url?.startsWith('/token')) return token(response)
    if (request.headers.authorization) return answer(request, response)
    response.writeHead(401, { 'www-authenticate': `Bearer realm="http://${request.headers.host}/token",service="x"` }).end()
  })
  return started
}

it('reads no login without end, and takes none that is no JSON', async () => {
  let sent = 0
  const endless = await withLogin(
    (response) => {
      const more = () => {
        if (response.destroyed || sent > 64 * 1024 * 1024) return response.end()
        sent += 65_536
        response.write(' '.repeat(65_536), more)
      }
      more()
    },
    (_request, response) => response.end(manifest),
  )
  await expect(new RegistryClient({ baseUrl: endless }).getManifest('a/b', 'v1')).rejects.toMatchObject({
    code: 'REGISTRY_ANSWER_TOO_LARGE',
  })
  expect(sent).toBeLessThan(16 * 1024 * 1024)
  server?.closeAllConnections()
  const page = await withLogin(
    (response) => response.end('<html>'),
    (_request, response) => response.end(manifest),
  )
  await expect(new RegistryClient({ baseUrl: page }).getManifest('a/b', 'v1')).rejects.toMatchObject({ code: 'REGISTRY_DENIED' })
})

it('tells a repository that is refused from a login that is', async () => {
  // As Docker Hub: a token for anybody, and 401 for what is not there.
  const hub = await withLogin(
    (response) => response.end(JSON.stringify({ token: 'anonymous' })),
    (_request, response) => response.writeHead(401).end(),
  )
  await expect(new RegistryClient({ baseUrl: hub }).getManifest('library/none', 'v1')).rejects.toMatchObject({
    code: 'REGISTRY_DENIED',
    details: expect.not.objectContaining({ login: true }),
  })
  const wrong = await withLogin(
    (response) => response.writeHead(401).end(),
    (_request, response) => response.end(),
  )
  await expect(new RegistryClient({ baseUrl: wrong }).getManifest('a/b', 'v1')).rejects.toMatchObject({ details: { login: true } })
})

it('says that a login which ended before a stream was taken may be had again', async () => {
  const base = await withLogin(
    (response) => response.end(JSON.stringify({ token: 'short' })),
    (request, response) => response.writeHead(request.method === 'PATCH' ? 401 : 202, { location: '/v2/a/b/blobs/uploads/1' }).end(),
  )
  const client = new RegistryClient({ baseUrl: base })
  const at = await beginUpload(client, 'a/b')
  const body = new Response('some bytes').body
  if (!at || !body) throw new Error('no upload')
  await expect(uploadStream(client, 'a/b', { at, digest: digestBytes('some bytes'), body })).rejects.toSatisfy(isPassing)
})

it('gives no password to a login without encryption that a registry with it names', async () => {
  const asked: string[] = []
  const fake: typeof fetch = async (input) => {
    asked.push(String(input))
    return new Response(null, { status: 401, headers: { 'www-authenticate': 'Bearer realm="http://login.example/token"' } })
  }
  const client = new RegistryClient({
    baseUrl: 'https://registry.example',
    fetch: fake,
    credentials: { username: 'ada', password: 'secret' },
  })
  await expect(client.ping()).rejects.toMatchObject({ code: 'OUTBOUND_REDIRECT' })
  expect(asked).toEqual(['https://registry.example/v2/'])
})

it('says of a list that cannot be read whose it is', async () => {
  const base = await serve((_request, response) => response.end('<html>'))
  const client = new RegistryClient({ baseUrl: base })
  for (const list of [client.listTags('a/b'), client.catalog(), client.referrers('a/b', digestBytes('image'))])
    await expect(list).rejects.toMatchObject({ code: 'REGISTRY_ANSWER_INVALID', message: expect.stringContaining(base) })
})
