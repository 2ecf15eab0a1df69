/** `docker import` of a URL: the daemon fetches it. */
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { isPeer } from './daemons'
import { useEngine } from './engine'

const engine = useEngine({
  flags(folder) {
    if (isPeer) return [] // it fetches from anywhere
    const settings = join(folder, 'settings.json')
    writeFileSync(settings, JSON.stringify({ downloadInside: ['127.0.0.1'] }))
    return ['--config', settings]
  },
})

let server: Server
let archive: Buffer
let base: string

beforeAll(async () => {
  await engine.ok(['create', '--name', 'source', 'busybox'])
  await engine.ok(['export', '-o', join(engine.files, 'root.tar'), 'source'])
  archive = readFileSync(join(engine.files, 'root.tar'))
  server = createServer((request, response) => {
    if (request.url === '/moved') response.writeHead(302, { location: '/root.tar' }).end()
    else if (request.url === '/root.tar') response.writeHead(200, { 'content-length': archive.length }).end(archive)
    else response.writeHead(404).end('nothing here')
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => server?.close())

it('makes an image of what a URL has, after its redirects, and says where it came from', async () => {
  const { code, out } = await engine.docker(['import', '--change', 'CMD ["echo","fetched"]', `${base}/moved`, 'fetched:1'])
  expect(code).toBe(0)
  expect(out).toContain(`Downloading from ${base}/moved`)
  expect(out.trim()).toMatch(/sha256:[0-9a-f]{64}$/)
  expect(await engine.ok(['run', '--rm', 'fetched:1'])).toBe('fetched')
  expect(await engine.ok(['history', '--format', '{{.Comment}}', 'fetched:1'])).toBe(`Imported from ${base}/moved`)
  await engine.ok(['rmi', 'fetched:1'])
})

it('says what the server said, and leaves nothing', async () => {
  const missing = await engine.docker(['import', `${base}/nothing`, 'nothing:1'])
  expect(missing.code).toBeGreaterThan(0)
  expect(missing.err).toMatch(/404/)
  expect(await engine.ok(['images', '-q', 'nothing'])).toBe('')
})

it.skipIf(isPeer)('fetches nothing from inside this network that the settings do not allow', async () => {
  const inside = await engine.docker(['import', 'http://169.254.169.254/latest/meta-data'])
  expect(inside.code).toBeGreaterThan(0)
  expect(inside.err).toMatch(/an address inside this network, 169\.254\.169\.254/)
})
