import { randomBytes } from 'node:crypto'
import { AppError, newId } from '@slipway/core'
import { type Db, noteQuotaRefusal } from '@slipway/db'
import { createTestDatabase, type TestDatabase } from '@slipway/testing'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { goneOrAs } from './gone'
import { refusalOf } from './refusal'

let database: TestDatabase
let db: Db
const organizationId = newId('organization')
const repositoryId = newId('repository')
const digest = `sha256:${randomBytes(32).toString('hex')}`
beforeAll(async () => {
  database = await createTestDatabase()
  db = database.db
  await db.organization.create({ data: { id: organizationId, slug: 'acme', name: 'Acme' } })
  await db.repository.create({ data: { id: repositoryId, organizationId, name: 'shop' } })
  const manifestId = newId('manifest')
  const content = { mediaType: 'x', content: new Uint8Array(1), size: 1, totalSize: 1n, pushedBy: 'system:worker' }
  await db.manifest.create({ data: { id: manifestId, repositoryId, organizationId, digest, ...content } })
  await db.tag.create({ data: { repositoryId, name: 'main', manifestId, pushedBy: 'system:worker' } })
})
afterAll(() => database.drop())

/** As the engine hands on whatever the registry said. */
const denied = new AppError({ kind: 'unavailable', code: 'IMAGE_PUSH_FAILED', message: 'pull access denied for slipway.local/acme/shop' })
const push = (more: object = {}) => ({ organizationId, path: 'acme/shop', tag: 'main', taken: ['build-7'], since: new Date(), ...more })
const told = async (more: object = {}, error: unknown = denied) => (await refusalOf(db, push(more), error)) as AppError

it('gives back what no rule and no limit refused', async () => {
  expect(await told()).toBe(denied)
  const other = new AppError({ kind: 'unavailable', code: 'AGENT_UNREACHABLE', message: 'x' })
  await db.tagRule.create({ data: { id: newId('tagRule'), organizationId, kind: 'immutable', tags: 'other' } })
  expect(await told()).toBe(denied)
  expect(await told({}, other)).toBe(other)
})

it('says which rule holds the tag, where it is changed, and where the image is', async () => {
  const { id } = await db.tagRule.create({ data: { id: newId('tagRule'), organizationId, kind: 'immutable', tags: 'm*' } })
  const error = await told()
  expect(error).toMatchObject({ code: 'TAG_RULE', details: { tag: 'main', rule: 'm*', kind: 'immutable' }, cause: denied })
  expect(error.message).toBe(
    'The image was built, but the tag main is immutable by the rule “m*” of acme (Settings → Registry), so no build moves it. Narrow or remove the rule, or build from another branch; then build again. The image is in the registry as build-7 and was not deployed.',
  )
  // A new tag of that name may be made.
  expect(await told({ tag: 'more' })).toBe(denied)
  await db.tagRule.update({ where: { id }, data: { kind: 'protected', builds: false, repositoryId } })
  expect((await told({ tag: 'more', taken: [] })).message).toBe(
    'The image was built, but the tag more is protected by the rule “m*” of the repository shop (its Policies tab), which does not let builds push it. Let builds push it in that rule, or build from another branch; then build again.',
  )
  await db.tagRule.update({ where: { id }, data: { builds: true } })
  expect(await told()).toBe(denied)
})

it('says which limit is met, when it was met by this push', async () => {
  const since = new Date()
  await db.organizationUsage.update({ where: { organizationId }, data: { bytes: 900n, maxBytes: 1000n, maxRepositories: 1 } })
  expect(await told({ since })).toBe(denied)
  await noteQuotaRefusal(db, organizationId)
  const room = await told({ since })
  expect(room).toMatchObject({ code: 'QUOTA_EXCEEDED', details: { what: 'bytes', used: 900, limit: 1000 } })
  expect(room.message).toContain('there is no room for it: acme uses 900 B of 1 kB in this registry. Delete images that are not needed')
  expect((await told({ since, path: 'acme/new' })).message).toContain('acme has 1 of 1 repositories, and this app needs one more.')
  expect(await told({ since: new Date(Date.now() + 60_000) })).toBe(denied)
})

it('tells an image that was deleted from one that never was', async () => {
  const missing = new AppError({ kind: 'bad-input', code: 'IMAGE_NOT_FOUND', message: 'cannot be pulled' })
  const gone = `sha256:${'0'.repeat(64)}`
  const deployment = (imageDigest: string | null, host = 'slipway.local/acme') => ({
    imageDigest,
    imageReference: `${host}/shop@${imageDigest}`,
    kind: 'rollback' as const,
    organizationId,
    app: { organization: { slug: 'acme' } },
  })
  expect(await goneOrAs(db, deployment(gone), missing)).toMatchObject({
    code: 'IMAGE_GONE',
    message: expect.stringMatching(/^The image sha256:000000000000 is no longer in the registry: .* Roll back to another deployment/),
  })
  expect(await goneOrAs(db, deployment(digest), missing)).toBe(missing)
  expect(await goneOrAs(db, deployment(gone, 'docker.io/library'), missing)).toBe(missing)
  expect(await goneOrAs(db, deployment(null), missing)).toBe(missing)
  const away = new AppError({ kind: 'unavailable', code: 'AGENT_UNREACHABLE', message: 'x' })
  expect(await goneOrAs(db, deployment(gone), away)).toBe(away)
})
