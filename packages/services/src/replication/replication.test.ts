import { emitEvent, takeEvent } from '@slipway/db'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import type { Scope } from '../scope'
import { createHarness, type Harness } from '../testing/harness'
import { replicateDue, replicatePush } from './begin'

let h: Harness
/** Of the installation's first organization. */
let scope: Scope
let other: Scope
beforeAll(async () => {
  h = await createHarness()
  scope = await h.organization('Ada', 'acme')
  other = await h.organization('Eve', 'evil')
})
afterAll(() => h.close())
beforeEach(async () => {
  await h.db.replicationRule.deleteMany()
  await h.db.event.deleteMany()
})

type Input = Parameters<Harness['services']['replication']['create']>[1]
const fields: Input = {
  ...{ name: 'hub', direction: 'push', remote: 'https://hub.example', username: 'ada', password: 'secret-word' },
  ...{ repositories: ['team/*'], tags: ['v*'], target: 'copies', onPush: true, everyMinutes: 60, enabled: true, inside: false },
}
const create = (more: Partial<Input> = {}, by = scope) => h.services.replication.create(by, { ...fields, ...more })
const code = (expected: string) => expect.objectContaining({ code: expected })
const audited = async (action: string) => h.db.auditEvent.findFirst({ where: { action }, orderBy: { id: 'desc' } })

it('keeps the password sealed for its rule and its address, and shows it nowhere', async () => {
  const { replication } = h.services
  const { id } = await create()
  const row = await h.db.replicationRule.findUniqueOrThrow({ where: { id } })
  const owner = { kind: 'replication' as const, organizationId: scope.organizationId, id }
  expect(h.deps.sealer.open(row.password ?? new Uint8Array(), owner)).toBe('secret-word')
  const list = await replication.list(scope)
  expect(list).toMatchObject({ mayReachInside: true, rules: [{ id, credentials: true, last: null, onPush: true }] })
  const { password: _, ...kept } = fields
  await replication.update(scope, { ...kept, id, name: 'renamed' })
  expect(await h.db.replicationRule.findUniqueOrThrow({ where: { id } })).toMatchObject({ name: 'renamed', password: row.password })
  await expect(replication.update(scope, { ...kept, id, remote: 'https://evil.example' })).rejects.toThrow(
    code('REPLICATION_PASSWORD_NEEDED'),
  )
  await replication.update(scope, { ...kept, id, remote: 'https://evil.example', password: null })
  expect((await replication.list(scope)).rules).toMatchObject([{ credentials: false, remote: 'https://evil.example' }])
  const everything = JSON.stringify([await replication.list(scope), await h.db.auditEvent.findMany()])
  expect(everything).not.toContain('secret-word')
  expect((await audited('replication.update'))?.data).toEqual({ changed: expect.arrayContaining(['remote', 'password']) })
})

it('is for those who manage the registry, each in their organization; inside the network only for the installation’s', async () => {
  const { replication } = h.services
  const { id } = await create()
  const guest = { ...scope, role: 'developer' as const }
  await expect(replication.list(guest)).rejects.toThrow(code('ROLE_TOO_LOW'))
  await expect(replication.run(other, { id })).rejects.toThrow(code('REPLICATION_RULE_NOT_FOUND'))
  await expect(create({ inside: true }, other)).rejects.toThrow(code('HOSTS_OF_OTHERS'))
  const theirs = await create({}, other)
  await h.db.replicationRule.update({ where: { id: theirs.id }, data: { inside: true } })
  const moved = { ...fields, id: theirs.id, inside: true, remote: 'http://10.0.0.1' }
  await expect(replication.update(other, moved)).rejects.toThrow(code('HOSTS_OF_OTHERS'))
  await expect(replication.test(other, { remote: 'http://10.0.0.1', username: '', inside: true })).rejects.toThrow(code('HOSTS_OF_OTHERS'))
  await expect(create({ remote: h.deps.config.registryUrl })).rejects.toThrow(code('REPLICATION_IS_THIS'))
})

it('runs by hand one at a time, and ends what it is told to', async () => {
  const { replication } = h.services
  const { id } = await create()
  const run = await replication.run(scope, { id })
  await expect(replication.run(scope, { id })).rejects.toThrow(code('REPLICATION_RUNS'))
  expect(await replication.runOf(scope, run)).toMatchObject({ state: 'queued', trigger: 'manual', by: 'Ada', canceling: false })
  expect(await replication.cancel(scope, run)).toMatchObject({ canceling: true })
  await expect(replication.cancel(other, run)).rejects.toThrow(code('REPLICATION_RUN_NOT_FOUND'))
  expect(await audited('replication.cancel')).toMatchObject({ targetLabel: 'hub' })
  const { password: _, ...kept } = fields
  await h.db.replicationRun.updateMany({ data: { state: 'canceled' } })
  await replication.update(scope, { ...kept, id, enabled: false })
  await expect(replication.run(scope, { id })).rejects.toThrow(code('REPLICATION_OFF'))
})

it('is begun by a push that matches, once per event', async () => {
  const { id } = await create()
  await create({ name: 'not asked', onPush: false })
  const off = await create({ name: 'off', enabled: false })
  const push = (repository: string, tags: string[]) =>
    h.db.$transaction((tx) => emitEvent(tx, scope.organizationId, { kind: 'push', repository, actor: 'ada', data: { tags } }))
  const dispatch = async () => {
    const made: string[] = []
    while (
      await takeEvent(h.db, async (tx, event) => {
        made.push(...(await replicatePush(tx, event)))
        // The worker died before it took the event out, and gets it again.
        await replicatePush(tx, event)
      })
    );
    return made
  }
  await push('team/api', ['v1', 'main'])
  await push('other/api', ['v1'])
  await push('team/api', ['main'])
  expect(await dispatch()).toHaveLength(1)
  const runs = await h.services.replication.runs(scope, { id, limit: 10 })
  expect(runs.items).toMatchObject([{ trigger: 'push', by: 'ada', repository: 'team/api', tags: ['v1'] }])
  expect((await h.services.replication.runs(scope, { id: off.id, limit: 10 })).total).toBe(0)
})

it('is begun when its time has come, unless it still runs', async () => {
  const { id } = await create()
  const runs = () => h.db.replicationRun.count({ where: { ruleId: id } })
  const at = (minutes: number) => new Date(Date.now() + minutes * 60_000)
  await replicateDue(h.db, at(59))
  expect(await runs()).toBe(0)
  await replicateDue(h.db, at(61))
  await replicateDue(h.db, at(62))
  expect(await runs()).toBe(1)
  await replicateDue(h.db, at(125))
  expect(await runs()).toBe(1)
  await h.db.replicationRun.updateMany({ data: { state: 'succeeded' } })
  await replicateDue(h.db, at(190))
  expect(await runs()).toBe(2)
})
