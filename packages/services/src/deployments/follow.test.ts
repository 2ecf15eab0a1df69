import { randomBytes } from 'node:crypto'
import { newId } from '@slipway/core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Scope } from '../scope'
import { createHarness, type Harness } from '../testing/harness'

let h: Harness
let scope: Scope
let repositoryId: string
let other: Scope

beforeAll(async () => {
  h = await createHarness()
  scope = await h.organization('Ada', 'acme')
  other = await h.organization('Eve', 'evil')
  repositoryId = (await h.image(scope, 'team/api', { tag: 'main' })).repositoryId
})
afterAll(() => h.close())

const base = { source: 'image' as const, project: 'web', variables: [], healthPath: '/', healthTimeoutSeconds: 60 }
const fromImage = (name: string, imageReference: string, followTag: boolean, by = scope) =>
  h.services.apps.create(by, { ...base, name, imageReference, followTag })

/** Moves the tag to a new image, as a push does. */
async function move(tag = 'main') {
  const digest = `sha256:${randomBytes(32).toString('hex')}`
  const content = { mediaType: 'x', content: new Uint8Array(1), size: 1, totalSize: 1n, pushedBy: 'Ada' }
  const manifest = { id: newId('manifest'), repositoryId, organizationId: scope.organizationId, digest, ...content }
  await h.db.manifest.create({ data: manifest })
  await h.db.tag.update({ where: { repositoryId_name: { repositoryId, name: tag } }, data: { manifestId: manifest.id } })
  return digest
}
const push = (repository = 'team/api', tags = ['main']) =>
  h.services.deployments.followTags({ organizationId: scope.organizationId, repository, tags, by: 'ada' })

it('deploys what a followed tag names now, once per digest, and says why', async () => {
  await fromImage('follows', 'slipway.local/acme/team/api:main', true)
  await fromImage('also', 'localhost:5000/acme/team/api:main', true)
  await fromImage('does-not', 'slipway.local/acme/team/api:main', false)
  expect(await push()).toEqual([])

  const digest = await move()
  expect((await push()).map(({ app, number }) => [app, number])).toEqual([
    ['follows', 2],
    ['also', 2],
  ])
  expect(await push()).toEqual([])
  const made = await h.services.deployments.get(scope, { app: 'follows', number: 2 })
  expect(made).toMatchObject({ trigger: 'push', actor: 'ada', build: null, image: { digest } })
  expect(made.hops.map(({ hop, state, proof }) => [hop, state, proof]).slice(0, 2)).toEqual([
    ['push', 'done', 'ada pushed team/api:main'],
    ['build', 'skipped', null],
  ])
  const [told] = (await h.services.activity.list(scope, { limit: 1, action: 'deployment.create' })).items
  expect(told).toMatchObject({ actor: 'ada', link: { kind: 'deployment', number: 2 } })
})

it('leaves other tags, other repositories, stopped and deleted apps alone', async () => {
  await move()
  expect(await push('team/api', ['other'])).toEqual([])
  expect(await push('api', ['main'])).toEqual([])
  await h.services.apps.stop(scope, { app: 'follows' })
  await h.services.apps.delete(scope, { app: 'also', confirm: 'also' })
  expect(await push()).toEqual([])
})

it('takes only tags of the own organization to follow', async () => {
  await expect(fromImage('digest', `slipway.local/acme/team/api@${await move()}`, true)).rejects.toMatchObject({ code: 'TAG_NOT_FOLLOWED' })
  await expect(fromImage('hub', 'nginx:1', true)).rejects.toMatchObject({ code: 'TAG_NOT_FOLLOWED' })
  await h.db.repository.update({ where: { id: repositoryId }, data: { visibility: 'public' } })
  await expect(fromImage('foreign', 'slipway.local/acme/team/api:main', true, other)).rejects.toMatchObject({ code: 'TAG_NOT_FOLLOWED' })
  await expect(h.services.apps.update(scope, { app: 'follows', imageReference: 'nginx:1' })).rejects.toMatchObject({
    code: 'TAG_NOT_FOLLOWED',
  })
  const off = await h.services.apps.update(scope, { app: 'follows', imageReference: 'nginx:1', followTag: false })
  expect(off.settings).toMatchObject({ followTag: false, imageReference: 'nginx:1' })
})
