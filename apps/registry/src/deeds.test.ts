import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Fixture, startFixture } from './testing/fixture'

let fixture: Fixture
beforeAll(async () => {
  fixture = await startFixture()
})
afterAll(() => fixture.close())

const told = async () => {
  const audit = await fixture.db.auditEvent.findMany({ orderBy: { createdAt: 'asc' } })
  const events = await fixture.db.event.findMany({ orderBy: { createdAt: 'asc' } })
  await fixture.db.auditEvent.deleteMany()
  await fixture.db.event.deleteMany()
  return {
    audit: audit.map((a) => `${a.actorLabel} ${a.action} ${a.targetLabel}`),
    events: events.map((e) => ({ kind: e.kind, repository: e.repository, by: e.actorLabel, data: e.data })),
    ids: audit.map((a) => a.actorUserId),
  }
}

it('tells who made a repository, pushed a tag, moved it and deleted it, and tells nothing that changed nothing', async () => {
  const { ada } = fixture.people
  const first = await fixture.push('acme/api', 'main')
  const made = await told()
  expect(made.audit).toEqual(['Slipway repository.create api', 'Slipway image.push api:main'])
  expect(made.events).toEqual([
    { kind: 'push', repository: 'api', by: 'Slipway', data: expect.objectContaining({ digest: first.digest, tags: ['main'] }) },
  ])

  await fixture.push('acme/api', 'main')
  expect((await told()).audit).toEqual([])

  const token = await fixture.sign([{ type: 'repository', name: 'acme/api', actions: ['pull', 'push', 'delete'] }], ada.id)
  const put = await fixture.call('PUT', '/v2/acme/api/manifests/v1', {
    token,
    headers: { 'content-type': 'application/vnd.oci.image.manifest.v1+json' },
    body: first.manifest,
  })
  expect(put.status).toBe(201)
  const pushed = await told()
  expect(pushed.audit).toEqual(['ada image.push api:v1'])
  expect(pushed.ids).toEqual([ada.id])

  expect((await fixture.call('DELETE', '/v2/acme/api/manifests/v1', { token })).status).toBe(202)
  expect((await fixture.call('DELETE', '/v2/acme/api/manifests/v1', { token })).status).toBe(404)
  expect((await fixture.call('DELETE', `/v2/acme/api/manifests/${first.digest}`, { token })).status).toBe(202)
  const gone = await told()
  expect(gone.audit).toEqual(['ada tag.delete api:v1', `ada image.delete api@${first.digest}`])
  expect(gone.events.map(({ kind, data }) => ({ kind, data }))).toEqual([
    { kind: 'delete', data: { digest: first.digest, tags: ['v1'] } },
    { kind: 'delete', data: { digest: first.digest, tags: ['main'] } },
  ])
})

it('tells who took a blob away, and nothing of one that stayed', async () => {
  const { ada } = fixture.people
  const image = await fixture.push('acme/blobs', 'main')
  const digest = await fixture.pushBlob('acme/blobs', 'loose')
  await told()
  const token = await fixture.sign([{ type: 'repository', name: 'acme/blobs', actions: ['pull', 'push', 'delete'] }], ada.id)
  const remove = (one: string) => fixture.call('DELETE', `/v2/acme/blobs/blobs/${one}`, { token })
  expect((await remove(image.layers[0] ?? '')).status).toBe(405)
  expect((await remove(digest)).status).toBe(202)
  expect((await remove(digest)).status).toBe(404)
  expect(await told()).toEqual({ audit: [`ada blob.delete blobs@${digest}`], events: [], ids: [ada.id] })
})

it('writes no event of a push that was refused', async () => {
  const body = JSON.stringify({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: `sha256:${'0'.repeat(64)}`, size: 2 },
    layers: [],
  })
  await fixture.push('acme/web', 'main')
  await told()
  const headers = { 'content-type': 'application/vnd.oci.image.manifest.v1+json' }
  expect((await fixture.call('PUT', '/v2/acme/web/manifests/main', { headers, body })).status).toBe(404)
  expect(await told()).toEqual({ audit: [], events: [], ids: [] })
})
