/** The whole command line against the real API: PostgreSQL, Redis, services, tRPC over HTTP. What a worker would do is done to the rows. */

import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startTestApi, type TestApi } from '@slipway/api/testing'
import { channels } from '@slipway/contracts'
import { newId } from '@slipway/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { EXIT } from './errors'
import { type RunOptions, runSlipway } from './testing/terminal'

let api: TestApi
let harness: TestApi['harness']
let url: string
let home: string
let key: string

const slipway = (line: string | string[], { env, ...options }: Partial<RunOptions> = {}) =>
  runSlipway(Array.isArray(line) ? line : line.split(' '), {
    ...options,
    env: { XDG_CONFIG_HOME: home, SLIPWAY_URL: url, SLIPWAY_API_KEY: key, ...env },
  })

beforeAll(async () => {
  api = await startTestApi()
  harness = api.harness
  url = api.url
  const user = await harness.user('Ada', 'acme')
  key = (await harness.services.apiKeys.create({ userId: user.userId, label: 'Ada', ip: null }, { name: 'cli' })).key
  home = await mkdtemp(join(tmpdir(), 'slipway-cli-'))
})

afterAll(async () => {
  await api?.close()
  if (home) await rm(home, { recursive: true, force: true })
})

const SOON = { timeout: 10_000 }
const newestBuild = async () =>
  (await harness.db.build.findFirst({ where: { app: { slug: 'hello' } }, orderBy: { number: 'desc' } }))?.number
const buildOf = (number: number) => harness.db.build.findFirstOrThrow({ where: { number, app: { slug: 'hello' } } })

describe('usage and connection', () => {
  it('tells what there is', async () => {
    const help = await slipway('--help')
    expect(help.code).toBe(EXIT.ok)
    expect(help.out).toContain('Exit codes')
    expect((await slipway('--version')).out).toBe('1.2.3\n')
    expect((await slipway([])).code).toBe(EXIT.usage)
    const wrong = await slipway('deply x')
    expect(wrong.code).toBe(EXIT.usage)
    expect(wrong.err).toContain('Did you mean deploy?')
    expect((await slipway('deploy')).code).toBe(EXIT.usage)
    expect((await slipway('logs x --tail many')).code).toBe(EXIT.usage)
  })

  it('tells when nobody answers, and what is no Slipway', async () => {
    const nobody = await slipway('apps --org acme', { env: { SLIPWAY_URL: 'http://127.0.0.1:9' } })
    expect(nobody.code).toBe(EXIT.unreachable)
    expect(nobody.err).toContain('No Slipway answers at http://127.0.0.1:9')
    const other = createServer((_, response) => response.end('<html>hello'))
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
    const ran = await slipway('apps --org acme', { env: { SLIPWAY_URL: `http://127.0.0.1:${(other.address() as AddressInfo).port}` } })
    other.close()
    expect(ran.code).toBe(EXIT.unreachable)
    expect((await slipway('apps', { env: { SLIPWAY_URL: 'http://a:b@c' } })).code).toBe(EXIT.usage)
  })

  it('needs a key', async () => {
    const none = await slipway('apps', { env: { SLIPWAY_API_KEY: '' } })
    expect(none.code).toBe(EXIT.auth)
    expect(none.err).toContain('slipway login')
    const wrong = await slipway('apps --org acme', { env: { SLIPWAY_API_KEY: 'slp_doesnotexist12345' } })
    expect(wrong.code).toBe(EXIT.auth)
    const foreign = await slipway('apps --org other')
    expect(foreign.code).toBe(EXIT.notFound)
    const asJson = await slipway('apps --org other --json')
    expect(JSON.parse(asJson.err).error).toMatchObject({ exitCode: 4 })
    expect(asJson.out).toBe('')
  })
})

describe('login', () => {
  it('keeps the key for its owner only, and sends it to no other server', async () => {
    const bare = { SLIPWAY_API_KEY: '', SLIPWAY_URL: '' }
    expect((await slipway(`login --url ${url} --key nonsense`, { env: bare })).code).toBe(EXIT.usage)
    expect((await slipway(`login --url ${url} --key slp_wrongwrongwrong`, { env: bare })).code).toBe(EXIT.auth)
    const ran = await slipway(`login --url ${url} --key -`, { env: bare, stdin: `${key}\n` })
    expect(ran).toMatchObject({ code: 0, err: '' })
    expect(ran.out).toBe(`Signed in to ${url} as Ada (ada@example.com), organization acme.\n`)
    const file = join(home, 'slipway', 'config.json')
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({ url, apiKey: key, organization: 'acme' })
    expect((await slipway('whoami', { env: bare })).out).toContain('acme (owner)')
    const elsewhere = await slipway('whoami --url http://127.0.0.1:9', { env: bare })
    expect(elsewhere.code).toBe(EXIT.auth)
    expect((await slipway('logout', { env: bare })).code).toBe(0)
    expect((await slipway(`whoami --url ${url}`, { env: bare })).code).toBe(EXIT.auth)
  })
})

describe('projects and apps', () => {
  it('creates and lists', async () => {
    expect((await slipway('projects')).out).toContain('No projects yet')
    expect((await slipway('apps create --git https://git.example.com/hello.git')).err).toContain('slipway projects create')
    expect((await slipway(['projects', 'create', 'My Shop'])).out).toBe('Project my-shop is there.\n')
    expect((await slipway('projects')).out).toMatch(/^PROJECT +NAME +APPS +LIVE +CREATED\nmy-shop +My Shop +0 +0 +just now\n$/)
    expect((await slipway('apps')).out).toContain('No apps yet')
    const created = await slipway(
      'apps create --git https://git.example.com/team/hello.git --branch trunk --port 8080 --env A=1 --env B=x=y --build-arg V=2 --secret TOP --memory 64m --cpus 0.5',
      { env: { TOP: 's3cret' } },
    )
    expect(created).toMatchObject({ code: 0, err: '' })
    expect(created.out).toContain('App hello is there; build #1 has begun.')
    expect(created.out + created.err).not.toContain('s3cret')
    const app = JSON.parse((await slipway('apps show hello --json')).out)
    expect(app.settings).toMatchObject({ gitBranch: 'trunk', port: 8080, memoryLimitBytes: 64 * 1024 * 1024, cpuLimitMillis: 500 })
    const variables = await harness.db.variable.findMany({ where: { app: { slug: 'hello' } }, orderBy: { key: 'asc' } })
    expect(variables.map((v) => [v.scope, v.key, v.secret])).toEqual([
      ['runtime', 'A', false],
      ['runtime', 'B', false],
      ['runtime', 'TOP', true],
      ['build', 'V', false],
    ])
    expect((await slipway('apps')).out).toContain('hello')
    expect((await slipway('apps show hello')).out).toContain('http://hello.localhost:8080')
    const image = JSON.parse((await slipway('apps create web --image nginx:1 --json')).out)
    expect(image).toMatchObject({ app: 'web', build: null, deployment: 1 })
  })

  it('refuses what cannot be', async () => {
    expect((await slipway('apps create x')).code).toBe(EXIT.usage)
    expect((await slipway('apps create x --git https://a/b --image c')).code).toBe(EXIT.usage)
    expect((await slipway('apps create x --image c --branch d')).err).toContain('--branch is for apps from Git')
    expect((await slipway('apps create x --git file:///etc')).code).toBe(EXIT.usage)
    expect((await slipway('apps create x --git https://a/b --env NOVALUE')).err).toContain('KEY=value')
    expect((await slipway('apps create x --git https://a/b --port http')).code).toBe(EXIT.usage)
    expect((await slipway('apps create x --git https://a/b --memory lots')).code).toBe(EXIT.usage)
    expect((await slipway('apps create x --git https://a/b --secret NOT_SET_ANYWHERE')).err).toContain('no such variable')
    expect((await slipway('apps create x --git https://a/b --project nowhere')).code).toBe(EXIT.notFound)
    expect((await slipway('apps show nothing')).code).toBe(EXIT.notFound)
    const unsure = await slipway('apps delete web')
    expect(unsure.code).toBe(EXIT.usage)
    expect(unsure.err).toContain('--confirm web')
    expect((await slipway('apps delete web --confirm web')).code).toBe(0)
  })
})

describe('deploy and what follows', () => {
  it('lists builds and triggers one', async () => {
    expect((await slipway('builds hello')).out).toMatch(/BUILD +STATE.*\n#1 +queued/)
    const ran = await slipway('deploy hello --json')
    expect(JSON.parse(ran.out)).toMatchObject({ app: 'hello', build: 2, deployment: null })
    expect(JSON.parse((await slipway('builds hello --json')).out)).toHaveLength(2)
    expect((await slipway('builds hello 99')).code).toBe(EXIT.notFound)
    expect((await slipway('builds hello zero')).code).toBe(EXIT.usage)
  })

  it('waits, shows the build, and ends with 1 when it fails', async () => {
    const waiting = slipway('deploy hello --wait')
    await expect.poll(newestBuild, SOON).toBe(3)
    const { id } = await buildOf(3)
    await harness.db.build.update({ where: { id }, data: { state: 'running', startedAt: new Date() } })
    await harness.db.buildStep.create({
      data: {
        id: newId('buildStep'),
        buildId: id,
        position: 1,
        vertexId: 'v0',
        stage: '0',
        name: '[1/1] RUN make',
        instruction: 'RUN make',
        line: 2,
        state: 'running',
      },
    })
    await harness.db.buildLogChunk.create({
      data: { buildId: id, seq: 1, position: 1, stream: 'stdout', at: new Date(), text: 'compiling \x1b[2Jthings\n' },
    })
    harness.deps.signals.publish(channels.build(id))
    await sleep(200)
    await harness.db.buildStep.updateMany({ where: { buildId: id }, data: { state: 'failed', exitCode: 2, durationMs: 1234 } })
    await harness.db.build.update({
      where: { id },
      data: {
        state: 'failed',
        finishedAt: new Date(),
        errorCode: 'EXEC_FAILED',
        errorMessage: 'RUN make failed with exit code 2.',
        errorDetails: { lastLines: ['boom'] },
      },
    })
    harness.deps.signals.publish(channels.build(id))
    const ran = await waiting
    expect(ran.code).toBe(EXIT.failed)
    expect(ran.out).toBe('')
    expect(ran.err).toContain('#1 [1/1] RUN make\n')
    expect(ran.err).toContain('compiling things\n')
    expect(ran.err).toContain('failed')
    expect(ran.err).toContain('RUN make failed with exit code 2.\n  boom\n')
    expect(ran.err).toMatch(/Build #3 failed\.\n$/)
    const shown = await slipway('builds hello 3')
    expect(shown.out).toContain('compiling things')
    expect(shown.out).toContain('boom')
  })

  it('waits for the deployment too and prints the address', async () => {
    const waiting = slipway('deploy hello --wait --json')
    await expect.poll(newestBuild, SOON).toBe(4)
    const { id } = await buildOf(4)
    await harness.db.build.update({
      where: { id },
      data: {
        state: 'succeeded',
        startedAt: new Date(),
        finishedAt: new Date(),
        imageRepository: 'hello',
        manifestDigest: `sha256:${'a'.repeat(64)}`,
      },
    })
    const made = await harness.services.deployments.createFromBuild(id)
    harness.deps.signals.publish(channels.build(id))
    const deployment = await harness.db.deployment.findUniqueOrThrow({ where: { id: made?.id ?? '' } })
    await sleep(300)
    await harness.db.deployment.update({ where: { id: deployment.id }, data: { state: 'serving', servingAt: new Date() } })
    harness.deps.signals.publish(channels.deployment(deployment.id))
    const ran = await waiting
    expect(ran).toMatchObject({ code: 0, err: '' })
    expect(JSON.parse(ran.out)).toMatchObject({
      url: 'http://hello.localhost:8080',
      build: { number: 4 },
      deployment: { state: 'serving' },
    })
    expect((await slipway('deployments hello')).out).toMatch(/DEPLOYMENT.*\n#1 +deploy +serving/)
    expect((await slipway('open hello')).out).toBe('http://hello.localhost:8080\n')
  })

  it('gives up after --timeout and on Ctrl-C, and leaves the build alone', async () => {
    const late = await slipway('deploy hello --wait --timeout 0.02')
    expect(late.code).toBe(EXIT.timeout)
    const interrupt = new AbortController()
    setTimeout(() => interrupt.abort(), 2500)
    const stopped = await slipway('deploy hello --wait', { signal: interrupt.signal })
    expect(stopped.code).toBe(EXIT.interrupted)
    expect(stopped.err).toContain('goes on')
  })

  it('rolls back, or says why not', async () => {
    const ran = await slipway('rollback hello')
    expect([EXIT.refused, EXIT.notFound, EXIT.usage]).toContain(ran.code)
    expect(ran.err).not.toBe('')
    expect((await slipway('rollback hello 0')).code).toBe(EXIT.usage)
    expect((await slipway('ps')).out).toBe('No containers are running.\n')
    expect(JSON.parse((await slipway('ps hello --json')).out)).toEqual([])
  })

  it('colours on a terminal only, and not with NO_COLOR', async () => {
    expect((await slipway('builds hello')).out).not.toContain('\x1b[')
    expect((await slipway('builds hello', { tty: true })).out).toContain('\x1b[31mfailed\x1b[0m')
    expect((await slipway('builds hello', { tty: true, env: { NO_COLOR: '1' } })).out).not.toContain('\x1b[')
    expect((await slipway('builds hello --no-color', { tty: true })).out).not.toContain('\x1b[')
  })

  it('ends when there are no logs to show', async () => {
    const ran = await slipway('logs hello --tail 5')
    expect(ran.out).toBe('')
    expect([EXIT.ok, EXIT.unreachable]).toContain(ran.code)
    expect((await slipway('logs nothing')).code).toBe(EXIT.notFound)
  })

  it('shows the state of the server', async () => {
    expect((await slipway('status')).out).toMatch(/postgres +ok/)
  })
})

describe('slipway lint', () => {
  it('needs no server, tells findings with their lines, and ends with 1', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'slipway-lint-'))
    try {
      await writeFile(join(folder, 'Dockerfile'), 'FROM node\nMAINTAINER me\nCOPY . .\nRUN npm ci\nCOPY secret.txt /\n')
      await writeFile(join(folder, '.dockerignore'), 'secret.txt\n')
      const env = { SLIPWAY_URL: 'http://127.0.0.1:1' }
      const found = await slipway(['lint', folder], { env })
      expect(found.code).toBe(EXIT.failed)
      expect(found.out).toContain('MaintainerDeprecated')
      expect(found.out).toMatch(/CopyBeforeInstall {2}.*Dockerfile:3/)
      expect(found.out).toContain('3 | COPY . .')
      expect(found.out).toContain('CopyIgnoredFile')
      expect(found.err).toBe('3 findings.\n')
      const asJson = await slipway(['lint', '--json', join(folder, 'Dockerfile')], { env })
      expect(JSON.parse(asJson.out)).toHaveLength(3)

      await writeFile(join(folder, 'Dockerfile'), '# check=skip=NoEmptyContinuation\nFROM scratch\nLABEL \\\n\n  a=$B\n')
      const skipped = await slipway(['lint', '--json', folder], { env })
      expect(JSON.parse(skipped.out).map(({ rule }: { rule: string }) => rule)).toEqual(['UndefinedVar'])

      await writeFile(join(folder, 'Dockerfile'), 'FROM node\nRNU x\n')
      const broken = await slipway(['lint', folder], { env })
      expect(broken).toMatchObject({ code: EXIT.failed, out: '' })
      expect(broken.err).toContain('Did you mean RUN?')

      await writeFile(join(folder, 'Dockerfile'), 'FROM node\nCMD ["node"]\n')
      expect((await slipway(['lint', folder], { env })).code).toBe(EXIT.ok)
      expect((await slipway(['lint', join(folder, 'none')], { env })).code).toBe(EXIT.notFound)
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})
