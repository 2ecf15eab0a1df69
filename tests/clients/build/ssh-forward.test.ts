/**
 * `slipway build --ssh` as on a laptop: OpenSSH's own agent answers what steps on the server ask, by way of the command line, the API, the
 * worker and the engine, each of them real.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { createReadStream, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createAgent } from '@slipway/agent-client'
import { startTestApi, type TestApi } from '@slipway/api/testing'
import { startGitServer, startSshServer, type TestGitServer, type TestSshServer } from '@slipway/testing'
import { loadImages } from '@slipway/testing/load-images'
import pino from 'pino'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import type { Deps } from '../../../apps/worker/src/deps'
import { runBuild } from '../../../apps/worker/src/pipeline/build'
import { startAgent } from './agent'
import { baseArchive } from './base'
import { takeAlong } from './take-along'

const ROOT = resolve(import.meta.dirname, '../../..')
const KINDS = ['ed25519', 'rsa', 'ecdsa']

let folder: string
let engine: Awaited<ReturnType<typeof startAgent>>
let api: TestApi
let git: TestGitServer
let sshd: TestSshServer
let key: string
let deps: Deps
let logged = ''
let repository: string
let trust: string

beforeAll(async () => {
  folder = mkdtempSync('/var/tmp/sw-forward-')
  engine = await startAgent(folder)
  await loadImages(engine.socketPath, createReadStream(await baseArchive(folder)))
  api = await startTestApi({ agentSocket: engine.socketPath })
  const { harness } = api
  await harness.db.upstream.deleteMany()
  const user = await harness.user('Ada', 'acme')
  await harness.services.projects.create(await harness.scope(user, 'acme'), { name: 'Shop' })
  key = (await harness.services.apiKeys.create({ userId: user.userId, label: 'Ada', ip: null }, { name: 'cli' })).key
  const log = pino(
    { level: 'trace' },
    {
      write(line: string) {
        logged += line
      },
    },
  )
  const env = {
    SLIPWAY_DATA: join(folder, 'data'),
    registryKey: generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }),
  }
  deps = { ...harness.deps, env, log, stopping: new AbortController().signal } as unknown as Deps
  git = await startGitServer()
  git.commit('lib', 'First', { 'pkg/a.txt': 'of git over ssh\n' })
  const gateway = (await createAgent({ socketPath: engine.socketPath }).health()).bridge?.subnet.replace(/\d+\/\d+$/, '1') ?? ''
  sshd = await startSshServer(gateway)
  repository = `ssh://root@${gateway}:${sshd.port}${git.worktree('lib')}`
  trust = 'GIT_SSH_COMMAND="ssh -o StrictHostKeyChecking=accept-new -o UserKnownHostsFile=/tmp/known"'
}, 240_000)
afterAll(async () => {
  await sshd?.stop()
  await git?.stop()
  await api?.close()
  await engine?.stop()
  rmSync(folder, { recursive: true, force: true })
})

/** An agent with a key of each kind, as on a laptop. */
async function laptop(): Promise<{ home: string; socket: string; child: ChildProcess; list(): string }> {
  const home = mkdtempSync(join(folder, 'home-'))
  const socket = join(home, 'agent')
  const child = spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' })
  onTestFinished(() => void child.kill())
  while (!existsSync(socket)) await sleep(10)
  const add = (...args: string[]) =>
    execFileSync('ssh-add', ['-q', ...args], { env: { ...process.env, SSH_AUTH_SOCK: socket }, encoding: 'utf8' })
  for (const kind of KINDS) {
    execFileSync('ssh-keygen', ['-q', '-t', kind, '-N', '', '-C', 'of Ada', '-f', join(home, kind)])
    add(join(home, kind))
  }
  return { home, socket, child, list: () => add('-L') }
}

let contexts = 0
function context(lines: string[]): string {
  const directory = join(folder, `tree-${contexts++}`)
  takeAlong(['/usr/bin/git', '/usr/bin/ssh', '/usr/bin/ssh-add', '/usr/bin/ssh-keygen'], join(directory, 'tools'))
  mkdirSync(directory, { recursive: true })
  writeFileSync(join(directory, 'Dockerfile'), ['FROM base', 'COPY tools /', 'RUN mkdir -p /tmp', ...lines, ''].join('\n'))
  return directory
}

interface Ran {
  code: number | null
  out: string
}
/** The command line as a process of its own, and the worker that takes its build up. */
function build(directory: string, home: string, env: Record<string, string>, ...args: string[]) {
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', join(ROOT, 'apps/cli/src/main.ts'), 'build', directory, '--app', 'shop', '--progress', 'plain', ...args],
    {
      cwd: ROOT,
      env: { PATH: process.env.PATH, HOME: home, XDG_CONFIG_HOME: home, SLIPWAY_URL: api.url, SLIPWAY_API_KEY: key, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  const ran: Ran = { code: null, out: '' }
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      ran.out += text
    })
  const exited = new Promise<void>((done) => {
    child.once('exit', (code) => {
      ran.code = code
      done()
    })
  })
  const worked = (async () => {
    const { db } = api.harness
    for (;;) {
      const row = await db.build.findFirst({ where: { state: 'queued' } })
      if (row) {
        await runBuild(deps, AbortSignal.timeout(180_000))
        return db.build.findUniqueOrThrow({ where: { id: row.id }, include: { logs: { orderBy: { seq: 'asc' } } } })
      }
      if (child.exitCode !== null) throw new Error(`no build came: ${ran.out}`)
      await sleep(50)
    }
  })()
  return { child, ran, exited, worked }
}

it('signs on the laptop with Ed25519, RSA and ECDSA, and clones with each of them', async () => {
  const { home, socket, list } = await laptop()
  const before = list()
  sshd.allow(before.trim().split('\n'))
  const sign = `for kind in ${KINDS.join(' ')}; do echo $kind > m; rm -f m.sig; ssh-keygen -q -Y sign -f $kind.pub -n test m && ssh-keygen -Y check-novalidate -n test -s m.sig < m; done`
  const clone = `for kind in ${KINDS.join(' ')}; do ${trust.replace('ssh -o', 'ssh -o IdentitiesOnly=yes -i /$kind.pub -o')} git clone -q ${repository} /$kind; done`
  const directory = context([
    'COPY *.pub /',
    `ADD ${repository}#main:pkg /added/`,
    `RUN --mount=type=ssh,required ssh-add -L; ${sign}`,
    `RUN --mount=type=ssh,required ${clone}; rm -rf /tmp/*`,
    'RUN --mount=type=ssh ssh-add -D; ssh-keygen -q -t ed25519 -N "" -f /mine; ssh-add /mine; ssh-add -d /rsa.pub; echo tried; rm -rf /run/secrets',
    'RUN cat /added/a.txt /*/pkg/a.txt; test -z "$SSH_AUTH_SOCK" && test ! -e /run/buildkit && echo alone',
  ])
  for (const kind of KINDS) writeFileSync(join(directory, `${kind}.pub`), readFileSync(join(home, `${kind}.pub`)))
  const { ran, exited, worked } = build(directory, home, { SSH_AUTH_SOCK: socket }, '--ssh', 'default')
  const row = await worked
  await exited
  expect(`${ran.code} ${ran.out}${ran.code === 0 ? '' : logged}`).toMatch(/^0 /)
  expect(row.state).toBe('succeeded')
  for (const line of before.trim().split('\n')) expect(ran.out).toContain(line)
  expect(ran.out.match(/Good "test" signature/g)).toHaveLength(3)
  expect(ran.out.match(/of git over ssh/g)).toHaveLength(4)
  expect(ran.out).toContain('alone')
  expect(sshd.log()).toMatch(/Accepted publickey for root .*RSA[\s\S]*/)
  expect(list()).toBe(before)

  const kept = JSON.stringify(row, (_, value) => (typeof value === 'bigint' ? String(value) : value)) + logged + ran.out
  for (const kind of KINDS) {
    const known = readFileSync(join(home, `${kind}.pub`), 'utf8')
    const lines = readFileSync(join(home, kind), 'utf8').split('\n')
    const secret = lines.filter((line) => line.length > 20 && !line.startsWith('-') && !known.includes(line)).slice(-2)
    expect(secret).toHaveLength(2)
    for (const line of secret) expect(kept).not.toContain(line)
  }
  expect(kept).not.toContain('SSH SIGNATURE')
}, 240_000)

it('signs with the files of keys, without any agent; another build has the steps from its cache', async () => {
  const { home } = await laptop()
  const directory = context([
    'RUN --mount=type=ssh,id=git,required ssh-add -L',
    'RUN --mount=type=ssh test -z "$SSH_AUTH_SOCK" && echo none',
  ])
  const keys = `git=${join(home, 'rsa')},${join(home, 'ecdsa')}`
  const first = build(directory, home, {}, '--ssh', keys)
  await first.worked
  await first.exited
  expect(`${first.ran.code} ${first.ran.out}`).toMatch(/^0 [\s\S]*ssh-rsa AAAA[\s\S]*ecdsa-sha2-nistp256 AAAA[\s\S]*none/)
  const second = build(directory, home, {}, '--ssh', `git=${join(home, 'ed25519')}`)
  await second.worked
  await second.exited
  expect(second.ran.code).toBe(0)
  expect(second.ran.out).toMatch(/CACHED/)
  expect(second.ran.out).not.toContain('ssh-ed25519 AAAA')
}, 240_000)

it('is refused, with a line that says why, when the laptop has gone', async () => {
  const { home, socket } = await laptop()
  const directory = context(['RUN --mount=type=ssh ssh-add -l && echo begun && sleep 5; ssh-add -l; echo status $?'])
  const { child, ran, exited, worked } = build(directory, home, { SSH_AUTH_SOCK: socket }, '--ssh', 'default')
  await expect.poll(() => ran.out, { timeout: 120_000 }).toContain('begun')
  child.kill('SIGKILL')
  await exited
  const row = await worked
  const text = row.logs.map((chunk) => chunk.text).join('')
  expect([row.state, text]).toEqual(['succeeded', expect.stringContaining('status 1')])
  expect(text).toContain('The SSH agent of who started the build does not answer; what asks it is refused.')
}, 240_000)

it('ends at once when the build is canceled while a key waits to be touched', async () => {
  const { home, socket, child: openssh } = await laptop()
  // An agent that says nothing, as one whose owner is at lunch.
  openssh.kill('SIGSTOP')
  onTestFinished(() => void openssh.kill('SIGKILL'))
  const directory = context(['RUN --mount=type=ssh echo asking; ssh-add -l'])
  const { child, ran, exited, worked } = build(directory, home, { SSH_AUTH_SOCK: socket }, '--ssh', 'default')
  await expect.poll(() => ran.out, { timeout: 120_000 }).toContain('asking')
  const since = Date.now()
  child.kill('SIGINT')
  expect((await worked).state).toBe('canceled')
  expect(Date.now() - since).toBeLessThan(15_000)
  await exited
  expect(ran.code).toBe(130)
}, 240_000)
