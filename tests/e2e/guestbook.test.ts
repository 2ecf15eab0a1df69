/** An app with state, built with apt-get and npm ci from the Debian base: what it keeps outlives every fault, stop and deployment. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createAgent } from '@slipway/agent-client'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Ready, readyInstallation } from './support/account'
import { fetchApp, until } from './support/api'
import { buildOver, deploymentSettled, serving } from './support/apps'
import { APT_AND_NPM_BUILD_MS, baseImages } from './support/base-images'
import type { PartName } from './support/installation'

let ready: Ready
/** What was signed so far, the newest first, as the app lists it. */
const signed: string[] = []

beforeAll(async () => {
  ready = await readyInstallation()
  await timed('base images', () => baseImages(ready.installation))
})
afterAll(() => ready?.installation.remove())

const HOST = 'guestbook.localhost'
const answers = (path: string) => fetchApp(ready.installation.routerPort, HOST, path)
const sign = async (name: string) => {
  const { status } = await fetchApp(ready.installation.routerPort, HOST, '/', { name, message: `${name} was here` })
  expect(status, `signing as ${name}`).toBe(303)
  signed.unshift(name)
}
async function entries(): Promise<string[]> {
  const { status, text } = await answers('/entries.json')
  if (status !== 200) throw new Error(`/entries.json: ${status} ${text.slice(0, 200)}`)
  return (JSON.parse(text) as { name: string }[]).map((entry) => entry.name)
}
const healthy = () =>
  until('health is ok', async () => {
    const { status } = (await (await fetch(`${ready.installation.webUrl}/api/health`)).json()) as { status: string }
    return status === 'ok'
  })
const volumes = () => readdirSync(join(ready.installation.data, 'agent/volumes'))

/** The one container that runs, its first process and that one's parent; process numbers as this machine knows them. */
async function container(): Promise<{ id: string; pid: number; shim: number }> {
  const { docker } = createAgent({ socketPath: ready.installation.agentSocket })
  const [running] = await docker.listContainers()
  if (!running) throw new Error('no container runs')
  const { Pid: pid } = (await docker.getContainer(running.Id).inspect()).State
  return { id: running.Id, pid, shim: Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) }
}
const childrenOf = (pid: number) => readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number)
const nameOf = (pid: number) => readFileSync(`/proc/${pid}/comm`, 'utf8').trim()

/** Runs it and prints how long it took, so that a regression can be seen; nothing is asserted about it. */
async function timed<T>(what: string, work: () => Promise<T>): Promise<T> {
  const from = Date.now()
  const result = await work()
  process.stdout.write(`${what}: ${((Date.now() - from) / 1000).toFixed(1)} s\n`)
  return result
}

it('making the base images a second time finds them there', async () => {
  const printed = await timed('base images again', () => baseImages(ready.installation))
  expect(printed.match(/already there/g)).toHaveLength(3)
})

it(
  'is built with apt-get and npm ci, and serves',
  async () => {
    const { api, org } = ready
    expect(await api.apps.createExample.mutate({ org, example: 'guestbook' })).toMatchObject({ app: 'guestbook' })
    const build = await timed('build', () => buildOver(api, org, 'guestbook', 1, APT_AND_NPM_BUILD_MS))
    expect(build.error).toBeNull()
    const ran = (part: string) => build.steps.find((step) => step.instruction.includes(part))?.state
    expect([ran('apt-get update'), ran('npm ci'), ran('--from=build')]).toEqual(['done', 'done', 'done'])
    const { hostname } = await serving(api, org, 'guestbook')
    expect(hostname).toBe(HOST)
    // The banner is made by a program that apt-get installed, the page by a package that npm ci installed.
    expect((await answers('/')).text).toContain('<pre')
    await sign('ada')
    expect(await entries()).toEqual(signed)
    expect((await answers('/')).text).toContain('ada was here')
    expect(volumes()).toHaveLength(1)
  },
  APT_AND_NPM_BUILD_MS + 120_000,
)

const PARTS: PartName[] = ['registry', 'worker', 'web', 'agent', 'redis', 'postgres', 'caddy']
it.each(PARTS)('kill −9 of %s: it goes on', async (part) => {
  const { installation } = ready
  const before = installation.pid(part)
  installation.kill9(part)
  // Only the router's own death may be seen from outside, and only until it is back.
  if (part !== 'caddy') expect(await entries()).toEqual(signed)
  await timed(`healthy after kill −9 of ${part}`, async () => {
    // Health may be asked before the death is noticed.
    await until(`${part} is started again`, async () => installation.pid(part) !== before)
    await healthy()
  })
  await until('the app answers', async () => (await entries()).length === signed.length)
  await sign(part)
  expect(await entries()).toEqual(signed)
})

it('kill −9 of the engine’s spawner, then of the container’s own shim: the container is started again', async () => {
  const [spawner] = childrenOf(ready.installation.pid('agent')).filter((pid) => nameOf(pid) === 'slipway-spawner')
  if (!spawner) throw new Error('the agent has no spawner')
  process.kill(spawner, 'SIGKILL')
  expect(await entries()).toEqual(signed)
  const { shim } = await container()
  expect(nameOf(shim)).toBe('slipway-shim')
  process.kill(shim, 'SIGKILL')
  await timed('the app is back after kill −9 of its shim', () =>
    until('the app answers', async () => {
      // The old process may be seen for a moment, without its shim.
      const now = await container()
      return now.shim !== shim && nameOf(now.shim) === 'slipway-shim' && entries()
    }),
  )
  await sign('shim')
  expect(await entries()).toEqual(signed)
})

it('kill −9 of npm start: the app never notices, the next start takes over', async () => {
  const { installation } = ready
  const before = await container()
  await installation.abandon()
  expect(await entries()).toEqual(signed)
  await installation.start()
  await until('the app answers', entries)
  expect((await container()).id).toBe(before.id)
  await sign('supervisor')
})

it('everything at once, as when the power goes', async () => {
  const { installation } = ready
  const { pid, shim } = await container()
  await installation.abandon()
  for (const part of PARTS) installation.kill9(part)
  for (const process_ of [shim, pid]) process.kill(process_, 'SIGKILL')
  expect((await answers('/entries.json')).status).toBe(0)
  await timed('start after a power cut', () => installation.start())
  await timed('the app is back', () => until('the app answers', entries))
  expect(await entries()).toEqual(signed)
  await sign('power')
  await healthy()
})

it('a full stop and a start', async () => {
  const { installation } = ready
  expect(await timed('stop', () => installation.stop())).toBe(0)
  await timed('start', () => installation.start())
  await timed('the app is back', () => until('the app answers', entries))
  expect(await entries()).toEqual(signed)
  await healthy()
})

it('a second deployment, and then a second build, find what the first one kept', async () => {
  const { api, org } = ready
  const redeployed = await api.deployments.redeploy.mutate({ org, app: 'guestbook' })
  expect((await deploymentSettled(api, org, 'guestbook', redeployed.number)).state).toBe('serving')
  expect(await entries()).toEqual(signed)
  await sign('after a redeploy')
  await api.builds.trigger.mutate({ org, app: 'guestbook' })
  const build = await timed('second build', () => buildOver(api, org, 'guestbook', 2))
  expect(build.error).toBeNull()
  expect(build.steps.map((step) => step.state)).toEqual(build.steps.map(() => 'cached'))
  await until('the second build serves', async () => (await serving(api, org, 'guestbook')).deployment > redeployed.number)
  expect(await entries()).toEqual(signed)
  expect(volumes()).toHaveLength(1)
})

it('deleting names the volume, and takes it', async () => {
  const { api, org } = ready
  const removes = await api.apps.delete.mutate({ org, app: 'guestbook', confirm: 'guestbook' })
  expect(removes.volumes).toEqual(['/data'])
  await until('the volume is gone', async () => volumes().length === 0)
  expect((await answers('/')).status).toBe(404)
})
