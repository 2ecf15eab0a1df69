import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { newId } from '@slipway/core'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import type { Scope } from '../scope'
import { createHarness, type Harness } from '../testing/harness'

let h: Harness
let operator: Scope
let other: Scope

beforeAll(async () => {
  h = await createHarness()
  operator = await h.organization('Ada', 'acme')
  other = await h.organization('Eve', 'rival')
})
afterAll(() => h.close())

const GIB = 1024 ** 3
/** As it comes out of the procedures: with the organization. */
const form = (url: string) => ({
  org: 'acme',
  url,
  enabled: true,
  username: '',
  allowPrivate: true,
  anonymous: true,
  limitBytes: 2 * GIB,
  revalidateMinutes: 5,
  shares: [] as string[],
})
const code = (expected: string) => expect.objectContaining({ code: expected })

it('begins with Docker Hub, which everybody sees and only the first organization changes', async () => {
  const { upstreams } = h.services
  expect(await upstreams.list(operator)).toMatchObject({
    mayManage: true,
    items: [
      {
        host: 'docker.io',
        prefix: 'slipway.local/docker.io',
        credentials: false,
        managed: { url: 'https://registry-1.docker.io', kept: { bytes: 0 } },
      },
    ],
  })
  expect(await upstreams.list(other)).toMatchObject({ mayManage: false, items: [{ host: 'docker.io', managed: null }] })
  const [hub] = (await upstreams.list(operator)).items
  const id = hub?.id ?? ''
  const url = 'https://ghcr.io'
  for (const attempt of [
    () => upstreams.create(other, { host: 'ghcr.io', ...form(url) }),
    () => upstreams.update(other, { id, ...form('https://evil.example') }),
    () => upstreams.remove(other, { id }),
    () => upstreams.empty(other, { id }),
    () => upstreams.test(other, { url, username: '', allowPrivate: true }),
  ])
    await expect(attempt()).rejects.toThrow(code('HOSTS_OF_OTHERS'))
})

it('seals credentials, shares them with those that are named, and sends them to no other address', async () => {
  const { upstreams } = h.services
  const given = { host: 'quay.io', ...form('https://quay.io'), username: 'robot', secret: 'hunter2', shares: ['rival'] }
  const { id } = await upstreams.create(operator, given)
  const row = await h.db.upstream.findUniqueOrThrow({ where: { id } })
  expect(Buffer.from(row.secret ?? []).includes('hunter2')).toBe(false)
  // Never for those who did not log in.
  expect(row.anonymous).toBe(false)
  expect(JSON.stringify(await upstreams.list(operator))).not.toContain('hunter2')
  expect((await upstreams.list(other)).items.map(({ host }) => host)).toEqual(['docker.io', 'quay.io'])
  await expect(upstreams.update(operator, { id, ...form('https://evil.example'), username: 'robot' })).rejects.toThrow(
    code('UPSTREAM_SECRET_NEEDED'),
  )
  await expect(upstreams.update(operator, { id, ...form('https://quay.io'), shares: ['nowhere'] })).rejects.toThrow(
    code('ORGANIZATION_NOT_FOUND'),
  )
  await upstreams.update(operator, { id, ...form('https://quay.io'), username: 'robot' })
  expect((await upstreams.list(other)).items.map(({ host }) => host)).toEqual(['docker.io'])
  await expect(upstreams.create(operator, given)).rejects.toThrow(code('UPSTREAM_EXISTS'))
  const events = await h.db.auditEvent.findMany({ where: { targetId: id }, orderBy: { createdAt: 'asc' } })
  expect(events.map(({ action }) => action)).toEqual(['upstream.add', 'upstream.change'])
  expect(events[1]?.data).toEqual({ changed: [], shares: [] })
  expect(JSON.stringify(events)).not.toContain('hunter2')
})

it('empties what was kept, and what credentials let in with the credentials', async () => {
  const { upstreams } = h.services
  const { id } = await upstreams.create(operator, { host: 'kept.example', ...form('https://kept.example'), username: 'a', secret: 'b' })
  const keep = async () => {
    const { id: organizationId } = await h.db.organization.create({
      data: { id: newId('organization'), slug: 'kept.example', name: 'kept.example' },
    })
    const { id: repositoryId } = await h.db.repository.create({ data: { id: newId('repository'), organizationId, name: 'app' } })
    const digest = `sha256:${'a'.repeat(64)}`
    await h.db.blob.upsert({ where: { digest }, create: { digest, size: 1234 }, update: {} })
    await h.db.repositoryBlob.create({ data: { repositoryId, digest, size: 1234 } })
  }
  const kept = async () => (await upstreams.list(operator)).items.find((item) => item.id === id)?.managed?.kept
  await keep()
  expect(await kept()).toMatchObject({ repositories: 1, blobs: 1, bytes: 1234 })
  expect(await upstreams.empty(operator, { id })).toEqual({ bytes: 1234 })
  expect(await kept()).toMatchObject({ repositories: 0, bytes: 0 })
  await keep()
  await upstreams.update(operator, { id, ...form('https://kept.example'), secret: null })
  expect(await kept()).toMatchObject({ bytes: 0 })
  await upstreams.remove(operator, { id })
  expect((await upstreams.list(operator)).items.map(({ host }) => host)).not.toContain('kept.example')
})

it('tries an upstream before it is kept, and says what is wrong', async () => {
  const { upstreams } = h.services
  const server = createServer((request, response) => {
    const good = request.headers.authorization === `Basic ${Buffer.from('ada:right').toString('base64')}`
    response.writeHead(good ? 200 : 401, { 'www-authenticate': 'Basic realm="x"' }).end('{}')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const test = (secret: string | null, allowPrivate = true) => upstreams.test(operator, { url, username: 'ada', secret, allowPrivate })
  expect((await test('right')).problem).toBeNull()
  expect((await test('wrong')).problem).toMatch(/denies access|credentials/)
  expect((await test(null)).problem).toMatch(/user name and password/)
  expect((await test('right', false)).problem).toMatch(/inside this network/)
  await expect(upstreams.create(operator, { host: 'self.example', ...form(h.deps.config.registryUrl) })).rejects.toThrow(
    code('UPSTREAM_IS_THIS'),
  )
})
