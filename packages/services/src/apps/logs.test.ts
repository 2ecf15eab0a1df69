/** Against a server that speaks the Engine API's log stream on a Unix socket, so that frames, order and time are in the test's hand. */

import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { newId } from '@slipway/core'
import { upsertHost } from '@slipway/db'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Scope } from '../scope'
import { createHarness, type Harness } from '../testing/harness'

let h: Harness
let scope: Scope
let dir: string
let server: Server
let containerOf: (name: string, state?: string) => Promise<string>
const streams = new Map<string, ServerResponse>()
const asked: string[] = []

beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'slipway-engine-'))
  server = createServer((request, response) => {
    const id = /containers\/(\w+)\/(json|logs|stats)/.exec(request.url ?? '')
    if (id?.[2] === 'json') response.setHeader('content-type', 'application/json').end(JSON.stringify({ Config: { Tty: false } }))
    else if (id?.[2] === 'logs') {
      asked.push(request.url ?? '')
      response.setHeader('content-type', 'application/vnd.docker.multiplexed-stream').flushHeaders()
      streams.set(id[1] ?? '', response)
    } else if (id?.[2] === 'stats')
      response.setHeader('content-type', 'application/json').end(
        JSON.stringify({
          cpu_stats: { cpu_usage: { total_usage: 300 }, system_cpu_usage: 2000, online_cpus: 2 },
          precpu_stats: { cpu_usage: { total_usage: 100 }, system_cpu_usage: 1000, online_cpus: 2 },
          memory_stats: { usage: 1000, limit: 5000, stats: { inactive_file: 400 } },
        }),
      )
    else response.writeHead(404).end('{"message":"no such container"}')
  })
  const agentSocket = path.join(dir, 'agent.sock')
  await new Promise<void>((resolve) => server.listen(agentSocket, resolve))
  h = await createHarness({ agentSocket })
  scope = await h.scope(await h.user('Ada', 'acme'), 'acme')
  await h.services.apps.createExample(scope, { example: 'hello' })
  const app = await h.db.app.findFirstOrThrow()
  const facts = { instance: null, version: null, os: null, kernel: null, architecture: null, cpus: null, memoryBytes: null }
  const host = await upsertHost(h.db, 'this', facts)
  const deployment = {
    kind: 'deploy',
    trigger: 'manual',
    actorLabel: 'x',
    imageReference: 'x',
    settings: {},
    environment: new Uint8Array(1),
  } as const
  await h.db.deployment.create({ data: { ...deployment, id: 'dep_00001', number: 1, organizationId: app.organizationId, appId: app.id } })
  containerOf = async (name, state = 'running') => {
    const row = { organizationId: app.organizationId, appId: app.id, hostId: host.id, deploymentId: 'dep_00001', port: 8080, address: null }
    await h.db.container.create({ data: { ...row, id: newId('container'), engineId: name, name, state } })
    return name
  }
})
afterAll(async () => {
  for (const stream of streams.values()) stream.destroy()
  await h.close()
  await new Promise((resolve) => server.close(resolve))
  await rm(dir, { recursive: true })
})

function write(container: string, at: string, text: string, stream: 1 | 2 = 1) {
  const data = Buffer.from(`${at} ${text}\n`)
  const header = Buffer.alloc(8)
  header[0] = stream
  header.writeUInt32BE(data.length, 4)
  streams.get(container)?.write(Buffer.concat([header, data]))
}
const second = (n: number) => `2026-11-20T10:00:${String(n).padStart(2, '0')}.000000000Z`

it('merges the lines of all containers in order, follows a new one, and resumes after the last line', async () => {
  await containerOf('aaa')
  await containerOf('old', 'exited')
  const end = new AbortController()
  const lines: string[] = []
  const reading = (async () => {
    for await (const batch of h.services.apps.logs(scope, { app: 'hello', tail: 50, since: null }, end.signal))
      for (const line of batch) lines.push(`${line.container} ${line.stream} ${line.text}`)
  })()
  await expect.poll(() => streams.has('aaa'), { timeout: 5000 }).toBe(true)
  expect(asked[0]).toMatch(/tail=50/)
  write('aaa', second(1), 'hello')
  write('aaa', second(2), 'oh no', 2)
  await expect.poll(() => lines, { timeout: 5000 }).toEqual(['aaa stdout hello', 'aaa stderr oh no'])
  await containerOf('bbb')
  await expect.poll(() => streams.has('bbb'), { timeout: 5000 }).toBe(true)
  write('bbb', second(4), 'later')
  write('aaa', second(3), 'sooner')
  await expect.poll(() => lines.slice(2), { timeout: 5000 }).toEqual(['aaa stdout sooner', 'bbb stdout later'])
  expect(streams.has('old')).toBe(false)
  // The agent restarts: its connection ends, and the log goes on where it was.
  streams.get('aaa')?.end()
  streams.delete('aaa')
  await expect.poll(() => streams.has('aaa'), { timeout: 5000 }).toBe(true)
  write('aaa', second(3), 'sooner')
  write('aaa', second(5), 'back')
  await expect.poll(() => lines.slice(4), { timeout: 5000 }).toEqual(['aaa stdout back'])
  end.abort()
  await reading

  const again = new AbortController()
  const resumed: string[] = []
  streams.clear()
  const more = (async () => {
    for await (const batch of h.services.apps.logs(scope, { app: 'hello', tail: 50, since: new Date(second(5)) }, again.signal))
      for (const line of batch) resumed.push(line.text)
  })()
  await expect.poll(() => streams.size, { timeout: 5000 }).toBe(2)
  write('bbb', second(4), 'later')
  write('bbb', second(6), 'new')
  await expect.poll(() => resumed, { timeout: 5000 }).toEqual(['new'])
  again.abort()
  await more
})

it('keeps bounded what a loud container writes, and loses none of it', async () => {
  const end = new AbortController()
  let count = 0
  let largest = 0
  streams.clear()
  const reading = (async () => {
    for await (const batch of h.services.apps.logs(scope, { app: 'hello', tail: 0, since: null }, end.signal)) {
      largest = Math.max(largest, batch.length)
      count += batch.length
    }
  })()
  await expect.poll(() => streams.has('aaa'), { timeout: 5000 }).toBe(true)
  for (let i = 0; i < 5000; i++) write('aaa', second(9), `line ${i}`)
  await expect.poll(() => count, { timeout: 10_000 }).toBe(5000)
  expect(largest).toBeLessThanOrEqual(2000)
  end.abort()
  await reading
})

it('adds up what the running containers use', async () => {
  expect(await h.services.apps.stats(scope, { app: 'hello' })).toEqual({ memoryBytes: 1200, memoryLimitBytes: null, cpuPercent: 80 })
})
