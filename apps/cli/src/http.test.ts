import { lookup } from 'node:dns/promises'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it, onTestFinished } from 'vitest'
import { request } from './http'

async function listening(answer: RequestListener, host = '127.0.0.1'): Promise<{ server: Server; port: number }> {
  const server = createServer(answer)
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, host, resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { server, port: (server.address() as AddressInfo).port }
}

it('sends what is given, on a connection that is kept', async () => {
  const ports = new Set<number | undefined>()
  const { port } = await listening((asked, answer) => {
    ports.add(asked.socket.remotePort)
    asked.pipe(answer.writeHead(201, { 'x-host': asked.headers.host, 'x-method': asked.method }))
  })
  for (const body of ['Grüße', Buffer.from('bytes')]) {
    const answer = await request(`http://localhost:${port}/a?b=c`, { method: 'PUT', body })
    expect([answer.status, answer.ok, answer.body.headers['x-host'], answer.body.headers['x-method']]).toEqual([
      201,
      true,
      `localhost:${port}`,
      'PUT',
    ])
    expect(await answer.text()).toBe(String(body))
  }
  expect(ports.size).toBe(1)
})

it('finds a server that listens at the other address of localhost', async ({ skip }) => {
  const means = await lookup('localhost', { all: true })
  if (!means.some(({ address }) => address === '::1')) return skip('localhost has one address here')
  const there = await listening((_, answer) => answer.end('six'), '::1')
  expect(await (await request(`http://localhost:${there.port}/`)).text()).toBe('six')
})

it('asks again when a kept connection was just ended, and not when the server ends a new one', async () => {
  let asked = 0
  const { server, port } = await listening((_, answer) => {
    asked += 1
    if (asked === 2) answer.socket?.resetAndDestroy()
    else answer.end('fine')
  })
  server.keepAliveTimeout = 60_000
  const url = `http://127.0.0.1:${port}/`
  expect(await (await request(url)).text()).toBe('fine')
  expect(await (await request(url)).text()).toBe('fine')
  expect(asked).toBe(3)
  server.closeAllConnections()
  server.close()
  await expect(request(url)).rejects.toMatchObject({ code: expect.stringMatching(/ECONNREFUSED|ECONNRESET/) })
})

it('breaks off before the answer, in the midst of it, and when all of it is there and not read', async () => {
  const { port } = await listening((asked, answer) => {
    if (asked.url === '/silent') return
    answer.write('one')
    if (asked.url === '/whole') answer.end('two')
  })
  for (const path of ['/silent', '/half', '/whole']) {
    const stop = new AbortController()
    const asking = request(`http://127.0.0.1:${port}${path}`, { signal: stop.signal })
    if (path === '/silent') await sleep(20)
    const answer = path === '/silent' ? null : await asking
    while (path === '/whole' && !answer?.body.complete) await sleep(5)
    stop.abort(new Error('enough'))
    if (answer) await expect(answer.text()).rejects.toThrow('enough')
    else await expect(asking).rejects.toThrow('enough')
    // What is nobody's error ends the process.
    await sleep(20)
  }
})
