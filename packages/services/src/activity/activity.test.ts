import { text } from 'node:stream/consumers'
import { newId } from '@slipway/core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Scope } from '../scope'
import { createHarness, type Harness } from '../testing/harness'
import { csvCell } from './formats'

let h: Harness
let scope: Scope
let other: Scope
const signal = new AbortController().signal

beforeAll(async () => {
  h = await createHarness()
  scope = await h.organization('Ada', 'acme')
  other = await h.organization('Eve', 'evil')
  await h.gitApp(scope, 'shop')
  const { repositoryId, digest } = await h.image(scope, 'team/api', { tag: 'main' })
  const row = (actorLabel: string, action: string, targetLabel: string, createdAt: Date, more: object = {}) =>
    h.db.auditEvent.create({
      data: {
        id: newId('audit', createdAt.getTime()),
        organizationId: scope.organizationId,
        actorLabel,
        action,
        targetType: 'repository',
        targetId: repositoryId,
        targetLabel,
        createdAt,
        ...more,
      },
    })
  await row('Slipway', 'image.push', 'team/api:main', new Date('2026-01-02T10:00:00Z'), { data: { digest, tags: ['main'] } })
  await row('=HYPERLINK("http://evil")', 'tag.delete', 'team/api:"a",b', new Date('2026-01-03T10:00:00Z'))
})
afterAll(() => h.close())

it('gives what was asked for, by who, what, to what and when, and where that is now', async () => {
  const labels = async (filter: object) => (await h.services.activity.list(scope, { limit: 50, ...filter })).items.map((e) => e.action)
  expect(await labels({ actor: 'Slipway' })).toEqual(['image.push'])
  expect(await labels({ action: 'app.create' })).toEqual(['app.create'])
  expect(await labels({ query: 'TEAM/api' })).toEqual(['tag.delete', 'image.push'])
  expect(await labels({ from: new Date('2026-01-03'), to: new Date('2026-01-04') })).toEqual(['tag.delete'])
  expect(await labels({ query: '%' })).toEqual([])
  const page = await h.services.activity.list(scope, { limit: 1, query: 'team/' })
  expect([page.items.length, page.total]).toEqual([1, 2])
  const next = await h.services.activity.list(scope, { limit: 1, query: 'team/', cursor: page.next })
  expect(next.items[0]?.link).toMatchObject({ kind: 'image', repository: 'team/api', reference: expect.stringMatching(/^sha256:/) })
  expect((await h.services.activity.list(scope, { limit: 1, action: 'app.create' })).items[0]?.link).toEqual({ kind: 'app', app: 'shop' })
  expect(await h.services.activity.facets(scope)).toEqual({
    actors: ['=HYPERLINK("http://evil")', 'Ada', 'Slipway'],
    actions: expect.arrayContaining(['app.create', 'image.push', 'tag.delete']),
  })
  expect(JSON.stringify(await h.services.activity.list(other, { limit: 50 }))).not.toContain('team/api')
})

it('exports the same as CSV that no spreadsheet runs, and as NDJSON', async () => {
  const csv = await h.services.activity.export(scope, { format: 'csv', query: 'team/' }, signal)
  expect(csv).toMatchObject({ contentType: 'text/csv; charset=utf-8', filename: expect.stringMatching(/^activity-acme-[\d-]+\.csv$/) })
  const lines = (await text(csv.stream)).trimEnd().split('\r\n')
  expect(lines).toHaveLength(3)
  expect(lines[1]).toContain(`,"'=HYPERLINK(""http://evil"")",,tag.delete,repository,`)
  expect(lines[1]).toContain('"team/api:""a"",b"')
  const nd = await h.services.activity.export(scope, { format: 'ndjson', actor: 'Slipway' }, signal)
  const rows = (await text(nd.stream)).trimEnd().split('\n')
  expect(rows.map((row) => JSON.parse(row) as unknown)).toMatchObject([
    { time: '2026-01-02T10:00:00.000Z', actor: { id: null, label: 'Slipway' }, action: 'image.push', target: { label: 'team/api:main' } },
  ])
  expect(['+1', '-1', '@x', '\tx', 'a\nb', 'plain'].map(csvCell)).toEqual(["'+1", "'-1", "'@x", "'\tx", '"a\nb"', 'plain'])
})
