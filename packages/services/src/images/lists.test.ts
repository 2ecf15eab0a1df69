import type { inputs } from '@slipway/contracts'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { z } from 'zod'
import type { Scope } from '../scope'
import { createHarness, type Harness } from '../testing/harness'

let h: Harness
let scope: Scope

beforeAll(async () => {
  h = await createHarness()
  scope = await h.organization('Ada', 'acme')
  const day = (n: number) => new Date(Date.UTC(2026, 0, n))
  const facts: [name: string, pulls: number, pushed: Date | null, bytes: number, visibility: 'private' | 'public'][] = [
    ['a_b', 5, day(1), 10, 'private'],
    ['axb', 5, day(2), 30, 'private'],
    ['team/api', 9, null, 20, 'public'],
    ['zeta', 0, day(3), 0, 'private'],
  ]
  for (const [name, pullCount, lastPushedAt, bytes, visibility] of facts) {
    const { repositoryId } = await h.image(scope, name, { tag: '1.0' })
    await h.db.repository.update({ where: { id: repositoryId }, data: { pullCount, lastPushedAt, visibility } })
    const digest = `sha256:${name.length.toString(16).repeat(64).slice(0, 63)}${bytes % 10}`
    if (bytes === 0) continue
    await h.db.blob.create({ data: { digest: `${digest}${name}`, size: bytes } })
    await h.db.repositoryBlob.create({ data: { repositoryId, digest: `${digest}${name}`, size: bytes } })
  }
}, 60_000)
afterAll(() => h.close())

type Input = Omit<z.input<typeof inputs.listRepositories>, 'org'>
/** All names, page by page of one. */
async function names(input: Input): Promise<string[]> {
  const all: string[] = []
  for (let cursor: string | null = null; ; ) {
    const page: Awaited<ReturnType<typeof h.services.images.repositories>> = await h.services.images.repositories(scope, {
      sort: 'name',
      order: 'asc',
      ...input,
      limit: 1,
      cursor,
    })
    all.push(...page.items.map((item) => item.name))
    expect(page.items.length).toBeLessThanOrEqual(1)
    if (page.next === null) return all
    cursor = page.next
  }
}

describe('repositories', () => {
  it.each<[Input, string[]]>([
    [{}, ['a_b', 'axb', 'team/api', 'zeta']],
    [{ order: 'desc' }, ['zeta', 'team/api', 'axb', 'a_b']],
    [{ sort: 'pulls', order: 'desc' }, ['team/api', 'a_b', 'axb', 'zeta']],
    [{ sort: 'pulls', order: 'asc' }, ['zeta', 'a_b', 'axb', 'team/api']],
    [{ sort: 'pushed', order: 'desc' }, ['zeta', 'axb', 'a_b', 'team/api']],
    [{ sort: 'size', order: 'desc' }, ['axb', 'team/api', 'a_b', 'zeta']],
    [{ sort: 'pulled', order: 'asc' }, ['a_b', 'axb', 'team/api', 'zeta']],
    [{ visibility: 'public' }, ['team/api']],
    [{ running: true }, []],
    [{ query: 'A_B' }, ['a_b']],
    [{ query: 'nothing%' }, []],
  ])('%j', async (input, expected) => {
    expect(await names(input)).toEqual(expected)
  })

  it('takes a cursor that is none of its own for the beginning', async () => {
    const { items } = await h.services.images.repositories(scope, { sort: 'name', order: 'asc', limit: 9, cursor: "x'; --" })
    expect(items).toHaveLength(4)
  })

  it('tells how much is in each', async () => {
    const { items } = await h.services.images.repositories(scope, { sort: 'name', order: 'asc', limit: 9, query: 'api' })
    expect(items).toMatchObject([{ name: 'team/api', tags: 1, size: 21, pulls: 9, visibility: 'public', runningIn: [] }])
  })
})

describe('tags', () => {
  it('are the newest first, page by page, and searched', async () => {
    const repository = await h.db.repository.findFirstOrThrow({ where: { name: 'zeta' } })
    const { manifestId } = await h.db.tag.findFirstOrThrow({ where: { repositoryId: repository.id } })
    const pushedBy = scope.actor.userId ?? ''
    const at = new Date(Date.UTC(2027, 0, 1))
    for (const name of ['2.0', '2.1', '2_1'])
      await h.db.tag.create({ data: { repositoryId: repository.id, name, manifestId, pushedBy, updatedAt: at } })
    const seen: string[] = []
    for (let cursor: string | null = null; ; ) {
      const page: Awaited<ReturnType<typeof h.services.images.tags>> = await h.services.images.tags(scope, {
        repository: 'zeta',
        limit: 1,
        cursor,
      })
      seen.push(...page.items.map((item) => item.name))
      expect(page.total).toBe(4)
      if (page.next === null) break
      cursor = page.next
    }
    expect(seen).toEqual(['2.0', '2.1', '2_1', '1.0'])
    const found = await h.services.images.tags(scope, { repository: 'zeta', limit: 9, query: '2_' })
    expect(found).toMatchObject({ total: 1, items: [{ name: '2_1' }] })
  })

  it('name who pushed, and no id', async () => {
    const { items } = await h.services.images.tags(scope, { repository: 'zeta', limit: 9 })
    expect(new Set(items.map((item) => item.pushedBy))).toEqual(new Set(['Ada']))
    await h.db.tag.updateMany({ where: { name: '2.0' }, data: { pushedBy: 'usr_gone' } })
    const again = await h.services.images.tags(scope, { repository: 'zeta', limit: 9, query: '2.0' })
    expect(again.items).toMatchObject([{ pushedBy: 'somebody who is gone' }])
  })
})
