import { BASE_ORGANIZATION } from '@slipway/contracts'
import { newId, type Visibility } from '@slipway/core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Actor, Scope } from '../scope'
import { createHarness, type Harness } from '../testing/harness'

let h: Harness
let acme: Scope
/** Member of `other` alone. */
let eve: Actor
beforeAll(async () => {
  h = await createHarness()
  acme = await h.organization('Ada', 'acme')
  const { actor } = await h.organization('Eve', 'other')
  eve = actor
  const third = await h.organization('Zoe', 'third')
  const base = await h.organization('Root', BASE_ORGANIZATION)
  await h.services.projects.create(acme, { name: 'Shop' })
  const project = await h.db.project.findFirstOrThrow({ where: { organizationId: acme.organizationId, slug: 'shop' } })
  const repository = (scope: Scope, name: string, visibility: Visibility = 'private', projectId: string | null = null) =>
    h.db.repository.create({ data: { id: newId('repository'), organizationId: scope.organizationId, name, visibility, projectId } })
  for (const scope of [acme, third, base]) {
    await repository(scope, 'private')
    await repository(scope, 'internal', 'internal')
    await repository(scope, 'public', 'public')
  }
  for (const name of ['given', 'given-public', 'team/given']) await repository(acme, name, name === 'given-public' ? 'public' : 'private')
  for (const name of ['shop/one', 'shop/two']) await repository(acme, name, 'private', project.id)
  await h.join(eve.userId ?? '', 'third', 'guest')
  const to = { kind: 'user', email: 'eve@example.com' } as const
  for (const name of ['given', 'given-public', 'team/given'])
    await h.services.access.grantOnRepository(acme, { repository: name, role: 'guest', to })
})
afterAll(() => h.close())

async function shared(actor: Actor, limit = 100, query?: string) {
  const found: [string, string | null][] = []
  let cursor: string | null = null
  do {
    const page = await h.services.access.shared(actor, { limit, cursor, ...(query && { query }) })
    expect(page.repositories.length).toBeLessThanOrEqual(limit)
    found.push(...page.repositories.map((row): [string, string | null] => [`${row.organization.slug}/${row.name}`, row.role]))
    cursor = page.next
  } while (cursor !== null)
  return found
}

/** What each repository says when it is opened, which is what decides. */
async function opened(actor: Actor, organizations: string[]) {
  const rows = await h.db.repository.findMany({ select: { name: true, organization: { select: { slug: true } } } })
  const found: string[] = []
  for (const { name, organization } of rows) {
    if (!organizations.includes(organization.slug)) continue
    const scope = await h.services.access.repositoryScope(actor, organization.slug, name).catch(() => null)
    if (scope) found.push(`${organization.slug}/${name}`)
  }
  return found.sort()
}

const OPEN: [string, string | null][] = [
  ['acme/given-public', null],
  ['acme/internal', null],
  ['acme/public', null],
]

it('lists for somebody outside what can be opened, each once, and nothing of organizations that are their own', async () => {
  expect(await shared(eve)).toEqual([
    ['acme/given', 'guest'],
    ['acme/given-public', 'guest'],
    ['acme/internal', null],
    ['acme/public', null],
    ['acme/team/given', 'guest'],
  ])
  expect((await shared(eve)).map(([path]) => path)).toEqual(await opened(eve, ['acme']))
  for (const limit of [1, 2, 3]) expect(await shared(eve, limit)).toEqual(await shared(eve))
  expect(await shared(eve, 2, 'GIVEN')).toEqual([
    ['acme/given', 'guest'],
    ['acme/given-public', 'guest'],
    ['acme/team/given', 'guest'],
  ])
})

it('lists of a project what its grant reaches, with the strongest role, until it is taken back', async () => {
  const to = { kind: 'user', email: 'eve@example.com' } as const
  const before = await shared(eve)
  await h.services.access.grantOnRepository(acme, { repository: 'shop/one', role: 'guest', to })
  const { grants } = await h.services.access.grantOnProject(acme, { project: 'shop', role: 'developer', to })
  expect((await shared(eve)).filter(([path]) => path.startsWith('acme/shop'))).toEqual([
    ['acme/shop/one', 'developer'],
    ['acme/shop/two', 'developer'],
  ])
  expect((await shared(eve)).map(([path]) => path)).toEqual(await opened(eve, ['acme']))
  await h.services.access.revokeOnProject(acme, { project: 'shop', id: grants[0]?.id ?? '' })
  expect((await shared(eve)).filter(([path]) => path.startsWith('acme/shop'))).toEqual([['acme/shop/one', 'guest']])
  const { grants: own } = await h.services.access.repository(acme, { repository: 'shop/one' })
  await h.services.access.revokeOnRepository(acme, { repository: 'shop/one', id: own[0]?.id ?? '' })
  expect(await shared(eve)).toEqual(before)
})

it('lists for one whom nothing was given only what is open, and for a member nothing of their organization', async () => {
  const identity = await h.user('Kim')
  const kim: Actor = { userId: identity.userId, label: identity.name, ip: null }
  const listed = await shared(kim)
  expect(listed).toEqual([...OPEN, ['third/internal', null], ['third/public', null]])
  expect(listed.map(([path]) => path)).toEqual(await opened(kim, ['acme', 'third', 'other']))
  expect(await shared(acme.actor)).toEqual([
    ['third/internal', null],
    ['third/public', null],
  ])
})
