/** What is taken away ends: in the panel at once, streams included, and at the registry with the token that is out. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Person } from './table'
import { createWorld, type World } from './world'

let world: World
beforeAll(async () => {
  world = await createWorld()
})
afterAll(() => world.close())

const SCOPE = 'repository:acme/private:pull,push'
const at = { org: 'acme', repository: 'private' }
const pulls = async (token: string) => (await world.registry.call('GET', '/v2/acme/private/manifests/v1', { token })).status
const looks = async (person: Person) =>
  (await world.caller(person)).images.repository(at).then(
    () => 'allowed',
    (error: { code: string }) => error.code,
  )
/** Reads a subscription until it ends, and gives what ended it. */
async function end(items: AsyncIterable<unknown>): Promise<string> {
  try {
    for await (const _ of items);
    return 'ended'
  } catch (error) {
    return (error as { code: string }).code
  }
}

it('a grant', async () => {
  const { access } = world.h.services
  const before = await world.token('helper', SCOPE)
  const stream = end(await (await world.caller('helper')).apps.watch({ org: 'acme', app: 'store' }))
  expect([await looks('helper'), await pulls(before)]).toEqual(['allowed', 200])

  const isHelper = (to: { kind: string; name: string }) => to.kind === 'user' && to.name === 'helper'
  const onRepository = (await access.repository(world.scope, at)).grants.find(({ to }) => isHelper(to))
  const onProject = (await access.project(world.scope, { project: 'shop' })).grants.find(({ to }) => isHelper(to))
  await access.revokeOnRepository(world.scope, { ...at, id: onRepository?.id ?? '' })
  await access.revokeOnProject(world.scope, { project: 'shop', id: onProject?.id ?? '' })

  expect(await looks('helper')).toBe('NOT_FOUND')
  // Something happens that the stream would tell of; it tells that there is nothing any more.
  await world.h.services.apps.update(world.scope, { app: 'store', name: 'Renamed' })
  expect(await stream).toBe('NOT_FOUND')
  expect(await pulls(await world.token('helper', SCOPE))).toBe(401)
  // The one that is out lasts for its five minutes, and no longer.
  const { exp = 0, iat = 0 } = JSON.parse(Buffer.from(before.split('.')[1] ?? '', 'base64url').toString()) as Record<string, number>
  expect(exp - iat).toBe(300)
})

it('a place in a team', async () => {
  const { teams } = world.h.services
  const push = async () => {
    const token = await world.token('team', SCOPE)
    return (await world.registry.call('POST', '/v2/acme/private/blobs/uploads/', { token })).status
  }
  expect(await push()).toBe(202)
  const member = (await teams.list(world.scope))[0]?.members[0]?.id ?? ''
  await teams.removeMember(world.scope, { team: 'core', member })
  // A guest of the organization is what is left.
  expect([await push(), await looks('team')]).toEqual([401, 'allowed'])
})

it('a membership, with what else the person had there', async () => {
  const { members, organizations, access, teams } = world.h.services
  const member = (await organizations.members(world.scope)).find((m) => m.name === 'developer')
  const id = member?.id ?? ''
  await teams.addMember(world.scope, { team: 'core', member: id })
  await access.grantOnRepository(world.scope, { ...at, role: 'guest', to: { kind: 'user', email: member?.email ?? '' } })
  const caller = await world.caller('developer')
  const streams = [end(await caller.organizations.watch({ org: 'acme' })), end(await caller.apps.watch({ org: 'acme', app: 'thing' }))]
  await sleep(100)

  await members.remove(world.scope, { id })
  await world.h.services.apps.update(world.scope, { app: 'thing', name: 'Renamed too' })
  expect(await Promise.all(streams)).toEqual(['NOT_FOUND', 'NOT_FOUND'])
  expect(await looks('developer')).toBe('NOT_FOUND')
  expect(await pulls(await world.token('developer', SCOPE))).toBe(401)
  expect((await access.repository(world.scope, at)).grants.some(({ to }) => to.kind === 'user' && to.name === 'developer')).toBe(false)
  expect((await teams.list(world.scope))[0]?.members).toEqual([])
})

it('a visibility', async () => {
  const internal = { repository: 'internal', visibility: 'private' as const }
  const pull = async () => {
    const token = await world.token('stranger', 'repository:acme/internal:pull')
    return (await world.registry.call('GET', '/v2/acme/internal/manifests/v1', { token })).status
  }
  expect(await pull()).toBe(200)
  await world.h.services.access.setVisibility(world.scope, internal)
  expect(await pull()).toBe(401)
  await expect(
    world.h.services.access.setVisibility(world.scope, { repository: 'internal', visibility: 'public', confirm: 'intern' }),
  ).rejects.toMatchObject({ code: 'CONFIRMATION_NEEDED' })
  const told = await world.h.db.auditEvent.findMany({
    where: { action: 'repository.setVisibility' },
    select: { targetLabel: true, data: true },
  })
  expect(told).toEqual([{ targetLabel: 'internal', data: { before: 'internal', visibility: 'private' } }])
})
