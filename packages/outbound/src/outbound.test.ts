import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { expect, it, onTestFinished } from 'vitest'
import { INSIDE_TOO, Outbound, type OutboundOptions, readAnswer } from '.'

async function server(listener: RequestListener): Promise<string> {
  const started = createServer(listener)
  await new Promise<void>((resolve) => started.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    started.closeAllConnections()
    started.close()
  })
  return `http://127.0.0.1:${(started.address() as AddressInfo).port}`
}

function outbound(options: OutboundOptions = {}): Outbound {
  const made = new Outbound({ inside: INSIDE_TOO, ...options })
  onTestFinished(() => made.close())
  return made
}

const code = (expected: string) => expect.objectContaining({ code: expected })

it('connects to no address inside this network unless it may, and never to metadata', async () => {
  const base = await server((_, response) => response.end('fine'))
  await expect(new Outbound().request(base)).rejects.toThrow(code('OUTBOUND_INSIDE'))
  await expect(outbound().request('http://169.254.169.254/latest')).rejects.toThrow(code('OUTBOUND_INSIDE'))
  await expect(outbound().request('http://[::ffff:169.254.169.254]/')).rejects.toThrow(code('OUTBOUND_INSIDE'))
  const answer = await outbound().request(base)
  expect((await readAnswer(answer, 10)).toString()).toBe('fine')
  await expect(readAnswer(await outbound().request(base), 3)).rejects.toThrow(code('OUTBOUND_ANSWER_TOO_LARGE'))
})

it('looks a name up once and connects to the address it checked', async () => {
  const base = await server((request, response) => response.end(request.headers.host))
  const asked: string[] = []
  const lookup = async (host: string) => {
    asked.push(host)
    // What rebinding does: the second answer would be another one.
    return asked.length === 1 ? ['127.0.0.1'] : ['169.254.169.254']
  }
  const answer = await outbound({ lookup }).request(base.replace('127.0.0.1', 'registry.example'))
  expect((await readAnswer(answer, 100)).toString()).toMatch(/^registry\.example:/)
  expect(asked).toEqual(['registry.example'])
  await expect(outbound({ lookup: async () => [] }).request('http://nobody.example')).rejects.toThrow(code('OUTBOUND_HOST_UNKNOWN'))
  const failing = outbound({ lookup: () => Promise.reject(new Error('SERVFAIL')) })
  await expect(failing.request('http://nobody.example')).rejects.toThrow(code('OUTBOUND_HOST_UNKNOWN'))
})

it('checks every redirect, and leaves credentials behind at the first origin', async () => {
  const other = await server((request, response) => response.end(JSON.stringify(request.headers)))
  const base = await server((request, response) => {
    const target = { '/away': `${other}/`, '/metadata': 'http://169.254.169.254/', '/loop': '/loop', '/file': 'file:///etc/passwd' }[
      request.url ?? ''
    ]
    response.writeHead(307, { location: target ?? '/' }).end()
  })
  const headers = { Authorization: 'Bearer secret', accept: 'text/plain' }
  const followed = await outbound().request(`${base}/away`, { headers, redirects: 3 })
  const seen = JSON.parse((await readAnswer(followed, 1000)).toString())
  expect(seen).toMatchObject({ accept: 'text/plain' })
  expect(seen).not.toHaveProperty('authorization')
  await expect(outbound().request(`${base}/metadata`, { redirects: 3 })).rejects.toThrow(code('OUTBOUND_INSIDE'))
  await expect(outbound().request(`${base}/loop`, { redirects: 3 })).rejects.toThrow(code('OUTBOUND_REDIRECT'))
  await expect(outbound().request(`${base}/file`, { redirects: 3 })).rejects.toThrow(code('OUTBOUND_ADDRESS_INVALID'))
  const unfollowed = await outbound().request(`${base}/away`, { method: 'POST', body: 'x', redirects: 3 })
  expect(unfollowed.status).toBe(307)
  unfollowed.body.destroy()
})

it('gives up on a server that does not answer, and on one that stops in the middle', async () => {
  const base = await server((request, response) => {
    if (request.url === '/half') response.writeHead(200, { 'content-length': 10 }).write('half')
  })
  await expect(outbound({ headMs: 100 }).request(base)).rejects.toThrow(code('OUTBOUND_UNREACHABLE'))
  const half = await outbound({ idleMs: 100 }).request(`${base}/half`)
  await expect(readAnswer(half, 100)).rejects.toThrow(code('OUTBOUND_BROKEN_OFF'))
  const abort = new AbortController()
  const waiting = outbound().request(base, { signal: abort.signal })
  abort.abort(new Error('enough'))
  await expect(waiting).rejects.toThrow('enough')
  await expect(outbound().request('http://127.0.0.1:1')).rejects.toThrow(/does not answer \(the connection is refused\)/)
})

it('serves clients that take a fetch', async () => {
  const base = await server((request, response) => {
    if (request.url === '/empty') response.writeHead(304, { etag: '"a"' }).end()
    else request.pipe(response.writeHead(200, { 'x-method': request.method }))
  })
  const { fetch } = outbound()
  const echo = await fetch(base, { method: 'PUT', body: 'hello', headers: { 'content-type': 'text/plain' } })
  expect([echo.headers.get('x-method'), await echo.text()]).toEqual(['PUT', 'hello'])
  const empty = await fetch(`${base}/empty`)
  expect([empty.status, empty.headers.get('etag')]).toEqual([304, '"a"'])
})

it('sends a stream piece by piece, however long that takes, and gives up on a server that takes no more of it', async () => {
  const base = await server((request, response) => {
    if (request.url === '/stuck') request.pause()
    else request.pipe(response.writeHead(200))
  })
  const slowly = async function* () {
    for (const piece of ['a', 'b', 'c']) {
      await new Promise((resolve) => setTimeout(resolve, 80))
      yield Buffer.from(piece)
    }
  }
  // Longer in all than the answer to a request may take.
  const made = outbound({ headMs: 100, idleMs: 200 })
  const answer = await made.fetch(base, {
    method: 'PATCH',
    body: Readable.toWeb(Readable.from(slowly())) as BodyInit,
    duplex: 'half',
  } as RequestInit)
  expect(await answer.text()).toBe('abc')
  const endless = function* () {
    for (;;) yield Buffer.alloc(1024 * 1024)
  }
  await expect(made.request(`${base}/stuck`, { method: 'PATCH', body: Readable.from(endless()) })).rejects.toThrow(
    code('OUTBOUND_UNREACHABLE'),
  )
  const failing = Readable.from(
    (function* () {
      yield Buffer.from('a')
      throw new Error('the source broke off')
    })(),
  )
  await expect(made.request(base, { method: 'PATCH', body: failing })).rejects.toThrow('the source broke off')
})

it.each(['ftp://a.example', 'nonsense', 'http://user:pass@a.example/', 'http://'])('takes %j for no address', async (address) => {
  await expect(outbound().request(address)).rejects.toThrow(code('OUTBOUND_ADDRESS_INVALID'))
})
