/** The command line client against a whole installation, as a script or a person at a terminal uses it. */
import { execFile, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { startGitServer, type TestGitServer } from '@slipway/testing'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Ready, readyInstallation } from './support/account'
import { fetchApp, until } from './support/api'
import { textApp } from './support/apps'

const SLIPWAY = resolve(import.meta.dirname, '../../apps/cli/bin/slipway.cjs')

let ready: Ready
let git: TestGitServer
let home: string
beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'sw-cli-'))
  git = await startGitServer()
  git.commit('notes', 'First notes', textApp('notes one'))
  ready = await readyInstallation()
})
afterAll(async () => {
  await ready?.installation.remove()
  await git?.stop()
  rmSync(home, { recursive: true, force: true })
})

const environment = () => ({ PATH: process.env.PATH, HOME: home, XDG_CONFIG_HOME: join(home, 'config') })
function slipway(args: string[], stdin = ''): Promise<{ code: number; out: string; err: string }> {
  return new Promise((done) => {
    const child = execFile(process.execPath, [SLIPWAY, ...args], { env: environment(), timeout: 120_000 }, (error, out, err) =>
      done({ code: error ? (typeof error.code === 'number' ? error.code : 1) : 0, out, err }),
    )
    child.stdin?.end(stdin)
  })
}
async function json<T>(...args: string[]): Promise<T> {
  const { code, out, err } = await slipway(['--json', ...args])
  expect(`${code} ${err}`).toMatch(/^0 /)
  return JSON.parse(out) as T
}
const answers = (text: string) =>
  until(text, async () => (await fetchApp(ready.installation.routerPort, 'notes.localhost')).text === `${text}\n`)

it('signs in once, with the key where only its owner reads it', async () => {
  expect((await slipway(['projects'])).code).toBe(3)
  const login = (key: string) => slipway(['--url', ready.installation.webUrl, 'login', '--key', '-'], `${key}\n`)
  expect((await login('no key at all')).code).toBe(2)
  expect((await login(`slp_${'x'.repeat(43)}`)).code).toBe(3)
  const { code, err } = await login(ready.key)
  expect(`${code} ${err}`).toMatch(/^0/)
  expect(statSync(join(home, 'config/slipway/config.json')).mode & 0o777).toBe(0o600)
  expect((await slipway(['whoami'])).out).toContain('ada@example.com')
})

it('creates an app, waits for it, and lists what there is', async () => {
  expect((await slipway(['projects', 'create', 'Desk'])).code).toBe(0)
  const created = await slipway(['apps', 'create', 'Notes', '--git', `${git.url}/notes.git`, '--wait'])
  expect(`${created.code} ${created.err}`).toMatch(/^0/)
  await answers('notes one')
  expect(await json<{ slug: string }[]>('apps')).toMatchObject([{ slug: 'notes', state: 'live' }])
  expect(await json<unknown[]>('projects')).toMatchObject([{ slug: 'desk' }])
  expect((await slipway(['ps'])).out).toMatch(/acme-notes-1|notes/)
  expect((await slipway(['builds', 'notes'])).out).toMatch(/First notes/)
  expect((await slipway(['open', 'notes'])).out).toContain('notes.localhost')
})

it('deploys the newest commit, tells a failure by its exit code, and rolls back', async () => {
  git.commit('notes', 'Second notes', { 'index.html': 'notes two\n' })
  expect((await slipway(['deploy', 'notes', '--wait'])).code).toBe(0)
  await answers('notes two')
  git.commit('notes', 'Broken notes', { Dockerfile: 'FROM slipway.local/base/busybox\nRUN echo cannot go on; exit 9\n' })
  const failed = await slipway(['deploy', 'notes', '--wait'])
  expect(failed.code).toBe(1)
  expect(failed.out + failed.err).toMatch(/cannot go on/)
  await answers('notes two')
  expect((await slipway(['rollback', 'notes', '--wait'])).code).toBe(0)
  await answers('notes one')
  expect((await slipway(['deploy', 'absent'])).code).toBe(4)
  expect((await slipway(['rollback', 'notes', 'x'])).code).toBe(2)
})

it('follows the log of what runs', async () => {
  const child = spawn(process.execPath, [SLIPWAY, 'logs', '-f', 'notes'], { env: environment(), stdio: ['ignore', 'pipe', 'pipe'] })
  let out = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text
  })
  try {
    await until('a request is in the log', async () => {
      await fetchApp(ready.installation.routerPort, 'notes.localhost', '/seen-by-the-log')
      return out.includes('response:') || out.includes('url:')
    })
  } finally {
    const gone = new Promise((r) => child.once('close', r))
    if (child.exitCode === null) {
      child.kill('SIGINT')
      await gone
    }
  }
})
