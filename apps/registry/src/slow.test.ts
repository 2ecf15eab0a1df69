/** Clients that hold a connection open and send next to nothing. */
import { connect, type Socket } from 'node:net'
import { digestBytes } from '@slipway/oci/node'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { type Fixture, startFixture } from './testing/fixture'

let f: Fixture
const lines: string[] = []
beforeAll(async () => {
  const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(line) })
  f = await startFixture({ log, maxConnections: 250, patience: { headersMs: 1000, slowest: { windowMs: 500, bytes: 1000 }, formMs: 1000 } })
})
afterAll(() => f.close())

/** Sends `first`, then `again` every 50 ms until the other side ends the connection. Resolves to what that said. */
function trickle(first: string, again: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = ''
    const socket: Socket = connect(Number(new URL(f.base).port), '127.0.0.1', () => socket.write(first))
    const timer = setInterval(() => socket.writable && socket.write(again), 50)
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString()))
    socket.on('error', () => undefined)
    socket.on('close', () => {
      clearInterval(timer)
      resolve(answer)
    })
  })
}

it('ends those whose head does not come, and serves everybody else meanwhile', async () => {
  const slow = Array.from({ length: 200 }, (_, n) => trickle('GET /v2/ HTTP/1.1\r\nHost: x\r\n', `X-${n}: y\r\n`))
  expect((await f.push('acme/app', 'v1')).layers).toHaveLength(2)
  for (const answer of await Promise.all(slow)) expect(answer).toMatch(/^HTTP\/1\.1 40[08] /)
})

it('ends uploads whose body trickles, and lets them go on from there', async () => {
  const location = (await f.call('POST', '/v2/acme/app/blobs/uploads/')).headers.get('location') ?? ''
  const token = await f.sign([{ type: 'repository', name: 'acme/app', actions: ['push'] }])
  const head = `PATCH ${location} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nContent-Length: 100000\r\n\r\n`
  const answer = await trickle(head, 'x')
  expect(answer).toMatch(/^HTTP\/1\.1 408 /)
  expect(answer).toContain('too slowly')
  const size = Number((await f.call('GET', location)).headers.get('range')?.slice(2)) + 1
  expect(size).toBeGreaterThan(1)
  const content = `${'x'.repeat(size)} and the rest`
  expect((await f.call('PATCH', location, { body: content.slice(size) })).status).toBe(202)
  expect((await f.call('PUT', `${location}?digest=${digestBytes(content)}`)).status).toBe(201)
})

it('does not end a client that waits for nothing but the answer, nor one that sends enough', async () => {
  const content = 'y'.repeat(50_000)
  const token = await f.sign([{ type: 'repository', name: 'acme/app', actions: ['push'] }])
  const location = `/v2/acme/app/blobs/uploads/?digest=${digestBytes(content)}`
  const head = `POST ${location} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer ${token}\r\nContent-Length: ${content.length}\r\n\r\n`
  expect(await trickle(head, content.slice(0, 1000))).toMatch(/^HTTP\/1\.1 201 /)
})

it('ends manifests and logins whose body trickles, and bodies that nobody reads', async () => {
  const token = await f.sign([{ type: 'repository', name: 'acme/app', actions: ['push'] }])
  const head = (line: string) => `${line} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nContent-Length: 50000\r\n\r\n`
  const [manifest, login, enough, unread] = await Promise.all([
    trickle(head('PUT /v2/acme/app/manifests/v2'), 'x'),
    trickle(head('POST /token'), 'x'),
    // More than an upload must send, but not the whole in its time.
    trickle(head('POST /token'), 'x'.repeat(200)),
    trickle(head('GET /healthz'), 'x'),
  ])
  expect(manifest).toMatch(/^HTTP\/1\.1 408 .*MANIFEST_INVALID/s)
  expect(login).toMatch(/^HTTP\/1\.1 408 .*came too slowly/s)
  expect(enough).toMatch(/^HTTP\/1\.1 408 /)
  expect(unread).toMatch(/^HTTP\/1\.1 200 /)
})

const BLOB = 24 * 1024 * 1024

async function askForBlob(): Promise<Socket> {
  const content = Buffer.alloc(BLOB, 'z')
  const digest = digestBytes(content)
  expect((await f.call('POST', `/v2/acme/app/blobs/uploads/?digest=${digest}`, { body: content })).status).toBe(201)
  const token = await f.sign([{ type: 'repository', name: 'acme/app', actions: ['pull'] }])
  const socket = connect(Number(new URL(f.base).port), '127.0.0.1')
  socket.on('error', () => undefined)
  socket.write(`GET /v2/acme/app/blobs/${digest} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer ${token}\r\n\r\n`)
  return socket.pause()
}

/** Everything that comes, with a breath after each piece. */
async function readAll(socket: Socket, breathMs: number): Promise<number> {
  let bytes = 0
  const ended = new Promise<number>((resolve) => socket.on('close', () => resolve(bytes)))
  socket.on('data', (chunk: Buffer) => {
    bytes += chunk.byteLength
    socket.pause()
    setTimeout(() => socket.resume(), breathMs)
  })
  socket.resume()
  return ended
}

const slowReaders = () => lines.filter((line) => line.includes('takes it too slowly')).length

it('ends a response whose client does not take it, and no other', async () => {
  expect(await readAll(await askForBlob(), 5)).toBeGreaterThan(BLOB)
  expect(slowReaders()).toBe(0)
  const stuck = await askForBlob()
  await vi.waitFor(() => expect(slowReaders()).toBe(1), { timeout: 10_000 })
  expect(await readAll(stuck, 0)).toBeLessThan(BLOB)
  expect(slowReaders()).toBe(1)
})

it('closes connections beyond the most there may be, and takes new ones when others ended', async () => {
  const open = Array.from({ length: 260 }, () => connect(Number(new URL(f.base).port), '127.0.0.1').on('error', () => undefined))
  await vi.waitFor(() => expect(open.filter((socket) => socket.closed).length).toBeGreaterThanOrEqual(10))
  expect(open.filter((socket) => !socket.closed).length).toBeGreaterThan(100)
  for (const socket of open) socket.destroy()
  await vi.waitFor(async () => expect((await fetch(`${f.base}/healthz`)).status).toBe(200))
})
