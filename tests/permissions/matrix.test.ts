/** Walks the tables of table.ts: everybody tries everything, on the real registry over HTTP and on the panel's API. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hands as appHands } from './hands/apps'
import { hands as organizationHands } from './hands/organization'
import { hands as panelHands } from './hands/panel'
import { hands as registryHands } from './hands/registry'
import { APPS, ELSEWHERE, ORGANIZATION, PANEL, PEOPLE, type Person, REGISTRY, type Table } from './table'
import { createWorld, type Hand, type World } from './world'

let world: World
beforeAll(async () => {
  world = await createWorld()
})
afterAll(() => world.close())

function walk<V extends string>(table: Table<V>, letters: string, hands: Record<V, Hand>) {
  it.each(Object.keys(table) as V[])('%s', async (verb) => {
    const cells = await Promise.all(
      PEOPLE.map(async (person) => {
        let cell = ''
        for (const letter of letters) {
          const done = await hands[verb](world, person, letter)
          if (done !== false) cell += done === true ? letter : `${letter}!${done}`
        }
        return [person, cell]
      }),
    )
    expect(Object.fromEntries(cells)).toEqual(table[verb])
  })
}

describe('the registry', () => walk(REGISTRY, 'piu', registryHands))
describe('the registry, where nothing was granted', () => walk(ELSEWHERE, 'eno', registryHands))
describe('pages of a repository', () => walk(PANEL, 'piue', panelHands))
describe('apps', () => walk(APPS, 'st', appHands))
describe('the organization', () => walk(ORGANIZATION, 'x', organizationHands))

it('lists for each what is shared with them, and nothing else', async () => {
  const seen = async (person: Person) => {
    const caller = await world.caller(person)
    const { repositories, apps } = await caller.access.shared({})
    return [...repositories.map((r) => `${r.organization.slug}/${r.name}`), ...apps.map((a) => a.slug)].filter(
      (name) => !/^rival/.test(name),
    )
  }
  const open = ['acme/internal', 'acme/public']
  expect(await seen('stranger')).toEqual(open)
  expect(await seen('rival')).toEqual(open)
  expect(await seen('reader')).toEqual(['acme/internal', 'acme/private', 'acme/public', 'store'])
  // Of an organization that one is a member of, nothing is shared: it is one's own.
  expect(await seen('guest')).toEqual([])
  expect((await (await world.caller('stranger')).access.outside({ org: 'acme' })).repositories.map((r) => r.name)).toEqual([
    'internal',
    'public',
  ])
  await expect((await world.caller('stranger')).access.outside({ org: 'rival' })).rejects.toMatchObject({ code: 'NOT_FOUND' })
})

it('shows strangers an image without what of the organization is behind it', async () => {
  const at = { org: 'acme', repository: 'public', reference: 'v1' }
  const image = await (await world.caller('stranger')).images.get(at)
  expect(image).toMatchObject({ build: null, commit: null, runsIn: [] })
  const view = await (await world.caller('stranger')).access.repository(at)
  expect(view).toMatchObject({ members: null, project: null, grants: [], mayManage: false, role: 'guest' })
})
