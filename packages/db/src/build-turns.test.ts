/** Which build a worker takes up next, and what those that wait are told. */
import { newId } from '@slipway/core'
import { createTestDatabase, type TestDatabase } from '@slipway/testing'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { claimBuild, createBuild, type Db, finishBuild, queuePosition, requeueBuild } from './index'

let database: TestDatabase
let db: Db

beforeAll(async () => {
  database = await createTestDatabase()
  db = database.db
})
afterAll(() => database.drop())
beforeEach(() => db.organization.deleteMany())

/** An organization with so many apps. Gives what queues the next build of one of them, by its place. */
async function organization(slug: string, apps: number) {
  const organizationId = newId('organization')
  await db.organization.create({ data: { id: organizationId, slug, name: slug } })
  const projectId = newId('project')
  await db.project.create({ data: { id: projectId, organizationId, slug: 'shop', name: 'Shop' } })
  const ids = Array.from({ length: apps }, () => newId('app'))
  await db.app.createMany({
    data: ids.map((id, i) => ({ id, organizationId, projectId, slug: `app-${i}`, name: 'App', source: 'git' as const })),
  })
  return {
    ids,
    async queue(app: number, deploys = true) {
      const upload = { options: {}, secrets: new Uint8Array(1), dockerfile: '', deploys }
      const created = await createBuild(db, organizationId, ids[app] ?? '', { trigger: 'manual', actorLabel: 'Ada', branch: null, upload })
      if (!created) throw new Error('not created')
      return created.build.id
    },
    async pull(app: number, number: number) {
      const pullRequest = { number, title: 'Blue', ref: `refs/pull/${number}/head`, fromFork: true }
      const data = { trigger: 'pull_request', actorLabel: 'Mallory', branch: 'blue', pullRequest } as const
      const created = await createBuild(db, organizationId, ids[app] ?? '', data)
      if (!created) throw new Error('not created')
      return created.build.id
    },
  }
}
async function queueAll(of: Awaited<ReturnType<typeof organization>>) {
  const builds: string[] = []
  for (const app of of.ids.keys()) builds.push(await of.queue(app))
  return builds
}
const claim = async () => (await claimBuild(db))?.id ?? null
const position = (id: string) => queuePosition(db, { id, state: 'queued' })

it("gives the second slot to the other organization's one build, and says so", async () => {
  const many = await queueAll(await organization('acme', 5))
  const [one] = await queueAll(await organization('beta', 1))
  expect(await Promise.all([...many, one ?? ''].map(position))).toEqual([0, 2, 3, 4, 5, 1])
  expect(await claim()).toBe(many[0])
  expect(await Promise.all([...many.slice(1), one ?? ''].map(position))).toEqual([2, 3, 4, 5, 1])
  expect(await claim()).toBe(one)
  expect(await claim()).toBe(many[1])
})

it('takes turns with one slot, too: among those with as many running, whose last one began first', async () => {
  const many = await queueAll(await organization('acme', 3))
  const few = await queueAll(await organization('beta', 2))
  const order: (string | null)[] = []
  for (let i = 0; i < 6; i++) {
    const id = await claim()
    order.push(id)
    if (id) await finishBuild(db, id, 'succeeded')
  }
  expect(order).toEqual([many[0], few[0], many[1], few[1], many[2], null])
})

it('passes over an app that is being built, whose next build is the last to come', async () => {
  const acme = await organization('acme', 2)
  const first = await acme.queue(0)
  const second = await acme.queue(0, false)
  const other = await acme.queue(1)
  expect(await Promise.all([first, second, other].map(position))).toEqual([0, 2, 1])
  expect([await claim(), await claim(), await claim()]).toEqual([first, other, null])
  await finishBuild(db, first, 'succeeded')
  expect(await claim()).toBe(second)
})

it('hands each build to one worker, however many reach for a turn at once', async () => {
  const builds = [...(await queueAll(await organization('acme', 3))), ...(await queueAll(await organization('beta', 3)))]
  const claims = await Promise.all(Array.from({ length: 8 }, claim))
  expect(claims.filter((id) => id !== null).sort()).toEqual(builds.sort())
})

it('gives a build whose worker was lost its place back', async () => {
  const builds = await queueAll(await organization('acme', 2))
  expect(await claim()).toBe(builds[0])
  expect(await requeueBuild(db, builds[0] ?? '', new Date(Date.now() + 60_000))).toBe(true)
  expect(await claim()).toBe(builds[0])
})

it('lets no pull request hold up what is to be deployed', async () => {
  const acme = await organization('acme', 2)
  const pulls = [await acme.pull(0, 1), await acme.pull(0, 2)]
  const [first, other] = await queueAll(acme)
  expect(await Promise.all([first ?? '', other ?? '', ...pulls].map(position))).toEqual([0, 1, 2, 3])
  expect([await claim(), await claim(), await claim()]).toEqual([first, other, pulls[0]])
  // One of an app at a time, and beside it the app's own.
  expect(await claim()).toBeNull()
  if (first) await finishBuild(db, first, 'succeeded')
  const next = await acme.queue(0)
  expect(await claim()).toBe(next)
  if (pulls[0]) await finishBuild(db, pulls[0], 'succeeded')
  expect(await claim()).toBe(pulls[1])
})
