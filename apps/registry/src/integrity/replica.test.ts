/** A damaged blob comes back from the other side of a rule of replication, by the name that it has there. */
import { randomBytes } from 'node:crypto'
import { readFile, utimes, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { newId } from '@slipway/core'
import { digestBytes } from '@slipway/oci/node'
import { createSealer } from '@slipway/secrets'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { type Fixture, startFixture } from '../testing/fixture'

const sealer = createSealer(randomBytes(32))
let f: Fixture
let other: Fixture
beforeAll(async () => {
  ;[f, other] = await Promise.all([startFixture({ sealer }), startFixture()])
})
afterAll(() => Promise.all([f?.close(), other?.close()]))
beforeEach(() => f.db.replicationRule.deleteMany())

const pushed = async (to: Fixture, repository: string, content: Buffer) => {
  const digest = digestBytes(content)
  expect((await to.call('POST', `/v2/${repository}/blobs/uploads/?digest=${digest}`, { body: content })).status).toBe(201)
  return digest
}
async function flip(digest: string) {
  const file = path.join(f.root, 'blobs/sha256', digest.slice(7, 9), digest.slice(7))
  const bytes = await readFile(file)
  bytes[5] = (bytes[5] ?? 0) ^ 1
  await writeFile(file, bytes)
  const later = new Date(Date.now() + 10_000)
  await utimes(file, later, later)
}
async function rule(more: { direction: 'push' | 'pull'; repositories: string[]; target: string; inside?: boolean; enabled?: boolean }) {
  const { id: organizationId } = await f.db.organization.findUniqueOrThrow({ where: { slug: 'acme' } })
  const id = newId('replicationRule')
  const password = sealer.seal(other.people.ada.apiKey, { kind: 'replication', organizationId, id })
  const login = { username: 'ada', password, remote: other.base }
  await f.db.replicationRule.create({ data: { id, organizationId, name: 'r', tags: [], inside: true, ...login, ...more } })
}
const get = (repository: string, digest: string) => f.call('GET', `/v2/${repository}/blobs/${digest}`)
/** The first who reads it finds the damage. */
const found = (repository: string, digest: string) =>
  get(repository, digest)
    .then((answer) => answer.arrayBuffer())
    .catch(() => undefined)
const repairedBy = async (digest: string) =>
  (await f.db.blobDamage.findFirst({ where: { digest, repairedAt: { not: null } } }))?.repairedBy ?? null

it.each([
  [
    'a target of a push rule',
    'acme/team/api',
    { direction: 'push' as const, repositories: ['team/*'], target: 'acme/copies' },
    'acme/copies/team/api',
  ],
  [
    'a source of a pull rule',
    'acme/mirror/acme/lib',
    { direction: 'pull' as const, repositories: ['acme/*'], target: 'mirror' },
    'acme/lib',
  ],
])('comes back from %s', async (_, here, settings, there) => {
  const content = randomBytes(300_000)
  const digest = await pushed(f, here, content)
  await pushed(other, there, content)
  await rule(settings)
  await flip(digest)
  await found(here, digest)
  await expect.poll(() => repairedBy(digest), { timeout: 15_000 }).not.toBeNull()
  expect(Buffer.from(await (await get(here, digest)).arrayBuffer()).equals(content)).toBe(true)
})

it.each([
  ['another repository', { direction: 'push' as const, repositories: ['other/*'], target: '' }],
  ['a rule that is off', { direction: 'push' as const, repositories: ['*'], target: 'acme', enabled: false }],
  ['an address that is not allowed', { direction: 'push' as const, repositories: ['*'], target: 'acme', inside: false }],
])('is not asked of %s', async (_, settings) => {
  const content = randomBytes(1000)
  const digest = await pushed(f, 'acme/lonely', content)
  await pushed(other, 'acme/lonely', content)
  await rule(settings)
  await flip(digest)
  await found('acme/lonely', digest)
  await expect.poll(() => f.db.blobDamage.count({ where: { digest } }), { timeout: 15_000 }).toBe(1)
  expect((await get('acme/lonely', digest)).status).toBe(404)
  expect(await repairedBy(digest)).toBeNull()
})
