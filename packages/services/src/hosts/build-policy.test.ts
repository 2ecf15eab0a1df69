import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import type { Scope } from '../scope'
import { createHarness, type Harness } from '../testing/harness'

const GIB = 1024 ** 3
const dir = mkdtempSync(join(tmpdir(), 'build-policy-'))
const DEFAULTS = { maxBytes: 20 * GIB, keepDays: 0, unusedDays: 60, reserveBytes: null, stepDiskBytes: null }
let has: Record<string, unknown> = {}
let away = false
const asked: string[] = []
/** Stands for the agent of a host. */
const agent = createServer(async (request, answer) => {
  let body = ''
  for await (const chunk of request) body += chunk
  const path = `${request.method} ${request.url}`
  asked.push(path)
  const send = (value: object, status = 200) => answer.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))
  if (path.endsWith('/health')) return send({ status: 'ok', instance: '0123abcd', version: '1', containers: 0, bridge: null })
  const policy = body === '' ? {} : JSON.parse(body)
  if (policy.reserveBytes > 50 * GIB) return send({ message: 'builds cannot leave more than half of this disk free' }, 400)
  if (path.startsWith('POST')) return send({ bytes: 7_000_000, layers: 3, mounts: 1 })
  if (path.startsWith('PUT')) {
    if (away) return request.socket.destroy()
    has = policy
  }
  send({ set: has, applies: { ...DEFAULTS }, defaults: DEFAULTS, disk: { total: 100 * GIB, free: 40 * GIB, reserve: 5 * GIB } })
})

let h: Harness
let owner: Scope
let admin: Scope
let developer: Scope
let stranger: Scope
beforeAll(async () => {
  await new Promise<void>((resolve) => agent.listen(join(dir, 's'), resolve))
  h = await createHarness({ agentSocket: join(dir, 's') })
  owner = await h.organization('Ada', 'acme')
  for (const [name, role] of [
    ['Bob', 'admin'],
    ['Dora', 'developer'],
  ] as const) {
    const user = await h.user(name)
    await h.join(user.userId, 'acme', role)
    if (role === 'admin') admin = await h.scope(user, 'acme')
    else developer = await h.scope(user, 'acme')
  }
  stranger = await h.organization('Mallory', 'evil')
  for (const [id, instance] of [
    ['host_1', '0123abcd'],
    ['host_2', '99999999'],
  ] as const)
    await h.db.host.create({ data: { id, name: id, instance, state: 'online' } })
  // As the first start makes it for the base images: older than all others, and nobody's.
  await h.db.organization.create({ data: { id: 'org_base', slug: 'base', name: 'Base', createdAt: new Date(0) } })
})
beforeEach(() => {
  away = false
  asked.length = 0
})
afterAll(async () => {
  agent.close()
  rmSync(dir, { recursive: true })
  await h.close()
})

const policy = { maxBytes: 5 * GIB, unusedDays: 14 }

it('shows what an empty field means, previews, and keeps nothing until it is saved', async () => {
  expect(await h.services.hosts.buildPolicy(admin, { host: 'host_1' })).toEqual({
    ...{ set: null, applied: true, defaults: DEFAULTS },
    disk: { total: 100 * GIB, free: 40 * GIB, reserve: 5 * GIB },
  })
  expect(await h.services.hosts.previewBuildPolicy(owner, { host: 'host_1', policy })).toEqual({ bytes: 7_000_000, layers: 3, mounts: 1 })
  expect(asked.some((path) => path.startsWith('PUT'))).toBe(false)
  expect(await h.db.host.findUniqueOrThrow({ where: { id: 'host_1' } })).toMatchObject({ buildPolicy: null })
})

it('is kept, brought to the agent, and written down', async () => {
  expect(await h.services.hosts.setBuildPolicy(admin, { host: 'host_1', policy })).toMatchObject({ set: policy, applied: true })
  expect(has).toEqual(policy)
  const [entry] = (await h.services.activity.list(owner, { limit: 5 })).items
  expect(entry).toMatchObject({ action: 'build-policy.set', targetLabel: 'host_1', actor: 'Bob' })
  expect(await h.services.hosts.buildPolicy(owner, { host: 'host_1' })).toMatchObject({ set: policy, applied: true })
})

it('waits for the worker when the agent goes away meanwhile', async () => {
  away = true
  const wanted = { maxBytes: 6 * GIB }
  expect(await h.services.hosts.setBuildPolicy(owner, { host: 'host_1', policy: wanted })).toMatchObject({ set: wanted, applied: false })
  expect(await h.db.host.findUniqueOrThrow({ where: { id: 'host_1' } })).toMatchObject({ buildPolicy: wanted })
})

it('keeps nothing that the host cannot have', async () => {
  const before = await h.db.host.findUniqueOrThrow({ where: { id: 'host_1' } })
  const much = { host: 'host_1', policy: { reserveBytes: 60 * GIB } }
  await expect(h.services.hosts.setBuildPolicy(owner, much)).rejects.toMatchObject({
    kind: 'bad-input',
    message: expect.stringContaining('cannot leave more than half of this disk free'),
  })
  expect(await h.db.host.findUniqueOrThrow({ where: { id: 'host_1' } })).toEqual(before)
})

it('is for those who run the installation alone', async () => {
  const calls = (scope: Scope) => [
    h.services.hosts.buildPolicy(scope, { host: 'host_1' }),
    h.services.hosts.previewBuildPolicy(scope, { host: 'host_1', policy }),
    h.services.hosts.setBuildPolicy(scope, { host: 'host_1', policy }),
  ]
  const refusals = async (scope: Scope) =>
    (await Promise.allSettled(calls(scope))).map((one) => one.status === 'rejected' && one.reason.code)
  expect(await refusals(developer)).toEqual(Array(3).fill('ROLE_TOO_LOW'))
  expect(await refusals(stranger)).toEqual(Array(3).fill('HOSTS_OF_OTHERS'))
  expect(asked).toEqual([])
  const seen = async (scope: Scope) => (await h.services.hosts.list(scope)).map(({ mayRun }) => mayRun)
  expect(await Promise.all([owner, admin, developer, stranger].map(seen))).toEqual([
    [true, true],
    [true, true],
    [false, false],
    [false, false],
  ])
})

it('does not speak for a host that this agent is not', async () => {
  await expect(h.services.hosts.buildPolicy(owner, { host: 'host_2' })).rejects.toMatchObject({ code: 'HOST_NOT_REACHED' })
  await expect(h.services.hosts.buildPolicy(owner, { host: 'host_9' })).rejects.toMatchObject({ code: 'HOST_NOT_FOUND' })
})
