/**
 * Manifest GETs and blob pushes, ours and Debian's docker-registry, same machine, same load program:
 *
 *   npx tsx apps/registry/src/testing/compare.ts
 *
 * Ours runs as `npm start` runs it, with token authentication; its test PostgreSQL does not sync commits, so a push here is
 * a few milliseconds faster than in an installation (blobs themselves are synced). docker-registry runs without
 * authentication and does not sync.
 */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { OCI_MANIFEST, signRegistryToken } from '@slipway/oci'
import { digestBytes } from '@slipway/oci/node'
import { createTestDatabase, freePort } from '@slipway/testing'
import { newKeyPem, seedAccounts, TestClient } from './fixture'
import { spawnRegistry, writeKey } from './process'

/** Short rounds in turn, medians: whatever else the machine does then hits both alike. */
const SECONDS = 1.5
const ROUNDS = 7
const BLOB = 4 * 1024 * 1024
const agent = new Agent({ keepAlive: true, maxSockets: 64 })

interface Answer {
  status: number
  location: string | undefined
}

function send(base: string, method: string, url: string, token: string, body?: Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = {
      ...(token ? { authorization: `Bearer ${token}` } : {}),
      accept: OCI_MANIFEST,
      ...(body ? { 'content-type': 'application/octet-stream', 'content-length': body.byteLength } : {}),
    }
    const sent = request(new URL(url, base), { method, agent, headers }, (response) => {
      response.resume().once('end', () => resolve({ status: response.statusCode ?? 0, location: response.headers.location }))
    })
    sent.once('error', reject)
    sent.end(body)
  })
}

async function rate(connections: number, work: () => Promise<void>): Promise<number> {
  let done = 0
  const until = Date.now() + SECONDS * 1000
  const start = performance.now()
  await Promise.all(
    Array.from({ length: connections }, async () => {
      while (Date.now() < until) {
        await work()
        done++
      }
    }),
  )
  return done / ((performance.now() - start) / 1000)
}

interface Contender {
  name: string
  base: string
  client: TestClient
  token: string
}

const FIGURES = ['manifest by tag', 'manifest by digest', '4 MiB push'] as const

async function prepare({ name, base, client, token }: Contender) {
  const image = await client.push('acme/bench', 'v1')
  const expectStatus = async (wanted: number, answer: Promise<Answer>) => {
    const { status } = await answer
    if (status !== wanted) throw new Error(`${name}: ${status} instead of ${wanted}`)
  }
  const get = (reference: string) => rate(16, () => expectStatus(200, send(base, 'GET', `/v2/acme/bench/manifests/${reference}`, token)))
  const content = randomBytes(BLOB)
  let count = 0
  const push = async () => {
    const blob = Buffer.from(content)
    blob.writeUInt32BE(count++)
    const { location = '' } = await send(base, 'POST', '/v2/acme/bench/blobs/uploads/', token)
    const url = new URL(location, base)
    url.searchParams.set('digest', digestBytes(blob))
    await expectStatus(201, send(base, 'PUT', url.href, token, blob))
  }
  const run = { 'manifest by tag': () => get('v1'), 'manifest by digest': () => get(image.digest), '4 MiB push': () => rate(8, push) }
  return {
    name,
    run,
    results: { 'manifest by tag': [], 'manifest by digest': [], '4 MiB push': [] } as Record<(typeof FIGURES)[number], number[]>,
  }
}

const median = (values: number[]) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0

async function compare(contenders: Contender[]) {
  const prepared = await Promise.all(contenders.map(prepare))
  for (let round = -1; round < ROUNDS; round++) {
    for (const figure of FIGURES) {
      for (const { run, results } of prepared) {
        const value = await run[figure]()
        // The first round warms up.
        if (round >= 0) results[figure].push(value)
      }
    }
  }
  for (const figure of FIGURES) {
    console.log(
      `${figure.padEnd(20)} ${prepared.map(({ name, results }) => `${name} ${median(results[figure]).toFixed(0)}/s`).join(' · ')}`,
    )
  }
}

const folder = await mkdtemp(path.join(tmpdir(), 'slipway-bench-'))
const database = await createTestDatabase()
try {
  const pem = newKeyPem()
  await writeKey(folder, pem)
  await seedAccounts(database.db)
  const ours = await spawnRegistry({ databaseUrl: database.url, data: folder })
  const client = new TestClient(ours.base, pem)
  const access = [{ type: 'repository' as const, name: 'acme/bench', actions: ['pull' as const, 'push' as const] }]
  const token = await signRegistryToken({ sub: 'system:bench', access, ttlSeconds: 3600 }, pem)

  const port = await freePort()
  const config = path.join(folder, 'docker-registry.yml')
  const storage = { filesystem: { rootdirectory: path.join(folder, 'docker-registry') }, cache: { blobdescriptor: 'inmemory' } }
  await writeFile(
    config,
    JSON.stringify({
      version: '0.1',
      log: { level: 'error', accesslog: { disabled: true } },
      storage,
      http: { addr: `127.0.0.1:${port}` },
    }),
  )
  const theirs = spawn('setpriv', ['--pdeathsig=KILL', '--', 'docker-registry', 'serve', config], { stdio: 'ignore' })
  const base = `http://127.0.0.1:${port}`
  while (!(await fetch(`${base}/v2/`).catch(() => undefined))?.ok) await new Promise((r) => setTimeout(r, 50))
  const plain = new TestClient(base, pem)
  plain.pushBlob = async (name, text) => {
    const { location = '' } = await send(base, 'POST', `/v2/${name}/blobs/uploads/`, '')
    const url = new URL(location, base)
    url.searchParams.set('digest', digestBytes(text))
    await send(base, 'PUT', url.href, '', Buffer.from(text))
    return digestBytes(text)
  }
  await compare([
    { name: 'slipway', base: ours.base, client, token },
    { name: 'docker-registry', base, client: plain, token: '' },
  ])
  theirs.kill('SIGTERM')
  await ours.end('SIGTERM')
} finally {
  await database.drop()
  await rm(folder, { recursive: true, force: true })
  agent.destroy()
}
