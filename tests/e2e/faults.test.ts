/** What a user sees when something is wrong: every fault has a code and a sentence, and what served before keeps serving. */
import { symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startGitServer, type TestGitServer } from '@slipway/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Ready, readyInstallation } from './support/account'
import { fetchApp, until } from './support/api'
import { buildOver, createGitApp, deploymentSettled, serving, textApp } from './support/apps'

let ready: Ready
let git: TestGitServer
let closed: TestGitServer
beforeAll(async () => {
  git = await startGitServer()
  closed = await startGitServer({ token: 'sesame' })
  ready = await readyInstallation()
})
afterAll(async () => {
  await ready?.installation.remove()
  await git?.stop()
  await closed?.stop()
})

const url = (repository: string) => `${git.url}/${repository}.git`
/** The first build of a new app, over. */
async function firstBuild(name: string, gitUrl: string, extra: Partial<Parameters<typeof createGitApp>[2]> = {}) {
  const { api, org } = ready
  const app = await createGitApp(api, org, { name, gitUrl, ...extra })
  return { app, build: await buildOver(api, org, app, 1) }
}

describe('sources', () => {
  it.each([
    ['unknown host', 'http://no-such-host.invalid/x.git', 'GIT_HOST_UNKNOWN'],
    ['no repository', 'ABSENT', 'GIT_REPOSITORY_NOT_FOUND'],
  ])('%s', async (name, gitUrl, code) => {
    const { build } = await firstBuild(name, gitUrl === 'ABSENT' ? url('absent') : gitUrl)
    expect(build).toMatchObject({ state: 'failed', error: { code } })
  })

  it('a missing branch', async () => {
    git.commit('branchless', 'First', textApp('one'))
    const { build } = await firstBuild('Branchless', url('branchless'), { gitBranch: 'release' })
    expect(build.error?.code).toBe('GIT_BRANCH_NOT_FOUND')
  })

  it('a private repository without, and then with, a token', async () => {
    closed.commit('private', 'First', textApp('private'))
    const { app, build } = await firstBuild('Private', `${closed.url}/private.git`)
    expect(build.error?.code).toBe('GIT_AUTH_REQUIRED')
    expect(build.error?.message).toMatch(/token/)
    const { api, org } = ready
    await api.apps.update.mutate({ org, app, gitToken: 'sesame' })
    await api.builds.trigger.mutate({ org, app })
    const { hostname } = await serving(api, org, app)
    expect((await fetchApp(ready.installation.routerPort, hostname)).text).toBe('private\n')
    const logs = await api.builds.logs.query({ org, app, number: 2 })
    expect(JSON.stringify(logs)).not.toContain('sesame')
  })

  it('no Dockerfile', async () => {
    git.commit('empty', 'First', { 'README.md': '' })
    const { build } = await firstBuild('Empty', url('empty'))
    expect(build.error?.code).toBe('DOCKERFILE_NOT_FOUND')
  })

  it('a syntax error, with its line', async () => {
    git.commit('syntax', 'First', { Dockerfile: 'FROM slipway.local/base/busybox\n\nCOPPY a b\n' })
    const { build } = await firstBuild('Syntax', url('syntax'))
    expect(build.state).toBe('failed')
    expect(build.error?.details).toMatchObject({ line: 3 })
    expect(build.error?.message).toMatch(/COPPY/)
  })

  it('a base image that does not exist, and one of another organization', async () => {
    git.commit('nobase', 'First', { Dockerfile: 'FROM slipway.local/base/no-such-thing\nRUN true\n' })
    expect((await firstBuild('Nobase', url('nobase'))).build.error?.code).toBe('BASE_IMAGE_NOT_FOUND')
    git.commit('foreign', 'First', { Dockerfile: 'FROM slipway.local/somebody-else/secret\nRUN true\n' })
    expect((await firstBuild('Foreign', url('foreign'))).build.error?.code).toBe('BASE_IMAGE_NOT_FOUND')
  })

  it('a Dockerfile of 1 MB is read, one byte more is refused', async () => {
    const base = 'FROM slipway.local/base/busybox\nCMD ["httpd", "-f", "-p", "8080"]\n'
    git.commit('big', 'First', { Dockerfile: `${base}# ${'x'.repeat(1024 * 1024 - base.length - 3)}\n` })
    expect((await firstBuild('Big', url('big'))).build.state).toBe('succeeded')
    git.commit('bigger', 'First', { Dockerfile: `${base}# ${'x'.repeat(1024 * 1024 - base.length - 2)}\n` })
    expect((await firstBuild('Bigger', url('bigger'))).build.error?.code).toBe('FILE_TOO_LARGE')
  })

  it('symbolic links out of the repository bring nothing of the host into the image', async () => {
    const tree = git.worktree('links')
    writeFileSync(
      join(tree, 'Dockerfile'),
      'FROM slipway.local/base/busybox\nCOPY . /www\nRUN cat /www/shadow; ls -la /www\nCOPY shadow /stolen\n',
    )
    symlinkSync('/etc/shadow', join(tree, 'shadow'))
    symlinkSync('../../../../../../etc', join(tree, 'etc'))
    git.commitAll('links', 'First')
    const { app, build } = await firstBuild('Links', url('links'))
    expect(build.state).toBe('failed')
    const logs = await ready.api.builds.logs.query({ org: ready.org, app, number: 1 })
    expect(logs.map((l) => l.text).join('')).not.toMatch(/root:.*:\d+:/)
    const outside = git.worktree('outside')
    symlinkSync('/etc', join(outside, 'context'))
    symlinkSync('/etc/hostname', join(outside, 'Dockerfile'))
    git.commitAll('outside', 'First')
    expect((await firstBuild('Outside', url('outside'))).build.error?.code).toBe('PATH_OUTSIDE_REPOSITORY')
  })
})

describe('builds', () => {
  it('a failing RUN: exit code and last lines on top', async () => {
    git.commit('failing', 'First', {
      Dockerfile: 'FROM slipway.local/base/busybox\nRUN echo "reading config"; echo "no such setting: COLOUR" >&2; exit 42\n',
    })
    const { build } = await firstBuild('Failing', url('failing'))
    expect(build.error).toMatchObject({ code: 'EXEC_FAILED', details: { exitCode: 42, line: 2 } })
    expect(build.error?.details.lastLines?.join('\n')).toContain('no such setting: COLOUR')
    expect(build.steps.at(-1)).toMatchObject({ state: 'failed', exitCode: 42 })
  })

  it('keeps every line of a burst of 5,000, in order', async () => {
    git.commit('burst', 'First', {
      Dockerfile:
        'FROM slipway.local/base/busybox\nRUN i=0; while [ $i -lt 5000 ]; do echo "line $i"; i=$((i+1)); done\nCMD ["httpd", "-f", "-p", "8080"]\n',
    })
    const { app, build } = await firstBuild('Burst', url('burst'))
    expect(build.state).toBe('succeeded')
    let text = ''
    for (let after = 0; ; ) {
      const chunks = await ready.api.builds.logs.query({ org: ready.org, app, number: 1, after, limit: 5000 })
      if (chunks.length === 0) break
      text += chunks
        .filter((c) => c.stream === 'stdout')
        .map((c) => c.text)
        .join('')
      after = chunks.at(-1)?.seq ?? after
    }
    expect(text.match(/line \d+/g)).toEqual(Array.from({ length: 5000 }, (_, i) => `line ${i}`))
  })

  it('cancel ends a running build at once', async () => {
    git.commit('endless', 'First', { Dockerfile: 'FROM slipway.local/base/busybox\nRUN while true; do sleep 1; done\n' })
    const { api, org } = ready
    const app = await createGitApp(api, org, { name: 'Endless', gitUrl: url('endless') })
    await until('the step runs', async () =>
      (await api.builds.get.query({ org, app, number: 1 })).steps.some((s) => s.state === 'running' && s.instruction.startsWith('RUN')),
    )
    await api.builds.cancel.mutate({ org, app, number: 1 })
    expect((await buildOver(api, org, app, 1, 10_000)).state).toBe('canceled')
  })

  it('two pushes within a second: the newest wins, nothing is built twice at once', async () => {
    git.commit('twice', 'First', textApp('one', 'RUN sleep 2\n'))
    const { api, org } = ready
    const app = await createGitApp(api, org, { name: 'Twice', gitUrl: url('twice') })
    await until('the first runs', async () => (await api.builds.get.query({ org, app, number: 1 })).state === 'running')
    git.commit('twice', 'Second', { 'index.html': 'two\n' })
    await api.builds.trigger.mutate({ org, app })
    git.commit('twice', 'Third', { 'index.html': 'three\n' })
    await api.builds.trigger.mutate({ org, app })
    expect((await buildOver(api, org, app, 2)).state).toBe('superseded')
    expect((await buildOver(api, org, app, 3)).state).toBe('succeeded')
    const { hostname } = await serving(api, org, app)
    await until('the third answers', async () => (await fetchApp(ready.installation.routerPort, hostname)).text === 'three\n')
  })

  it('an app that is deleted during its build leaves nothing', async () => {
    git.commit('doomed', 'First', { Dockerfile: 'FROM slipway.local/base/busybox\nRUN sleep 30\n' })
    const { api, org } = ready
    const app = await createGitApp(api, org, { name: 'Doomed', gitUrl: url('doomed') })
    await until('the build runs', async () =>
      (await api.builds.get.query({ org, app, number: 1 })).steps.some((s) => s.state === 'running'),
    )
    await api.apps.delete.mutate({ org, app, confirm: app })
    await expect(api.apps.get.query({ org, app })).rejects.toThrow(/does not exist/)
    // The name is free again as soon as everything of it is gone.
    await until(
      'the name is free',
      async () => (await createGitApp(api, org, { name: 'Doomed', gitUrl: url('empty') })) === 'doomed',
      30_000,
    )
  })
})

describe('deployments', () => {
  /** An app that serves `one`, then a second commit; gives the second deployment, settled. */
  async function second(
    name: string,
    files: Record<string, string | null>,
    settings: { healthPath?: string; healthTimeoutSeconds?: number; memoryLimitBytes?: number } = {},
  ) {
    const { api, org, installation } = ready
    const repository = name.toLowerCase()
    git.commit(repository, 'First', textApp('one'))
    const app = await createGitApp(api, org, { name, gitUrl: url(repository), healthTimeoutSeconds: 5, ...settings })
    const { hostname } = await serving(api, org, app)
    git.commit(repository, 'Second', files)
    await api.builds.trigger.mutate({ org, app })
    const deployment = await until(
      'the second deployment',
      () => api.deployments.get.query({ org, app, number: 2 }).catch(() => null),
      60_000,
    ).then(() => deploymentSettled(api, org, app, 2))
    expect((await fetchApp(installation.routerPort, hostname)).text).toBe('one\n')
    return deployment
  }

  it('a health check that never passes: the old version keeps serving, and it is said why', async () => {
    const files = textApp('two')
    const deployment = await second(
      'Unhealthy',
      {
        ...files,
        'index.html': null,
        other: 'x',
        Dockerfile: (files.Dockerfile ?? '').replace('COPY index.html /www/index.html', 'COPY other /www/other'),
      },
      { healthPath: '/index.html' },
    )
    expect(deployment).toMatchObject({ state: 'failed', error: { code: 'HEALTH_CHECK_FAILED' } })
    expect(deployment.error?.message).toMatch(/answered 404.*#1 keeps serving/)
  })

  it('a port that nothing listens on', async () => {
    const deployment = await second('Deaf', { Dockerfile: 'FROM slipway.local/base/busybox\nEXPOSE 8080\nCMD ["sleep", "1000"]\n' })
    expect(deployment.error?.code).toBe('PORT_NOT_LISTENING')
    expect(deployment.error?.message).toMatch(/8080/)
  })

  it('a container that exits at once', async () => {
    const deployment = await second('Exits', {
      Dockerfile: 'FROM slipway.local/base/busybox\nEXPOSE 8080\nCMD ["sh", "-c", "echo cannot open the database; exit 3"]\n',
    })
    expect(deployment.error).toMatchObject({ code: 'CONTAINER_EXITED', details: { exitCode: 3 } })
    expect(deployment.error?.details.lastLines?.join('\n')).toContain('cannot open the database')
  })

  it('a container that uses more memory than it may', async () => {
    const deployment = await second(
      'Greedy',
      { Dockerfile: 'FROM slipway.local/base/busybox\nEXPOSE 8080\nCMD ["sh", "-c", "x=a; while true; do x=$x$x; done"]\n' },
      { memoryLimitBytes: 32 * 1024 * 1024 },
    )
    expect(deployment.error?.code).toBe('OUT_OF_MEMORY')
  })
})
