/** The real docker CLI: against our registry with Debian's dockerd behind it, and against our own engine. */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startDockerd, type TestDockerd } from '@slipway/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ADMIN, type Ready, readyInstallation } from '../../e2e/support/account'
import { fetchApp } from '../../e2e/support/api'
import { serving } from '../../e2e/support/apps'

interface Result {
  code: number
  out: string
  err: string
}

let ready: Ready
let dockerd: TestDockerd
let config: string
beforeAll(async () => {
  config = mkdtempSync(join(tmpdir(), 'sw-docker-'))
  dockerd = await startDockerd()
  ready = await readyInstallation()
})
afterAll(async () => {
  await ready?.installation.remove()
  await dockerd?.stop()
  rmSync(config, { recursive: true, force: true })
})

function docker(socket: string, args: string[], stdin?: string): Promise<Result> {
  return new Promise((resolve) => {
    const child = execFile(
      'docker',
      args,
      {
        env: { PATH: process.env.PATH, HOME: config, DOCKER_HOST: `unix://${socket}`, DOCKER_CONFIG: config },
        timeout: 60_000,
        maxBuffer: 8 * 1024 * 1024,
      },
      (error, out, err) => resolve({ code: error ? (typeof error.code === 'number' ? error.code : 1) : 0, out, err }),
    )
    child.stdin?.end(stdin ?? '')
  })
}
const peer = (args: string[], stdin?: string) => docker(dockerd.socketPath, args, stdin)
const own = (args: string[], stdin?: string) => docker(ready.installation.agentSocket, args, stdin)
const ok = async (result: Promise<Result>): Promise<string> => {
  const { code, out, err } = await result
  expect(`${code} ${err}`).toMatch(/^0 /)
  return out.trim()
}
const registry = () => `localhost:${ready.installation.registryPort}`

describe('with dockerd behind it', () => {
  it('logs in with the account and with a key, and not with a wrong password', async () => {
    const login = (user: string, password: string) => peer(['login', registry(), '--username', user, '--password-stdin'], password)
    const wrong = await login(ADMIN.email, 'not the password')
    expect(wrong.code).not.toBe(0)
    expect(wrong.err).toMatch(/unauthorized|denied|wrong/i)
    expect(await ok(login(ADMIN.email, ADMIN.password))).toMatch(/Login Succeeded/)
    expect(await ok(login('anything', ready.key))).toMatch(/Login Succeeded/)
  })

  it('pulls a base image, pushes it under the organization, and pulls it back unchanged', async () => {
    const base = `${registry()}/base/busybox:latest`
    const mine = `${registry()}/${ready.org}/pushed:1`
    await ok(peer(['pull', '--quiet', base]))
    const id = await ok(peer(['inspect', '--format', '{{.Id}}', base]))
    await ok(peer(['tag', base, mine]))
    await ok(peer(['push', mine]))
    await ok(peer(['rmi', '--force', id]))
    await ok(peer(['pull', '--quiet', mine]))
    expect(await ok(peer(['inspect', '--format', '{{.Id}}', mine]))).toBe(id)
  })

  it('does not push into an organization that is not one’s own, and does not tell whether it exists', async () => {
    const mine = `${registry()}/${ready.org}/pushed:1`
    for (const foreign of ['base/busybox', 'somebody-else/app']) {
      await ok(peer(['tag', mine, `${registry()}/${foreign}:stolen`]))
      const refused = await peer(['push', `${registry()}/${foreign}:stolen`])
      expect(refused.code).not.toBe(0)
      expect(refused.err + refused.out).toMatch(/denied|access/i)
    }
    await peer(['logout', registry()])
    expect((await peer(['pull', mine])).code).not.toBe(0)
    await ok(peer(['login', registry(), '--username', 'key', '--password-stdin'], ready.key))
  })

  it('a pushed image is shown, and can be deployed', async () => {
    const { api, org, installation } = ready
    const image = await api.images.get.query({ org, repository: 'pushed', reference: '1' })
    expect(image.layers.length).toBeGreaterThan(0)
    await ok(peer(['create', '--name', 'web', `${registry()}/${org}/pushed:1`, 'httpd', '-f', '-v', '-p', '8080', '-h', '/etc']))
    await ok(
      peer([
        'commit',
        '--change',
        'CMD ["httpd","-f","-p","8080","-h","/etc"]',
        '--change',
        'EXPOSE 8080',
        'web',
        `${registry()}/${org}/pushed:web`,
      ]),
    )
    await ok(peer(['push', `${registry()}/${org}/pushed:web`]))
    await api.projects.create.mutate({ org, name: 'Tests' })
    const created = await api.apps.create.mutate({
      org,
      project: 'tests',
      source: 'image',
      name: 'From image',
      imageReference: `slipway.local/${org}/pushed:web`,
      healthPath: '/passwd',
    })
    const { hostname } = await serving(api, org, created.app)
    expect((await fetchApp(installation.routerPort, hostname, '/passwd')).text).toContain('root:')
  })
})

describe('with our engine behind it', () => {
  const image = 'slipway.local/base/busybox'

  it('speaks with the CLI: version, info, images', async () => {
    expect(await ok(own(['version', '--format', '{{.Server.APIVersion}}']))).toMatch(/^1\.(4[4-9]|[5-9]\d)$/)
    expect(await ok(own(['info', '--format', '{{.OSType}}']))).toBe('linux')
    await ok(own(['pull', '--quiet', image]))
    expect(await ok(own(['images', '--format', '{{.Repository}}:{{.Tag}}']))).toContain(`${image}:latest`)
  })

  it('runs, lists, logs, waits, stops and removes', async () => {
    expect(await ok(own(['run', '--rm', image, 'echo', 'hello from inside']))).toBe('hello from inside')
    const failing = await own(['run', '--rm', image, 'sh', '-c', 'exit 7'])
    expect(failing.code).toBe(7)
    const id = await ok(own(['run', '--detach', '--name', 'sw-cli', image, 'sh', '-c', 'echo started; sleep 1000']))
    expect(await ok(own(['ps', '--quiet', '--no-trunc', '--filter', 'name=sw-cli']))).toBe(id)
    await expect.poll(() => ok(own(['logs', 'sw-cli']))).toBe('started')
    expect(await ok(own(['inspect', '--format', '{{.State.Status}}', 'sw-cli']))).toBe('running')
    await ok(own(['stop', '--time', '1', 'sw-cli']))
    expect(await ok(own(['wait', 'sw-cli']))).toBe('137')
    await ok(own(['rm', 'sw-cli']))
    expect((await own(['inspect', 'sw-cli'])).code).not.toBe(0)
  })

  it('pulls and pushes with the CLI’s own credentials', async () => {
    const { org } = ready
    await ok(own(['login', registry(), '--username', 'key', '--password-stdin'], ready.key))
    await ok(own(['tag', `${image}:latest`, `${registry()}/${org}/own:1`]))
    await ok(own(['push', `${registry()}/${org}/own:1`]))
    await ok(own(['rmi', `${registry()}/${org}/own:1`]))
    await ok(own(['pull', '--quiet', `${registry()}/${org}/own:1`]))
    await ok(own(['rmi', `${registry()}/${org}/own:1`]))
  })
})
