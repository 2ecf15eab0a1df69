/** Rules and names of repositories as clients of the API have them; who is refused stands in walk.test.ts. */
import type { Identity } from '@slipway/services'
import { createHarness, type Harness } from '@slipway/services/testing'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createCaller } from './root'

let h: Harness
let ada: Identity
beforeAll(async () => {
  h = await createHarness()
  ada = await h.user('Ada', 'acme')
  await h.image(await h.scope(ada, 'acme'), 'api', { tag: 'v1' })
})
afterAll(() => h.close())

const callerOf = (identity: Identity) =>
  createCaller({
    services: h.services,
    identity,
    sameOrigin: true,
    ip: null,
    headers: new Headers(),
    responseHeaders: null,
    log: { error: () => undefined },
  })

it('an owner sets rules, describes, renames and gives a repository to another organization of theirs', async () => {
  const api = callerOf(ada)
  await api.organizations.create({ name: 'Other', slug: 'other' })
  const at = { org: 'acme', repository: 'api' }
  expect((await api.repositories.addRule({ ...at, kind: 'immutable', tags: 'v*' })).rules).toMatchObject([{ tags: 'v*', matches: 1 }])
  await expect(api.images.delete({ ...at, reference: 'v1' })).rejects.toMatchObject({ code: 'FORBIDDEN' })
  expect(await api.repositories.setAbout({ ...at, description: 'The API' })).toMatchObject({ description: 'The API', mayChange: true })
  expect((await api.repositories.setRetention({ ...at, rules: 'keep' })).retention).toBe('keep')
  expect(await api.repositories.rename({ ...at, name: 'backend' })).toEqual({ name: 'backend' })
  expect(await api.repositories.moved(at)).toEqual({ org: 'acme', repository: 'backend' })
  const given = { org: 'acme', repository: 'backend', to: 'other', confirm: 'backend' }
  const dan = await h.user('Dan')
  await h.join(dan.userId, 'acme', 'admin')
  await expect(callerOf(dan).repositories.transfer(given)).rejects.toMatchObject({ code: 'FORBIDDEN' })
  expect(await api.repositories.transfer(given)).toEqual({ org: 'other', name: 'backend' })
  expect(await api.repositories.moved({ org: 'acme', repository: 'backend' })).toEqual({ org: 'other', repository: 'backend' })
  expect(await callerOf(dan).repositories.moved({ org: 'acme', repository: 'backend' })).toBeNull()
  expect((await api.images.tags({ org: 'other', repository: 'backend' })).items).toMatchObject([{ name: 'v1' }])
})

it('a page that is none of this dry run is refused, whoever made it up', async () => {
  const api = callerOf(ada)
  await h.image(await h.scope(ada, 'acme'), 'two', { tag: 'v1' })
  const other = await h.db.repository.findFirstOrThrow({ where: { name: 'two' }, select: { id: true } })
  for (const cursor of ['no page', `${other.id}@sha256:1`])
    await expect(api.policies.previewRetention({ org: 'acme', cursor })).rejects.toMatchObject({ code: 'BAD_REQUEST' })
  for (const cursor of ['no page', `${other.id}@`, other.id])
    await expect(api.repositories.previewRetention({ org: 'other', repository: 'backend', cursor })).rejects.toMatchObject({
      code: 'BAD_REQUEST',
    })
})
