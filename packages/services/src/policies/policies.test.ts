import { randomBytes } from 'node:crypto'
import { newId } from '@slipway/core'
import { movedRepository } from '@slipway/db'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Identity, Scope } from '../scope'
import { createHarness, type Harness } from '../testing/harness'
import { runOpenRetention } from './retention'

let h: Harness
let ada: Identity
let acme: Scope
let other: Scope
beforeAll(async () => {
  h = await createHarness()
  ada = await h.user('Ada', 'acme')
  acme = await h.scope(ada, 'acme')
  await h.services.organizations.create({ userId: ada.userId, label: 'Ada', ip: null }, { name: 'Other', slug: 'other' })
  other = await h.scope(ada, 'other')
  await h.services.projects.create(acme, { name: 'Web' })
})
afterAll(() => h.close())

const guest = (): Scope => ({ ...acme, role: 'guest' })
const digest = () => `sha256:${randomBytes(32).toString('hex')}`
const ago = (days: number) => new Date(Date.now() - days * 86_400_000)

/** A repository with tags of their own images, each so many days old, each with a layer of its own of 1,000 bytes and a manifest of one. */
async function repository(name: string, tags: Record<string, number>, organizationId = acme.organizationId) {
  const { id } = await h.db.repository.create({ data: { id: newId('repository'), organizationId, name } })
  const digests: Record<string, string> = {}
  for (const [tag, days] of Object.entries(tags)) {
    const layer = digest()
    await h.db.blob.create({ data: { digest: layer, size: 1000n } })
    await h.db.repositoryBlob.create({ data: { repositoryId: id, digest: layer, size: 1000n } })
    const image = { id: newId('manifest'), repositoryId: id, organizationId, digest: digest(), mediaType: 'x', createdAt: ago(days) }
    const content = { content: new Uint8Array(1), size: 1, totalSize: 1n, pushedBy: 'Ada' }
    await h.db.manifest.create({
      data: { ...image, ...content, layers: { create: { position: 0, digest: layer, mediaType: 'x', size: 1000n } } },
    })
    await h.db.tag.create({ data: { repositoryId: id, name: tag, manifestId: image.id, pushedBy: 'Ada', updatedAt: ago(days) } })
    digests[tag] = image.digest
  }
  return { id, digests }
}
const run = async () => {
  await runOpenRetention(h.deps, new AbortController().signal)
  return (await h.services.policies.retention(acme)).runs[0]
}
const RULES = { repositories: '*', keepLast: 1, keepUsedDays: null, keepTags: [], keepDeployments: 1, untaggedDays: null }

it('previews what a run removes in however many repositories, page by page', async () => {
  const lab = await h.organization('Lab', 'lab')
  for (let n = 0; n < 250; n++) await repository(`many/r${n}`, { new: 1, old: 50 }, lab.organizationId)
  const preview = { tags: 0, manifests: 0, bytes: 0 }
  const seen: string[] = []
  let cursor: string | null = null
  do {
    const page = await h.services.policies.previewRetention(lab, { rules: RULES, cursor })
    const { repositories, changed, tags, manifests, looked } = page
    expect(page).toMatchObject({ of: 250, kept: looked === 0 ? [] : [{ because: 'last', tags: looked }] })
    expect([repositories, changed, tags, manifests, page.rows.length]).toEqual(Array(5).fill(looked))
    seen.push(...page.rows.map((row) => row.repository))
    for (const what of ['tags', 'manifests', 'bytes'] as const) preview[what] += page[what]
    cursor = page.next
  } while (cursor)
  expect(new Set(seen).size).toBe(250)
  expect(preview.tags).toBe(250)
  await h.services.policies.setRetention(lab, { rules: RULES, minute: 90 })
  await h.services.policies.runRetention(lab)
  await runOpenRetention(h.deps, new AbortController().signal)
  expect((await h.services.policies.retention(lab)).runs[0]).toMatchObject({
    tags: preview.tags,
    manifests: preview.manifests,
    bytes: preview.bytes,
  })
})

it('previews and runs retention: the same goes, what a rule or an app holds stays, and it is told', async () => {
  const { id, digests } = await repository('api', { new: 1, old: 50, older: 60, 'v1.0': 70, runs: 80 })
  await repository('kept', { a: 50, b: 60 })
  await h.services.policies.addRule(acme, { kind: 'immutable', tags: 'v*', repositories: '*', builds: false })
  await h.services.repositories.setRetention(acme, { repository: 'kept', rules: 'keep' })
  const app = await h.gitApp(acme, 'shop')
  const { id: appId } = await h.db.app.findFirstOrThrow({ where: { slug: app.app } })
  await h.db.deployment.create({
    data: {
      id: newId('deployment'),
      organizationId: acme.organizationId,
      appId,
      number: 1,
      kind: 'deploy',
      trigger: 'manual',
      state: 'serving',
      actorLabel: 'Ada',
      imageReference: 'x',
      imageDigest: digests.runs,
      settings: {},
      environment: new Uint8Array(1),
    },
  })
  const preview = await h.services.policies.previewRetention(acme, { rules: RULES })
  expect(preview).toMatchObject({ repositories: 1, tags: 2, manifests: 2, bytes: 2002 })
  expect(Object.fromEntries(preview.rows[0]?.tags.map((t) => [t.name, t.kept]) ?? [])).toEqual({
    old: null,
    older: null,
    new: 'last',
    'v1.0': 'rule',
    runs: 'deployed',
  })
  expect(await h.db.tag.count({ where: { repositoryId: id } })).toBe(5)
  await h.services.policies.setRetention(acme, { rules: RULES, minute: 90 })
  await h.services.policies.runRetention(acme)
  await expect(h.services.policies.runRetention(acme)).rejects.toMatchObject({ code: 'RETENTION_RUNS' })
  expect(await run()).toMatchObject({
    by: 'Ada',
    tags: 2,
    manifests: 2,
    bytes: 2002,
    error: null,
    finishedAt: expect.any(Date),
    removed: [{ repository: 'api', tags: ['old', 'older'] }],
  })
  expect((await h.db.tag.findMany({ where: { repositoryId: id }, orderBy: { name: 'asc' } })).map((t) => t.name)).toEqual([
    'new',
    'runs',
    'v1.0',
  ])
  expect(await h.db.auditEvent.count({ where: { action: 'retention.clean', targetLabel: 'api' } })).toBe(1)
  expect((await h.services.policies.previewRetention(acme, {})).tags).toBe(0)
  expect(await h.services.repositories.policies(guest(), { repository: 'api' })).toMatchObject({
    lastRun: { at: expect.any(Date), error: null },
    lastCleaned: { by: 'Ada', tags: ['old', 'older'], tagCount: 2, manifests: 2, bytes: 2002 },
    nextRunAt: expect.any(Date),
  })
  expect((await h.services.repositories.policies(acme, { repository: 'kept' })).lastCleaned).toBeNull()
})

it('runs retention once a day at its minute, and takes up what a lost worker left', async () => {
  await repository('daily', { new: 1, old: 50 })
  await h.db.retentionSchedule.update({ where: { organizationId: acme.organizationId }, data: { nextAt: ago(0.1) } })
  expect(await run()).toMatchObject({ by: null, tags: 1, error: null })
  const { nextAt, runs } = await h.services.policies.retention(acme)
  expect([nextAt?.getUTCHours(), nextAt?.getUTCMinutes(), (nextAt ?? 0) > new Date()]).toEqual([1, 30, true])
  await run()
  expect((await h.services.policies.retention(acme)).runs).toHaveLength(runs.length)
  await repository('left', { new: 1, old: 50 })
  const lost = { id: newId('retentionRun'), organizationId: acme.organizationId, tags: 7, heartbeatAt: ago(1) }
  await h.db.retentionRun.create({ data: lost })
  expect(await run()).toMatchObject({ id: lost.id, tags: 8, finishedAt: expect.any(Date) })
})

it('deletes no tag that a rule holds, and says which', async () => {
  const refused = h.services.images.delete(acme, { repository: 'api', reference: 'v1.0' })
  await expect(refused).rejects.toMatchObject({ code: 'TAG_RULE', message: expect.stringContaining('immutable by the rule "v*" of acme') })
  await h.services.repositories.addRule(acme, { repository: 'api', kind: 'protected', tags: 'ne?', builds: false })
  const developer = await h.user('Dan')
  await h.join(developer.userId, 'acme', 'developer')
  const dan = await h.scope(developer, 'acme')
  await expect(h.services.images.delete(dan, { repository: 'api', reference: 'new' })).rejects.toMatchObject({ code: 'TAG_RULE' })
  await expect(
    h.services.repositories.addRule(dan, { repository: 'api', kind: 'immutable', tags: '*', builds: false }),
  ).rejects.toMatchObject({ code: 'ROLE_TOO_LOW' })
  const { rules, inherited } = await h.services.repositories.policies(guest(), { repository: 'api' })
  expect([rules, inherited]).toMatchObject([[{ tags: 'ne?', matches: 1 }], [{ tags: 'v*', matches: 1 }]])
})

it('keeps what a repository says of itself', async () => {
  const said = { description: 'The API', readme: '# API\n', labels: { team: 'core' } }
  expect(await h.services.repositories.setAbout(acme, { repository: 'api', ...said })).toMatchObject({ ...said, updatedBy: 'Ada' })
  expect(await h.services.repositories.setAbout(acme, { repository: 'api', labels: {} })).toMatchObject({
    description: 'The API',
    labels: {},
  })
  const found = async (query: string) =>
    (await h.services.images.repositories(acme, { query, sort: 'name', order: 'asc', limit: 9 })).items.map(
      ({ name, description, labels }) => ({ name, description, labels }),
    )
  expect(await found('the api')).toEqual([{ name: 'api', description: 'The API', labels: {} }])
  await h.services.repositories.setAbout(acme, { repository: 'api', labels: { team: 'core_1' } })
  expect(await found('team=core_')).toMatchObject([{ name: 'api', labels: { team: 'core_1' } }])
  expect(await found('team=core%')).toEqual([])
  expect(await h.services.organizations.search(acme, { query: 'the api' })).toMatchObject([
    { kind: 'repository', label: 'api', detail: 'The API' },
  ])
  await expect(h.services.repositories.setAbout(guest(), { repository: 'api', readme: 'x' })).rejects.toMatchObject({
    code: 'ROLE_TOO_LOW',
  })
})

it('renames: the old name leads on until a repository takes it, and names of apps are theirs', async () => {
  await repository('first', { a: 1 })
  await expect(h.services.repositories.rename(acme, { repository: 'first', name: 'Not A Name' })).rejects.toMatchObject({
    code: 'NAME_INVALID',
  })
  await expect(h.services.repositories.rename(acme, { repository: 'first', name: 'api' })).rejects.toMatchObject({
    code: 'REPOSITORY_EXISTS',
  })
  await expect(h.services.repositories.rename(acme, { repository: 'first', name: 'shop' })).rejects.toMatchObject({
    code: 'REPOSITORY_OF_APP',
  })
  await h.db.app.updateMany({ where: { slug: 'shop' }, data: { imageReference: 'slipway.local/acme/first:a' } })
  await h.db.deployment.updateMany({ data: { imageReference: 'slipway.local/acme/first@sha256:1' } })
  await h.services.repositories.rename(acme, { repository: 'first', name: 'team/second' })
  expect(await h.db.app.findFirstOrThrow({ where: { slug: 'shop' } })).toMatchObject({ imageReference: 'slipway.local/acme/team/second:a' })
  expect(await h.db.deployment.findFirstOrThrow()).toMatchObject({ imageReference: 'slipway.local/acme/team/second@sha256:1' })
  const actor = { userId: ada.userId, label: 'Ada', ip: null }
  expect(await h.services.repositories.moved(actor, { org: 'acme', repository: 'first' })).toEqual({
    org: 'acme',
    repository: 'team/second',
  })
  const stranger = await h.user('Sam')
  expect(await h.services.repositories.moved({ ...actor, userId: stranger.userId }, { org: 'acme', repository: 'first' })).toBeNull()
  await h.services.repositories.rename(acme, { repository: 'team/second', name: 'first' })
  expect(await movedRepository(h.db, { organization: 'acme', name: 'team/second' })).toMatchObject({ name: 'first' })
  expect((await h.services.repositories.policies(acme, { repository: 'first' })).oldNames).toMatchObject([{ name: 'acme/team/second' }])
  await h.services.repositories.forgetName(acme, { repository: 'first', oldName: 'acme/team/second' })
  expect(await movedRepository(h.db, { organization: 'acme', name: 'team/second' })).toBeNull()
  await repository('shop', { a: 1 })
  await expect(h.services.repositories.rename(acme, { repository: 'shop', name: 'x' })).rejects.toMatchObject({ code: 'REPOSITORY_OF_APP' })
})

it('transfers with everything in it, within the limits of who gets it', async () => {
  const { id } = await repository('gift', { a: 1, b: 2 })
  const give = (scope = acme) => h.services.repositories.transfer(scope, { repository: 'gift', to: 'other', confirm: 'gift' })
  await expect(give({ ...acme, actor: { ...acme.actor, userId: (await h.user('Tom')).userId } })).rejects.toMatchObject({
    code: 'TRANSFER_NOT_ALLOWED',
  })
  await expect(give({ ...acme, within: { repository: 'gift' } })).rejects.toMatchObject({ code: 'ROLE_TOO_LOW' })
  const operator = { organization: 'other', maxBytes: 1500, maxRepositories: null }
  await h.services.policies.setQuota(acme, operator)
  await expect(give()).rejects.toMatchObject({ code: 'QUOTA_EXCEEDED', message: expect.stringContaining('other uses 0 B of 1.5 kB') })
  await h.services.policies.setQuota(acme, { ...operator, maxBytes: null })
  const before = await h.services.policies.quota(acme)
  expect(await give()).toEqual({ org: 'other', name: 'gift' })
  expect(await h.services.policies.quota(other)).toMatchObject({ bytes: 2002, repositories: 1 })
  expect((await h.services.policies.quota(acme)).bytes).toBe(before.bytes - 2002)
  expect((await h.services.images.tags(other, { repository: 'gift', limit: 10 })).total).toBe(2)
  await expect(h.services.images.repository(acme, { repository: 'gift' })).rejects.toMatchObject({ code: 'REPOSITORY_NOT_FOUND' })
  expect(await movedRepository(h.db, { organization: 'acme', name: 'gift' })).toMatchObject({ repositoryId: id, organization: 'other' })
  await expect(h.services.policies.setQuota(other, operator)).rejects.toMatchObject({ code: 'HOSTS_OF_OTHERS' })
  expect([(await h.services.policies.quota(acme)).maySet, (await h.services.policies.quota(other)).maySet]).toEqual([true, false])
  const told = async (scope: Scope, action: string) => (await h.services.activity.list(scope, { limit: 1, action })).items[0]
  expect(await told(acme, 'repository.transfer')).toMatchObject({ targetLabel: 'gift', detail: 'to other', link: null })
  expect(await told(other, 'repository.receive')).toMatchObject({ detail: 'from acme', link: { repository: 'gift' } })
  expect(await told(other, 'quota.set')).toMatchObject({ targetLabel: 'other', detail: 'no limit' })
  expect(await told(acme, 'repository.rename')).toMatchObject({ detail: 'from team/second' })
  expect(await told(acme, 'retention.clean')).toMatchObject({ actor: 'Slipway', detail: '1 tag, 1 image, 1 kB' })
  expect(await told(acme, 'retention.set')).toMatchObject({ detail: 'keeps last 1' })
  const limited = { name: 'acme', slug: 'acme', bytes: before.bytes - 2002 }
  expect(await h.services.policies.quotas(acme)).toContainEqual(expect.objectContaining(limited))
})

it('deletes with everything in it, but nothing that an app or a rule needs', async () => {
  const { id, digests } = await repository('doomed', { a: 1, 'r1.0': 2 })
  const remove = (scope = acme, confirm = 'doomed') => h.services.repositories.delete(scope, { repository: 'doomed', confirm })
  await expect(remove({ ...acme, role: 'developer' })).rejects.toMatchObject({ code: 'ROLE_TOO_LOW' })
  await expect(remove(acme, 'other')).rejects.toMatchObject({ code: 'CONFIRM_NAME' })
  await expect(h.services.repositories.delete(acme, { repository: 'shop', confirm: 'shop' })).rejects.toMatchObject({
    code: 'REPOSITORY_OF_APP',
  })
  await h.services.repositories.addRule(acme, { repository: 'doomed', kind: 'immutable', tags: 'r*', builds: false })
  await expect(remove()).rejects.toMatchObject({ code: 'TAG_RULE', details: { tag: 'r1.0' } })
  const { rules } = await h.services.repositories.policies(acme, { repository: 'doomed' })
  await h.services.repositories.removeRule(acme, { repository: 'doomed', id: rules[0]?.id ?? '' })
  const { id: appId } = await h.db.app.findFirstOrThrow({ where: { slug: 'shop' } })
  const imageReference = `slipway.local/acme/doomed@${digests.a}`
  await h.db.app.update({ where: { id: appId }, data: { imageReference } })
  await expect(remove()).rejects.toMatchObject({ code: 'REPOSITORY_IN_USE', message: expect.stringContaining('shop') })
  await h.db.app.update({ where: { id: appId }, data: { imageReference: null } })
  const before = await h.services.policies.quota(acme)
  expect(await remove()).toEqual({ name: 'doomed' })
  expect(await h.services.policies.quota(acme)).toMatchObject({ bytes: before.bytes - 2002, repositories: before.repositories - 1 })
  expect(await h.db.manifest.count({ where: { repositoryId: id } })).toBe(0)
  const told = (await h.services.activity.list(acme, { limit: 1, action: 'repository.delete' })).items[0]
  expect(told).toMatchObject({ targetLabel: 'doomed', detail: '2 tags', link: null })
  await expect(remove()).rejects.toMatchObject({ code: 'REPOSITORY_NOT_FOUND' })
  // The name is free again.
  await repository('doomed', { b: 1 })
  expect((await h.services.images.tags(acme, { repository: 'doomed', limit: 10 })).total).toBe(1)
})
