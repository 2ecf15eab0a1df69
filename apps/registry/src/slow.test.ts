/** Clients that hold a connection open and send next to nothing. */
import { connect, type Socket } from 'node:net'
import { digestBytes } from '@slipway/oci/node'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Fixture, startFixture } from './testing/fixture'

let f: Fixture
beforeAll(async () => {
  f = await startFixture({ patience: { headersMs: 1000, slowest: { windowMs: 500, bytes: 1000 } } })
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
