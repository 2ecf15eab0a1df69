import { createHash } from 'node:crypto'
import { claimDeployment, finishDeployment, moveDeployment, pointApp, setHop, switchServing, upsertHost } from '@slipway/db'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import type { Scope } from '../scope'
import { createHarness, type Harness } from '../testing/harness'

let h: Harness
let scope: Scope
let hostId: string
let app: string
let appId: string

beforeAll(async () => {
  h = await createHarness()
  scope = await h.scope(await h.user('Ada', 'acme'), 'acme')
  await h.services.projects.create(scope, { name: 'Shop' })
  const facts = { instance: null, version: '1', os: 'Debian', kernel: '6', architecture: 'x86_64', cpus: 2, memoryBytes: 1n }
  hostId = (await upsertHost(h.db, 'this', facts)).id
})
afterAll(() => h.close())
beforeEach(async () => {
  const base = { source: 'git' as const, project: 'shop', name: 'web', gitUrl: 'https://git.example.com/web.git', gitBranch: 'main' }
  const rest = { dockerfilePath: 'Dockerfile', contextPath: '.', healthPath: '/', healthTimeoutSeconds: 60, autoDeploy: true }
  const variables = [{ scope: 'runtime' as const, key: 'COLOR', value: 'red', secret: true }]
  app = (await h.services.apps.create(scope, { ...base, ...rest, variables })).app
  appId = (await h.services.apps.get(scope, { app })).id
})

const digestOf = (build: number) => `sha256:${createHash('sha256').update(`${appId} ${build}`).digest('hex')}`

/** What the worker does when build `number` is published. */
async function publish(number: number) {
  const build = await h.db.build.update({
    where: { appId_number: { appId, number } },
    data: {
      state: 'succeeded',
      commitSha: `${number}`.repeat(40),
      commitMessage: `Commit ${number}`,
      imageRepository: `slipway.local/acme/${app}`,
      manifestDigest: digestOf(number),
      startedAt: new Date(Date.now() - 3000),
      finishedAt: new Date(),
      publishMs: 500,
      bytesSent: 84_200_000n,
    },
  })
  return h.services.deployments.createFromBuild(build.id)
}
async function serve(id: string) {
  expect((await claimDeployment(h.db, id, hostId)).outcome).toBe('claimed')
  await setHop(h.db, id, 'start', 'running')
  await setHop(h.db, id, 'start', 'done', 'healthy after 120 ms')
  expect(await moveDeployment(h.db, id, 'checking')).toBe(true)
  expect(await moveDeployment(h.db, id, 'switching')).toBe(true)
  expect(await pointApp(h.db, id)).toBe(true)
  expect(await switchServing(h.db, id)).toBe(true)
}
async function deployed(number: number) {
  if (number > 1) await h.services.builds.trigger(scope, { app, noCache: false }, 'manual')
  const made = await publish(number)
  if (!made) throw new Error('no deployment was made')
  await serve(made.id)
  return made
}
const get = (number: number) => h.services.deployments.get(scope, { app, number })
const environment = async (number: number) => h.services.deployments.environment((await get(number)).id)

it('makes one deployment per build, however often it is asked, with the way so far', async () => {
  const made = await Promise.all([publish(1), publish(1), publish(1)])
  expect(new Set(made.map((one) => one?.id)).size).toBe(1)
  const view = await get(1)
  expect(view).toMatchObject({ kind: 'deploy', state: 'queued', commit: { message: 'Commit 1' }, image: { digest: digestOf(1) } })
  expect(view.hops.map(({ hop, state, proof }) => [hop, state, proof])).toEqual([
    ['push', 'done', '1111111 on main'],
    ['build', 'done', null],
    ['publish', 'done', '84.2 MB sent'],
    ['start', 'pending', null],
    ['switch', 'pending', null],
  ])
  expect(await h.queues.deploy.getJob(view.id)).toBeTruthy()
  expect(await environment(1)).toEqual(['COLOR=red'])
})

it('switches in one step: the new one serves, the old one is retired, the app points at it', async () => {
  const first = await deployed(1)
  const second = await deployed(2)
  expect([(await get(1)).state, (await get(2)).state]).toEqual(['retired', 'serving'])
  const view = await h.services.apps.get(scope, { app })
  expect(view).toMatchObject({ state: 'live', activity: 'Serving #2', serving: { id: second.id } })
  // A worker that comes back late changes nothing.
  expect(await pointApp(h.db, first.id)).toBe(false)
  expect(await switchServing(h.db, first.id)).toBe(false)
  expect(await finishDeployment(h.db, second.id, 'failed', { code: 'X', message: 'late' })).toBe(false)
})

it('rolls back to the image, the settings and the variables of then', async () => {
  await deployed(1)
  await h.services.apps.setVariables(scope, { app, variables: [{ scope: 'runtime', key: 'COLOR', value: 'blue', secret: true }] })
  await h.services.apps.update(scope, { app, healthPath: '/healthz', port: 9000 })
  await deployed(2)
  expect(await environment(2)).toEqual(['COLOR=blue'])
  const { number } = await h.services.deployments.rollback(scope, { app }, 'manual')
  expect(await get(number)).toMatchObject({ kind: 'rollback', source: 1, image: { digest: digestOf(1) }, commit: { message: 'Commit 1' } })
  expect(await environment(number)).toEqual(['COLOR=red'])
  const row = await h.db.deployment.findUniqueOrThrow({ where: { appId_number: { appId, number } } })
  expect(row.settings).toMatchObject({ healthPath: '/', port: null })
  // The rollback itself changes no settings of the app: the next build takes those of now.
  expect((await h.services.apps.get(scope, { app })).settings).toMatchObject({ healthPath: '/healthz', port: 9000 })
})

it('rolls back only to what served', async () => {
  await deployed(1)
  await expect(h.services.deployments.rollback(scope, { app }, 'manual')).rejects.toMatchObject({ code: 'CANNOT_ROLL_BACK' })
  await expect(h.services.deployments.rollback(scope, { app, number: 1 }, 'manual')).rejects.toMatchObject({ code: 'CANNOT_ROLL_BACK' })
  await expect(h.services.deployments.rollback(scope, { app, number: 9 }, 'manual')).rejects.toMatchObject({ code: 'DEPLOYMENT_NOT_FOUND' })
})

it('redeploys what serves with the variables of now, and supersedes one that still waits', async () => {
  await deployed(1)
  await h.services.apps.setVariables(scope, { app, variables: [] })
  const first = await h.services.deployments.redeploy(scope, { app }, 'manual')
  const second = await h.services.deployments.redeploy(scope, { app }, 'api')
  expect((await get(first.number)).state).toBe('superseded')
  expect(await get(second.number)).toMatchObject({ kind: 'redeploy', state: 'queued', trigger: 'api', image: { digest: digestOf(1) } })
  expect(await environment(second.number)).toEqual([])
  expect(await h.services.apps.get(scope, { app })).toMatchObject({
    state: 'deploying',
    serving: { number: 1 },
    inFlight: { number: second.number },
  })
})

it('has nothing to redeploy before the first image', async () => {
  await expect(h.services.deployments.redeploy(scope, { app }, 'manual')).rejects.toMatchObject({ code: 'NOTHING_TO_DEPLOY' })
})

it('keeps the old one serving when the new one fails, and says why', async () => {
  await deployed(1)
  await h.services.builds.trigger(scope, { app, noCache: false }, 'manual')
  const made = await publish(2)
  await claimDeployment(h.db, made?.id ?? '', hostId)
  await setHop(h.db, made?.id ?? '', 'start', 'running')
  await finishDeployment(h.db, made?.id ?? '', 'failed', { code: 'HEALTH_TIMEOUT', message: 'It did not answer on port 8080.' })
  const view = await get(2)
  expect(view).toMatchObject({ state: 'failed', error: { code: 'HEALTH_TIMEOUT' }, canRollBack: false })
  expect(view.hops.slice(3)).toMatchObject([{ state: 'failed', proof: 'It did not answer on port 8080.' }, { state: 'skipped' }])
  expect(await h.services.apps.get(scope, { app })).toMatchObject({
    state: 'live',
    activity: 'Deployment #2 failed',
    serving: { number: 1 },
  })
})

it('cancels one that waits or starts, not one that serves', async () => {
  const made = await publish(1)
  expect(await h.services.deployments.cancel(scope, { app, number: 1 })).toMatchObject({
    state: 'canceled',
    hops: [{}, {}, {}, { state: 'canceled' }, {}],
  })
  expect((await claimDeployment(h.db, made?.id ?? '', hostId)).outcome).toBe('over')
  const again = await h.services.deployments.redeploy(scope, { app }, 'manual')
  await serve((await get(again.number)).id)
  await expect(h.services.deployments.cancel(scope, { app, number: again.number })).rejects.toMatchObject({ code: 'TOO_LATE_TO_CANCEL' })
})

it('does not deploy a build of an app that was stopped meanwhile; starting it does', async () => {
  await h.services.apps.stop(scope, { app })
  expect(await publish(1)).toBeNull()
  await h.services.apps.start(scope, { app })
  expect((await get(1)).state).toBe('queued')
})
