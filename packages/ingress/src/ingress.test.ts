import { readdir, writeFile } from 'node:fs/promises'
import { Agent, request } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openConnections, waitDrained } from './drain'
import { createIngress, type Ingress } from './ingress'
import { freePort, get, type TestCaddy, testCaddy, testServer } from './testing'

let caddy: TestCaddy
let port: number
let ingress: Ingress
let blue: Awaited<ReturnType<typeof testServer>>
let green: Awaited<ReturnType<typeof testServer>>

const route = (hostname: string, ...upstreams: string[]) => ({ hostname, upstreams, appId: `app_${hostname}` })

function serve(name: string) {
  return testServer((incoming, response) => {
    const chunks: Buffer[] = []
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
    incoming.on('end', async () => {
      const url = new URL(incoming.url ?? '/', 'http://x')
      response.setHeader('X-Server', name)
      if (url.pathname === '/headers') return response.end(JSON.stringify(incoming.headers))
      if (url.pathname === '/status') {
        response.statusCode = Number(url.searchParams.get('code'))
        return response.end('mine')
      }
      if (url.pathname === '/stream') {
        response.writeHead(200, { 'Content-Type': 'text/plain' })
        for (let i = 0; i < 4; i++) {
          response.write(`${i}\n`)
          await sleep(100)
        }
        return response.end()
      }
      await sleep(Number(url.searchParams.get('ms') ?? 0))
      response.end(`${name} ${incoming.method} ${Buffer.concat(chunks).length}`)
    })
  })
}

beforeAll(async () => {
  caddy = await testCaddy()
  await caddy.start()
  port = await freePort()
  ingress = createIngress({ adminSocket: caddy.adminSocket, routerPort: port, baseDomain: 'localhost', deadlineMs: 3000 })
  blue = await serve('blue')
  green = await serve('green')
})

afterAll(async () => {
  blue?.server.close()
  green?.server.close()
  await caddy?.remove()
})

describe('ingress with a real Caddy', () => {
  it('configures a bare Caddy and routes by host', async () => {
    expect(await ingress.health()).toMatchObject({ ok: false, configured: false })
    await ingress.apply([route('a.localhost', blue.address), route('b.localhost', green.address), route('asleep.localhost')])
    expect(await ingress.health()).toEqual({ ok: true, configured: true })
    expect((await get(port, 'a.localhost')).body).toBe('blue GET 0')
    expect((await get(port, `b.localhost:${port}`)).body).toBe('green GET 0')
  })

  it('answers for hosts it does not know, and never from elsewhere on the disk', async () => {
    await writeFile(join(caddy.home, 'routes', '..', '127.0.0.1:1'), '')
    for (const host of [
      'other.localhost',
      'localhost',
      '127.0.0.1',
      '*',
      '*.localhost',
      '..',
      '.',
      'a.localhost.',
      '~',
      '%2e%2e',
      '[a-b].localhost',
      'routes',
    ]) {
      const answer = await get(port, host)
      expect([host, answer.status]).toEqual([host, 404])
      expect(answer.headers['cache-control']).toBe('no-store')
      expect(answer.body).toContain('No app at this address')
    }
    expect((await get(port, '../x')).status).toBe(400)
  })

  it('answers 503 for an app without healthy containers, 502 for one that does not answer', async () => {
    const asleep = await get(port, 'asleep.localhost')
    expect(asleep.status).toBe(503)
    expect(asleep.headers['retry-after']).toBe('5')
    expect(asleep.body).toContain('This app is not running')
    const nobody = `127.0.0.1:${await freePort()}`
    await ingress.apply([route('dead.localhost', nobody), route('a.localhost', blue.address)])
    const dead = await get(port, 'dead.localhost')
    expect(dead.status).toBe(502)
    expect(dead.body).toContain('This app is not answering')
    expect((await get(port, 'asleep.localhost')).status).toBe(404)
  })

  it("hands the app's own answers through, errors too, and tells it who asks", async () => {
    for (const code of [404, 500, 502, 503]) {
      const answer = await get(port, 'a.localhost', `/status?code=${code}`)
      expect([answer.status, answer.body]).toEqual([code, 'mine'])
    }
    const headers = JSON.parse(
      (await get(port, 'a.localhost', '/headers', { 'X-Forwarded-For': '6.6.6.6', 'X-Forwarded-Proto': 'https' })).body,
    )
    expect(headers).toMatchObject({
      host: 'a.localhost',
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-proto': 'http',
      'x-forwarded-host': 'a.localhost',
    })
    expect(headers['accept-encoding']).toBeUndefined()
  })

  it('spreads over several containers and waits for one that restarts', async () => {
    await ingress.apply([route('two.localhost', blue.address, green.address)])
    const seen = new Set<string>()
    for (let i = 0; i < 40; i++) seen.add((await get(port, 'two.localhost')).body.split(' ')[0] ?? '')
    expect([...seen].sort()).toEqual(['blue', 'green'])
    const late = await freePort()
    await ingress.apply([route('late.localhost', `127.0.0.1:${late}`)])
    const answer = get(port, 'late.localhost')
    await sleep(500)
    const server = (await testServer((_, response) => response.end('up'))).server
    await new Promise((resolve) => server.close(resolve))
    await new Promise<void>((resolve) => server.listen(late, '127.0.0.1', resolve))
    expect((await answer).body).toBe('up')
    server.close()
  })

  it('streams as the app writes', async () => {
    await ingress.apply([route('a.localhost', blue.address)])
    const times: number[] = []
    await new Promise<void>((resolve, reject) => {
      request({ host: '127.0.0.1', port, path: '/stream', headers: { Host: 'a.localhost' } }, (reply) => {
        reply.on('data', () => times.push(performance.now()))
        reply.on('end', () => resolve())
      })
        .on('error', reject)
        .end()
    })
    expect(times.length).toBeGreaterThanOrEqual(4)
    expect((times.at(-1) ?? 0) - (times[0] ?? 0)).toBeGreaterThan(200)
  })

  it('upgrades WebSockets and keeps them over a switch', async () => {
    blue.server.on('upgrade', (_, socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n')
      socket.on('data', (data: Buffer) => socket.write(`blue:${data}`))
      socket.on('error', () => socket.destroy())
    })
    const client = connect(port, '127.0.0.1')
    let got = ''
    client.on('data', (data: Buffer) => {
      got += data
    })
    client.write(
      'GET /ws HTTP/1.1\r\nHost: a.localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    )
    await expect.poll(() => got, { timeout: 10_000 }).toContain('101')
    await ingress.apply([route('a.localhost', green.address)])
    client.write('ping')
    await expect.poll(() => got, { timeout: 10_000 }).toContain('blue:ping')
    expect((await get(port, 'a.localhost')).body).toBe('green GET 0')
    expect((await waitDrained([blue.address], { timeoutMs: 100 })).drained).toBe(false)
    client.destroy()
    expect(await waitDrained([blue.address], { timeoutMs: 5000 })).toMatchObject({ drained: true, open: 0 })
  })

  it('finishes requests under way on the old container and says when they are over', async () => {
    await ingress.apply([route('a.localhost', blue.address)])
    const slow = get(port, 'a.localhost', '/?ms=1500')
    await sleep(100)
    await ingress.apply([route('a.localhost', green.address)])
    expect((await get(port, 'a.localhost')).body).toBe('green GET 0')
    expect(await openConnections([blue.address])).toBeGreaterThan(0)
    const drained = await waitDrained([blue.address], { timeoutMs: 5000 })
    expect(drained.drained).toBe(true)
    expect(drained.tookMs).toBeGreaterThan(100)
    expect((await slow).body).toBe('blue GET 0')
  })

  it('loses no request when it switches fifty times under load', async () => {
    await ingress.apply([route('a.localhost', blue.address)])
    const agent = new Agent({ keepAlive: true, maxSockets: 32 })
    const outcome = { sent: 0, bad: [] as string[], servers: new Set<string>(), waitedMs: 0 }
    const open = new Set<Promise<void>>()
    const send = (n: number) => {
      const method = n % 2 ? 'POST' : 'GET'
      const body = method === 'POST' ? 'x'.repeat(1 + ((n * 997) % 20_000)) : ''
      const from = performance.now()
      const one = new Promise<void>((resolve) => {
        const done = (problem?: string) => {
          if (problem) outcome.bad.push(`${method} ${n}: ${problem}`)
          outcome.waitedMs = Math.max(outcome.waitedMs, performance.now() - from)
          resolve()
        }
        const outgoing = request(
          {
            host: '127.0.0.1',
            port,
            agent,
            method,
            path: n % 7 === 0 ? '/?ms=600' : '/',
            headers: { Host: 'a.localhost', 'Content-Length': Buffer.byteLength(body) },
          },
          (reply) => {
            let text = ''
            reply.on('data', (chunk: Buffer) => {
              text += chunk
            })
            reply.on('error', (error) => done(error.message))
            reply.on('end', () => {
              outcome.servers.add(text.split(' ')[0] ?? '')
              done(
                reply.statusCode === 200 && text.endsWith(`${method} ${body.length}`)
                  ? undefined
                  : `${reply.statusCode} ${text.slice(0, 80)}`,
              )
            })
          },
        )
        outgoing.on('error', (error) => done(error.message))
        outgoing.end(body)
      })
      outcome.sent++
      open.add(one)
      one.then(() => open.delete(one))
    }
    let loading = true
    const load = (async () => {
      const from = performance.now()
      for (let n = 0; loading; n++) {
        send(n)
        // 200 requests a second, four times what is asked for.
        await sleep(Math.max(0, from + n * 5 - performance.now()))
      }
    })()
    for (let i = 0; i < 50; i++) {
      const to = i % 2 ? blue : green
      await ingress.apply([route('a.localhost', to.address)])
      const answer = await get(port, 'a.localhost')
      expect(answer.body).toBe(`${i % 2 ? 'blue' : 'green'} GET 0`)
      await sleep(60)
    }
    loading = false
    await load
    await Promise.all(open)
    agent.destroy()
    console.log(`50 switches: ${outcome.sent} requests, ${outcome.bad.length} failed, slowest ${Math.round(outcome.waitedMs)} ms`)
    expect(outcome.bad).toEqual([])
    expect(outcome.sent).toBeGreaterThan(150)
    expect([...outcome.servers].sort()).toEqual(['blue', 'green'])
  }, 60_000)

  it('loses no request between an unlucky look and a switch', async () => {
    // As fast as the disk allows: the lookup's retries must hide that Caddy lists first and looks at the files later.
    const agent = new Agent({ keepAlive: true, maxSockets: 8 })
    const bad: number[] = []
    let switching = true
    const clients = Array.from({ length: 8 }, async () => {
      while (switching) {
        const status = await new Promise<number>((resolve, reject) => {
          request({ host: '127.0.0.1', port, agent, headers: { Host: 'a.localhost' } }, (reply) => {
            reply.resume()
            reply.on('end', () => resolve(reply.statusCode ?? 0))
          })
            .on('error', reject)
            .end()
        })
        if (status !== 200) bad.push(status)
      }
    })
    for (let i = 0; i < 300; i++) await ingress.apply([route('a.localhost', (i % 2 ? blue : green).address)])
    switching = false
    await Promise.all(clients)
    agent.destroy()
    expect(bad).toEqual([])
  }, 60_000)

  it('merges calls that come while one is at work; the last one wins', async () => {
    const calls = Array.from({ length: 30 }, (_, i) => ingress.apply([route('a.localhost', (i % 2 ? green : blue).address)]))
    await Promise.all(calls)
    expect((await get(port, 'a.localhost')).body).toBe('green GET 0')
    expect(await readdir(join(caddy.home, 'routes', 'a.localhost'))).toEqual([green.address])
  })

  it('asks for the routes when it is their turn: what was read before a change never comes after it', async () => {
    let serving = blue.address
    const read = async () => {
      const found = [route('a.localhost', serving)]
      await sleep(50)
      return found
    }
    const early = ingress.apply(read)
    serving = green.address
    await Promise.all([early, ingress.apply(read), ingress.apply(read)])
    expect((await get(port, 'a.localhost')).body).toBe('green GET 0')
  })

  it('changes nothing for routes that cannot be', async () => {
    await expect(ingress.apply([route('a.localhost', 'nonsense')])).rejects.toMatchObject({ code: 'ROUTE_INVALID' })
    expect((await get(port, 'a.localhost')).body).toBe('green GET 0')
  })

  it('tells that the router is down, and mends a Caddy that came back bare or with what it saved', async () => {
    await caddy.kill()
    expect(await ingress.health()).toMatchObject({ ok: false, configured: false })
    await expect(ingress.apply([route('a.localhost', blue.address)])).rejects.toMatchObject({
      code: 'ROUTER_UNAVAILABLE',
      kind: 'unavailable',
    })
    const applying = ingress.apply([route('a.localhost', blue.address)])
    await sleep(300)
    await caddy.start()
    await applying
    expect((await get(port, 'a.localhost')).body).toBe('blue GET 0')
    await caddy.kill()
    await caddy.start({ resume: true })
    expect((await get(port, 'a.localhost')).body).toBe('blue GET 0')
    expect(await ingress.health()).toEqual({ ok: true, configured: true })
  })

  it('says so when the port is taken', async () => {
    const other = await testCaddy()
    await other.start()
    const taken = Number(blue.address.split(':')[1])
    const blocked = createIngress({ adminSocket: other.adminSocket, routerPort: taken, baseDomain: 'localhost', deadlineMs: 500 })
    await expect(blocked.apply([])).rejects.toMatchObject({ code: 'ROUTER_CONFIG_REFUSED', message: expect.stringContaining(`${taken}`) })
    await other.remove()
  })

  it('forces a load', async () => {
    await ingress.apply([route('a.localhost', blue.address)], { force: true })
    expect((await get(port, 'a.localhost')).body).toBe('blue GET 0')
  })

  it('refuses a base domain that is none', () => {
    expect(() => createIngress({ adminSocket: '/x', routerPort: 1, baseDomain: 'a/b' })).toThrowError(
      expect.objectContaining({ code: 'BASE_DOMAIN_INVALID' }),
    )
    expect(ingress.hostnameOf('shop')).toBe('shop.localhost')
  })
})
