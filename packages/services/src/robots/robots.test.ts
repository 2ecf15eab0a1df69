/** Robots and share links as the panel makes and ends them; what they open in the registry is tested there. */
import { createHash } from 'node:crypto'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Scope } from '../scope'
import { createHarness, type Harness } from '../testing/harness'

let h: Harness
let acme: Scope
let rival: Scope
beforeAll(async () => {
  h = await createHarness()
  acme = await h.organization('Ada', 'acme')
  rival = await h.organization('Eve', 'rival')
})
afterAll(() => h.close())

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
const audited = async (action: string) => (await h.db.auditEvent.findMany({ where: { action } })).map((e) => [e.actorLabel, e.targetLabel])
const grants = [{ pattern: 'team/*', actions: ['pull', 'push'] as ('pull' | 'push' | 'delete')[] }]

it('makes a robot, shows its secret once and keeps a hash, and changes, renews and deletes it', async () => {
  const { robots } = h.services
  const { secret, view, command } = await robots.create(acme, { name: 'ci', grants, expiresInDays: 30 })
  expect(view).toMatchObject({ login: 'robot$acme+ci', state: 'active', grants, createdBy: 'Ada', lastUsedAt: null })
  expect(command).toBe(`echo ${secret} | docker login localhost:5000 -u 'robot$acme+ci' --password-stdin`)
  const row = await h.db.robot.findUniqueOrThrow({ where: { id: view.id } })
  expect(row.hash).toBe(sha256(secret))
  expect(JSON.stringify([row, await h.db.auditEvent.findMany()])).not.toContain(secret)

  await expect(robots.create(acme, { name: 'ci', grants, expiresInDays: null })).rejects.toMatchObject({ code: 'ROBOT_NAME_TAKEN' })
  expect((await robots.create(rival, { name: 'ci', grants, expiresInDays: null })).view.login).toBe('robot$rival+ci')

  expect(await robots.update(acme, { id: view.id, disabled: true })).toMatchObject({ state: 'disabled' })
  expect(await robots.update(acme, { id: view.id, disabled: false })).toMatchObject({ state: 'active', expiresAt: row.expiresAt })
  const wider = [{ pattern: '*', actions: ['pull' as const] }]
  expect(await robots.update(acme, { id: view.id, grants: wider, expiresInDays: null })).toMatchObject({ grants: wider, expiresAt: null })
  const renewed = await robots.rotate(acme, { id: view.id })
  expect(renewed.secret).not.toBe(secret)
  expect(await h.db.robot.count({ where: { hash: sha256(secret) } })).toBe(0)

  for (const change of [
    () => robots.update(rival, { id: view.id, disabled: true }),
    () => robots.rotate(rival, view),
    () => robots.delete(rival, view),
  ])
    await expect(change()).rejects.toMatchObject({ code: 'ROBOT_NOT_FOUND' })
  expect((await robots.list(acme)).map((robot) => robot.name)).toEqual(['ci'])
  await robots.delete(acme, { id: view.id })
  expect(await robots.list(acme)).toEqual([])
  for (const action of ['robot.disable', 'robot.enable', 'robot.update', 'robot.rotate', 'robot.delete'])
    expect([action, await audited(action)]).toEqual([action, [['Ada', 'ci']]])
})

it('leaves robots to those who manage the registry', async () => {
  const dan = await h.user('Dan')
  await h.join(dan.userId, 'acme', 'developer')
  const scope = await h.scope(dan, 'acme')
  await expect(h.services.robots.list(scope)).rejects.toMatchObject({ code: 'ROLE_TOO_LOW' })
  await expect(h.services.robots.create(scope, { name: 'x', grants, expiresInDays: null })).rejects.toMatchObject({ code: 'ROLE_TOO_LOW' })
})

it('shares one image by a link that anybody opens until it ends', async () => {
  const { shares } = h.services
  const { digest } = await h.image(acme, 'team/api', { tag: 'v1' })
  const image = { repository: 'team/api', reference: 'v1' }
  const { url, view } = await shares.create(acme, { ...image, expiresInHours: 24 })
  const token = url.slice('http://localhost:3000/s/'.length)
  expect(await shares.open(token)).toMatchObject({
    organization: 'acme',
    repository: 'acme/team/api',
    tag: 'v1',
    digest,
    sharedBy: 'Ada',
    expiresAt: view.expiresAt,
    commands: {
      login: `echo ${token} | docker login localhost:5000 -u share --password-stdin`,
      docker: `docker pull localhost:5000/acme/team/api@${digest}`,
    },
  })
  expect(await shares.list(acme, image)).toMatchObject([{ id: view.id, pulls: 0 }])
  expect(JSON.stringify(await shares.list(acme, image))).not.toContain(token)
  expect(await audited('share.create')).toEqual([['Ada', 'team/api:v1']])

  await expect(shares.revoke(rival, { id: view.id })).rejects.toMatchObject({ code: 'SHARE_NOT_FOUND' })
  await shares.revoke(acme, { id: view.id })
  await expect(shares.revoke(acme, { id: view.id })).rejects.toMatchObject({ code: 'SHARE_NOT_FOUND' })
  expect(await shares.open(token)).toBeNull()
  expect(await shares.list(acme, image)).toEqual([])
  expect(await audited('share.revoke')).toEqual([['Ada', 'team/api:v1']])

  const again = await shares.create(acme, { ...image, expiresInHours: 1 })
  await h.db.share.update({ where: { id: again.view.id }, data: { expiresAt: new Date(Date.now() - 1) } })
  // What ended a month ago is forgotten by the next one that is made.
  await h.db.share.update({ where: { id: view.id }, data: { revokedAt: new Date(Date.now() - 31 * 24 * 3_600_000) } })
  await shares.create(acme, { ...image, expiresInHours: 1 })
  expect(await h.db.share.findMany({ where: { id: { in: [view.id, again.view.id] } }, select: { id: true } })).toEqual([
    { id: again.view.id },
  ])
  for (const dead of [again.url.slice(-47), 'sls_', '', "' OR 1", `sls_${'A'.repeat(43)}`]) expect(await shares.open(dead)).toBeNull()
})

it('ends a login of one’s own', async () => {
  const ada = acme.actor.userId ?? ''
  const id = 'rft_of_ada'
  const at = { createdFrom: '127.0.0.1', lastUsedFrom: '127.0.0.1', lastUsedAt: new Date(), expiresAt: new Date(Date.now() + 60_000) }
  await h.db.refreshToken.create({ data: { id, hash: 'h', userId: ada, passwordFingerprint: 'p', client: 'docker', ...at } })
  expect(await h.services.logins.list(ada)).toMatchObject([{ id, client: 'docker', apiKey: null }])
  await expect(h.services.logins.end(rival.actor, { id })).rejects.toMatchObject({ code: 'LOGIN_NOT_FOUND' })
  await h.services.logins.end(acme.actor, { id })
  expect(await h.services.logins.list(ada)).toEqual([])
})
