/** A full disk, of the host's engine and of the registry: said in a sentence, what serves goes on, and with room again it works. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startGitServer, type TestGitServer } from '@slipway/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Ready, readyInstallation } from './support/account'
import { fetchApp, until } from './support/api'
import { buildOver, createGitApp, serving, textApp } from './support/apps'

const MIB = 1024 * 1024
const AGENT_DISK = 320 * MIB
const REGISTRY_DISK = 24 * MIB

let ready: Ready
let git: TestGitServer

/** Gives one part a disk of its own. Before the first start, so that everything of the part lies on it. */
function smallDisk(data: string, part: 'agent' | 'registry', bytes: number): void {
  const folder = join(data, part)
  mkdirSync(folder, { mode: 0o700 })
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes},mode=0700`, 'tmpfs', folder])
}

beforeAll(async () => {
  git = await startGitServer()
  ready = await readyInstallation({}, ({ data }) => {
    smallDisk(data, 'agent', AGENT_DISK)
    smallDisk(data, 'registry', REGISTRY_DISK)
  })
  git.commit('steady', 'First', textApp('steady'))
  await createGitApp(ready.api, ready.org, { name: 'Steady', gitUrl: `${git.url}/steady.git` })
  await serving(ready.api, ready.org, 'steady')
})
afterAll(async () => {
  await ready?.installation.remove()
  await git?.stop()
})

/** Takes what is left of a part's disk but `left` bytes; gives the way to undo it. */
function fill(part: 'agent' | 'registry', left: number): () => void {
  const folder = join(ready.installation.data, part)
  const { bavail, bsize } = statfsSync(folder)
  const file = join(folder, 'filler')
  writeFileSync(file, Buffer.alloc(Math.max(0, bavail * bsize - left)))
  return () => rmSync(file)
}

const steady = async () => expect((await fetchApp(ready.installation.routerPort, 'steady.localhost')).text).toBe('steady\n')
const firstBuild = async (name: string, files: Record<string, string>) => {
  git.commit(name, 'First', files)
  const app = await createGitApp(ready.api, ready.org, { name, gitUrl: `${git.url}/${name}.git` })
  return buildOver(ready.api, ready.org, app, 1)
}
/** The same app, built and served in the end: nothing that failed before is in the way. */
async function builtAgain(app: string, number: number, text: string): Promise<void> {
  const { api, org, installation } = ready
  await api.builds.trigger.mutate({ org, app })
  expect((await buildOver(api, org, app, number)).error).toBeNull()
  const { hostname } = await serving(api, org, app)
  await until(`${app} answers ${text}`, async () => (await fetchApp(installation.routerPort, hostname)).text === `${text}\n`)
}

describe('the disk of the host', () => {
  it('fills up in a step: the build says so, leaves no trace, and the next one has all the room', async () => {
    const greedy = (megabytes: number) => textApp('greedy', `RUN dd if=/dev/zero of=/large bs=1M count=${megabytes}\n`)
    const build = await firstBuild('greedy', greedy(400))
    expect(build).toMatchObject({ state: 'failed', error: { code: 'DISK_FULL' } })
    // Whichever comes first on a disk as small as this: its reserve, or its end, which the step itself meets.
    expect(build.error?.message).toMatch(/disk of the build host runs full: the step wrote|build host whose disk is full; free some space/)
    await steady()
    git.commit('greedy', 'Take less', greedy(100))
    await builtAgain('greedy', 2, 'greedy')
    await steady()
  })

  it('is full already: a build and a new container are refused with the reason, and go through when there is room', async () => {
    const { api, org, installation } = ready
    const undo = fill('agent', 0)
    try {
      const build = await firstBuild('late', textApp('late'))
      expect(build).toMatchObject({ state: 'failed', error: { code: 'DISK_FULL' } })
      await steady()
      const { number } = await api.deployments.redeploy.mutate({ org, app: 'steady' })
      const deployment = await until('the deployment ends', async () => {
        const found = await api.deployments.get.query({ org, app: 'steady', number })
        return found.state === 'failed' && found
      })
      expect(deployment.error).toMatchObject({
        code: 'DISK_FULL',
        message: expect.stringMatching(/disk of the host is full.*keeps serving/),
      })
      await steady()
      const health = (await (await fetch(`${installation.webUrl}/api/health`)).json()) as { status: string }
      expect(health.status).toBe('ok')
    } finally {
      undo()
    }
    await builtAgain('late', 2, 'late')
    await steady()
  })
})

describe('the disk of the registry', () => {
  it('fills up in a push: the build says so, and its image is published when there is room', async () => {
    const build = await firstBuild('noise', textApp('noise', `RUN dd if=/dev/urandom of=/noise bs=1M count=40\n`))
    expect(build).toMatchObject({ state: 'failed', error: { code: 'DISK_FULL' } })
    expect(build.error?.message).toMatch(/disk of the registry is full.*Free space or delete images/)
    expect(build.steps.every((step) => step.state === 'done' || step.state === 'cached')).toBe(true)
    await steady()
    execFileSync('mount', ['-o', `remount,size=${3 * REGISTRY_DISK}`, join(ready.installation.data, 'registry')])
    await builtAgain('noise', 2, 'noise')
    await steady()
  })
})
