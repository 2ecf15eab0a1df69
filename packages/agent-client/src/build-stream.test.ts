import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BuildRequest } from '@slipway/contracts'
import tar from 'tar-stream'
import { expect, it, onTestFinished } from 'vitest'
import { streamBuild } from './build-stream'

const request: BuildRequest = {
  id: 'b1',
  scope: 'org',
  tags: [],
  plan: {
    version: 1,
    platform: { os: 'linux', architecture: 'amd64' },
    vertices: [{ id: 'v0', name: 'FROM scratch', stage: '0', instruction: 'FROM scratch', line: 1, endLine: 1, op: { type: 'scratch' } }],
    target: 'v0',
    image: { config: {}, history: [] },
  },
}

it('sends secrets beside the request, and never in it', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'build-stream-'))
  const socket = join(dir, 's')
  const received: [string, Buffer][] = []
  const server = createServer(async (incoming, answer) => {
    for await (const entry of incoming.pipe(tar.extract())) {
      const chunks: Buffer[] = []
      for await (const chunk of entry) chunks.push(chunk as Buffer)
      received.push([entry.header.name, Buffer.concat(chunks)])
    }
    answer.end(`${JSON.stringify({ type: 'error', at: 1, code: 'SECRET_MISSING', message: 'x' })}\n`)
  })
  onTestFinished(() => {
    server.close()
    rmSync(dir, { recursive: true })
  })
  await new Promise<void>((resolve) => server.listen(socket, resolve))
  const keystore = Uint8Array.from([0xfe, 0xed, 0, 0xff])
  const secrets = { NPM_TOKEN: 'hunter22', 'a/b': 'ü\n', keystore }
  const events = []
  for await (const event of streamBuild(socket, request, new AbortController().signal, secrets, undefined, {
    default: async () => Buffer.from([5]),
  }))
    events.push(event)
  expect(events).toMatchObject([{ code: 'SECRET_MISSING' }])
  expect(received.map(([name]) => name)).toEqual(['secrets/NPM_TOKEN', 'secrets/a/b', 'secrets/keystore', 'ssh/default', 'request.json'])
  expect(received.slice(0, 4).map(([, value]) => value)).toEqual([
    Buffer.from('hunter22'),
    Buffer.from('ü\n'),
    Buffer.from(keystore),
    Buffer.alloc(0),
  ])
  expect(received.slice(4).join()).not.toContain('hunter22')
})
