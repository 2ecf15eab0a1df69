/** What must hold when several workers, or one that came back late, reach for the same rows. */
import { newId } from '@slipway/core'
import { createTestDatabase, type TestDatabase } from '@slipway/testing'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  appendBuildLogs,
  claimBuild,
  claimDeployment,
  createBuild,
  createDeployment,
  type Db,
  finishBuild,
  finishDeployment,
  heartbeatBuild,
  heartbeatDeployment,
  lastBuildLogSeq,
  listRoutes,
  moveDeployment,
  neededDeployments,
  noteRestart,
  openBuilds,
  pointApp,
  pointAppBack,
  readBuildLogs,
  replaceBuildSteps,
  requestBuildCancel,
  requestDeploymentCancel,
  requeueBuild,
  requeueDeployment,
  switchServing,
  type Tx,
  undeployedBuilds,
  updateBuildSteps,
  updateRunningBuild,
  upsertHost,
} from './index'

let database: TestDatabase
let db: Db
let hostId: string
const organizationId = newId('organization')
let appId: string

beforeAll(async () => {
  database = await createTestDatabase()
  db = database.db
  await db.organization.create({ data: { id: organizationId, slug: 'acme', name: 'Acme' } })
  await db.project.create({ data: { id: 'prj_1', organizationId, slug: 'shop', name: 'Shop' } })
  const facts = { instance: null, version: null, os: null, kernel: null, architecture: null, cpus: null, memoryBytes: null }
  hostId = (await upsertHost(db, 'this', facts)).id
})
afterAll(() => database.drop())
beforeEach(async () => {
  // Whose turn it is, is what was queued by this test.
  await db.build.updateMany({ where: { state: { in: ['queued', 'running'] } }, data: { state: 'canceled' } })
  appId = newId('app')
  await db.app.create({
    data: { id: appId, organizationId, projectId: 'prj_1', slug: appId.replace('_', '-'), name: 'Web', source: 'git' },
  })
})

async function build(tx: Tx = db) {
  const created = await createBuild(tx, organizationId, appId, { trigger: 'manual', actorLabel: 'Ada', branch: 'main' })
  if (!created) throw new Error('not created')
  return created
}
async function deployment() {
  const created = await createDeployment(db, organizationId, appId, {
    id: newId('deployment'),
    kind: 'deploy',
    trigger: 'manual',
    actorLabel: 'Ada',
    buildId: null,
    sourceDeploymentId: null,
    imageReference: 'x',
    imageDigest: null,
    settings: {},
    environment: new Uint8Array(1),
    hops: {},
  })
  if (!created) throw new Error('not created')
  return created.deployment.id
}
const soon = () => new Date(Date.now() + 60_000)

describe('builds', () => {
  it('are claimed by one worker, and one per app at a time', async () => {
    const first = await build()
    const claims = await Promise.all(Array.from({ length: 6 }, () => claimBuild(db)))
    expect(claims.filter((claim) => claim?.id === first.build.id)).toHaveLength(1)
    const second = await build()
    expect(second.superseded).toEqual([])
    expect(await claimBuild(db)).toBeNull()
    await finishBuild(db, first.build.id, 'succeeded')
    expect((await claimBuild(db))?.id).toBe(second.build.id)
  })

  it('get numbers without gaps, and the newest waiting one wins, whatever comes at once', async () => {
    const created = await Promise.all(Array.from({ length: 10 }, () => db.$transaction((tx) => build(tx))))
    expect(created.map(({ build: { number } }) => number).sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    const waiting = await db.build.findMany({ where: { appId, state: 'queued' } })
    expect(waiting).toHaveLength(1)
  })

  it('end once: who is late changes nothing', async () => {
    const { build: row } = await build()
    await claimBuild(db)
    const ends = await Promise.all([
      finishBuild(db, row.id, 'failed'),
      finishBuild(db, row.id, 'succeeded'),
      finishBuild(db, row.id, 'canceled'),
    ])
    expect(ends.filter(Boolean)).toHaveLength(1)
    expect(await updateRunningBuild(db, row.id, { phase: 'publish' })).toBe(false)
    expect(await heartbeatBuild(db, row.id)).toEqual({ goOn: false })
    expect(await claimBuild(db)).toBeNull()
  })

  it('hear of a cancel wish by their heartbeat, and end with their steps', async () => {
    const { build: row } = await build()
    await claimBuild(db)
    const step = { stage: '0', name: 'RUN', instruction: 'RUN x', line: 1, inputs: [] }
    await replaceBuildSteps(db, row.id, [
      { ...step, position: 0, vertexId: 'v0' },
      { ...step, position: 1, vertexId: 'v1' },
    ])
    await updateBuildSteps(db, row.id, new Map([['v0', { state: 'done' }]]))
    await updateBuildSteps(db, row.id, new Map([['v1', { state: 'running' }]]))
    expect(await heartbeatBuild(db, row.id)).toEqual({ goOn: true })
    expect(await requestBuildCancel(db, 'org_other', row.id)).toBe(false)
    expect(await requestBuildCancel(db, organizationId, row.id)).toBe(true)
    expect(await heartbeatBuild(db, row.id)).toEqual({ goOn: false })
    await finishBuild(db, row.id, 'canceled')
    expect((await db.buildStep.findMany({ where: { buildId: row.id }, orderBy: { position: 'asc' } })).map(({ state }) => state)).toEqual([
      'done',
      'canceled',
    ])
  })

  it('end with a step whose layer is still being packed as done when the next one began', async () => {
    const { build: row } = await build()
    await claimBuild(db)
    const step = { stage: 'build', name: 'RUN', instruction: 'RUN x', line: 1, inputs: [] }
    await replaceBuildSteps(db, row.id, [
      { ...step, position: 1, vertexId: 'v0' },
      { ...step, position: 2, vertexId: 'v1' },
      { ...step, position: 3, vertexId: 'v2', stage: 'final' },
    ])
    await updateBuildSteps(db, row.id, new Map([['v0', { state: 'running', startedAt: new Date(1000) }]]))
    await updateBuildSteps(
      db,
      row.id,
      new Map([['v1', { state: 'done', startedAt: new Date(4000), finishedAt: new Date(5000), durationMs: 1000 }]]),
    )
    await finishBuild(db, row.id, 'succeeded')
    const steps = await db.buildStep.findMany({ where: { buildId: row.id }, orderBy: { position: 'asc' } })
    expect(steps.map(({ state, durationMs }) => [state, durationMs])).toEqual([
      ['done', 3000],
      ['done', 1000],
      ['skipped', null],
    ])
  })

  it('go back to the queue only when their worker is silent', async () => {
    const { build: row } = await build()
    await claimBuild(db)
    expect(await requeueBuild(db, row.id, new Date(Date.now() - 60_000))).toBe(false)
    expect((await openBuilds(db, soon())).stale.map(({ id }) => id)).toContain(row.id)
    expect(await requeueBuild(db, row.id, soon())).toBe(true)
    expect((await openBuilds(db, soon())).waiting.map(({ id }) => id)).toContain(row.id)
    expect(await claimBuild(db)).toMatchObject({ id: row.id, attempt: 2 })
  })

  it('are not claimed once their app is being deleted', async () => {
    await build()
    await db.app.update({ where: { id: appId }, data: { deletedAt: new Date() } })
    expect(await claimBuild(db)).toBeNull()
    expect(await createBuild(db, organizationId, appId, { trigger: 'push', actorLabel: 'x', branch: null })).toBeNull()
  })

  it('keep a log that may be sent twice and holds what Postgres cannot', async () => {
    const { build: row } = await build()
    const chunk = (seq: number, text: string) => ({ seq, position: null, stream: 'stdout' as const, at: new Date(), text })
    expect(await lastBuildLogSeq(db, row.id)).toBe(0)
    await appendBuildLogs(db, row.id, [chunk(1, 'a\0b'), chunk(2, 'c')])
    await appendBuildLogs(db, row.id, [chunk(2, 'again'), chunk(3, 'd')])
    expect(await lastBuildLogSeq(db, row.id)).toBe(3)
    expect((await readBuildLogs(db, organizationId, row.id, 0, 10)).map(({ text }) => text)).toEqual(['a\uFFFDb', 'c', 'd'])
    expect(await readBuildLogs(db, 'org_other', row.id, 0, 10)).toEqual([])
  })

  it('that were published and not deployed are found, the newest of each app', async () => {
    const first = await build()
    await claimBuild(db)
    await finishBuild(db, first.build.id, 'succeeded', { facts: { manifestDigest: 'sha256:1' } })
    expect(await undeployedBuilds(db, new Date(Date.now() - 60_000))).toContain(first.build.id)
    const second = await build()
    await claimBuild(db)
    await finishBuild(db, second.build.id, 'succeeded', { facts: { manifestDigest: 'sha256:2' } })
    const found = await undeployedBuilds(db, new Date(Date.now() - 60_000))
    expect(found).toContain(second.build.id)
    expect(found).not.toContain(first.build.id)
  })
})

describe('deployments', () => {
  it('are claimed by one worker, one per app, in the order of the machine of states', async () => {
    const id = await deployment()
    const claims = await Promise.all(Array.from({ length: 6 }, () => claimDeployment(db, id, hostId)))
    expect(claims.filter((claim) => claim.outcome === 'claimed')).toHaveLength(1)
    const next = await deployment()
    expect(await claimDeployment(db, next, hostId)).toEqual({ outcome: 'busy' })
    expect(await moveDeployment(db, id, 'switching')).toBe(false)
    expect(await pointApp(db, id)).toBe(false)
    expect(await switchServing(db, id)).toBe(false)
    expect(await moveDeployment(db, id, 'checking')).toBe(true)
    expect(await moveDeployment(db, id, 'switching')).toBe(true)
    expect(await switchServing(db, id), 'before the router was told').toBe(false)
    expect(await pointApp(db, id)).toBe(true)
    expect((await claimDeployment(db, next, hostId)).outcome).toBe('busy')
    expect(await switchServing(db, id)).toBe(true)
    expect((await claimDeployment(db, next, hostId)).outcome).toBe('claimed')
  })

  it('are no longer stopped once they switch', async () => {
    const id = await deployment()
    await claimDeployment(db, id, hostId)
    await moveDeployment(db, id, 'checking')
    await moveDeployment(db, id, 'switching')
    expect(await requestDeploymentCancel(db, organizationId, id)).toBe(false)
    expect(await heartbeatDeployment(db, id)).toEqual({ goOn: true })
  })

  it('do not start serving when their app was deleted meanwhile', async () => {
    const id = await deployment()
    await claimDeployment(db, id, hostId)
    await moveDeployment(db, id, 'checking')
    await moveDeployment(db, id, 'switching')
    await db.app.update({ where: { id: appId }, data: { deletedAt: new Date() } })
    expect(await pointApp(db, id)).toBe(false)
    expect(await switchServing(db, id)).toBe(false)
  })

  it('leave the app to the one before, when they end or start over while they switch', async () => {
    const serving = async () => (await db.app.findUniqueOrThrow({ where: { id: appId } })).servingDeploymentId
    const switching = async () => {
      const id = await deployment()
      await claimDeployment(db, id, hostId)
      await moveDeployment(db, id, 'checking')
      await moveDeployment(db, id, 'switching')
      expect(await pointApp(db, id)).toBe(true)
      expect(await serving()).toBe(id)
      return id
    }
    const first = await switching()
    await finishDeployment(db, first, 'failed', { code: 'X', message: 'the very first' })
    expect(await serving()).toBeNull()
    const second = await switching()
    expect(await switchServing(db, second)).toBe(true)
    expect(await pointAppBack(db, second), 'it serves').toBe(false)
    const third = await switching()
    expect(await neededDeployments(db, [second, third], new Date())).toEqual(new Set([second, third]))
    expect(await requeueDeployment(db, third, soon())).toBe(true)
    expect(await serving()).toBe(second)
    expect(await switchServing(db, third)).toBe(false)
    await claimDeployment(db, third, hostId)
    await moveDeployment(db, third, 'checking')
    await moveDeployment(db, third, 'switching')
    await pointApp(db, third)
    await finishDeployment(db, third, 'failed', { code: 'X', message: 'it ended' })
    expect(await serving()).toBe(second)
    const fourth = await switching()
    expect(await switchServing(db, fourth)).toBe(true)
    expect(await db.deployment.findUniqueOrThrow({ where: { id: second } })).toMatchObject({
      state: 'retired',
      finishedAt: expect.any(Date),
    })
  })

  it('start over with open hops when their worker was silent', async () => {
    const id = await deployment()
    await claimDeployment(db, id, hostId)
    expect(await requeueDeployment(db, id, new Date(0))).toBe(false)
    expect(await requeueDeployment(db, id, soon())).toBe(true)
    expect((await claimDeployment(db, id, hostId)).outcome).toBe('claimed')
  })

  it('are routed to their running containers, while the app shall run', async () => {
    const id = await deployment()
    await claimDeployment(db, id, hostId)
    await moveDeployment(db, id, 'checking')
    await moveDeployment(db, id, 'switching')
    await pointApp(db, id)
    await switchServing(db, id)
    const other = await deployment()
    const container = { organizationId, appId, hostId, port: 8080 }
    for (const [index, [deploymentId, state]] of (
      [
        [id, 'running'],
        [id, 'exited'],
        [other, 'running'],
      ] as const
    ).entries())
      await db.container.create({
        data: {
          ...container,
          id: newId('container'),
          deploymentId,
          engineId: `${appId}${index}`,
          name: `c${index}`,
          address: '10.1.0.2',
          state,
        },
      })
    const mine = async () => (await listRoutes(db)).filter((route) => route.appId === appId)
    expect(await mine()).toMatchObject([{ deploymentId: id, containers: [{ name: 'c0', address: '10.1.0.2', port: 8080 }] }])
    // Started again by the engine: once it is news, then it is known.
    const again = async (engineId: string, address: string) => [
      await noteRestart(db, engineId, address),
      await noteRestart(db, engineId, address),
    ]
    expect([await again(`${appId}0`, '10.1.0.9'), await again(`${appId}1`, '10.1.0.2')]).toEqual([
      [true, false],
      [true, false],
    ])
    expect((await mine())[0]?.containers.map((c) => c.address).sort()).toEqual(['10.1.0.2', '10.1.0.9'])
    // Its first start is noted by its deployment.
    await db.container.updateMany({ where: { engineId: `${appId}0` }, data: { state: 'created', address: null } })
    expect(await noteRestart(db, `${appId}0`, '10.1.0.3')).toBe(false)
    await db.app.update({ where: { id: appId }, data: { desiredState: 'stopped' } })
    expect(await mine()).toEqual([])
  })
})
