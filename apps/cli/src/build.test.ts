/** `slipway build` against the real API; the build host's store of contexts is one in memory, and the worker's part is done to the rows. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { startTestApi, type TestApi } from '@slipway/api/testing'
import { channels } from '@slipway/contracts'
import { newId } from '@slipway/core'
import { pack } from 'tar-stream'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { EXIT } from './errors'
import { type ContextStore, startContextStore } from './testing/context-store'
import { type RunOptions, runSlipway } from './testing/terminal'

let api: TestApi
let store: ContextStore
let home: string
let folder: string
let key: string

const slipway = (args: string[], { env, ...options }: Partial<RunOptions> = {}) =>
  runSlipway(args, {
    ...options,
    env: { XDG_CONFIG_HOME: home, XDG_CACHE_HOME: join(home, 'cache'), SLIPWAY_URL: api.url, SLIPWAY_API_KEY: key, ...env },
  })

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'slipway-build-'))
  const agentSocket = join(home, 'agent.sock')
  store = await startContextStore(agentSocket)
  api = await startTestApi({ agentSocket })
  const user = await api.harness.user('Ada', 'acme')
  const actor = { userId: user.userId, label: 'Ada', ip: null }
  key = (await api.harness.services.apiKeys.create(actor, { name: 'cli' })).key
  await api.harness.services.projects.create(await api.harness.scope(user, 'acme'), { name: 'Shop' })
})
afterAll(async () => {
  await api?.close()
  await store?.close()
  rmSync(home, { recursive: true, force: true })
})

const OLD = new Date(Date.now() - 3_600_000)
/** A file that was there for long: its time says that nothing changed since it was read. */
function file(path: string, text: string | Buffer): void {
  mkdirSync(join(folder, path, '..'), { recursive: true })
  writeFileSync(join(folder, path), text)
  utimesSync(join(folder, path), OLD, OLD)
}
beforeEach(() => {
  folder = mkdtempSync(join(home, 'app-'))
  file('Dockerfile', 'FROM scratch\nCOPY . /\n')
  file('.dockerignore', 'node_modules\n*.log\n!keep.log\n')
  file('src/main.js', 'console.log(1)\n')
  file('src/lib/a.js', 'a\n')
  file('node_modules/x/index.js', 'left out\n')
  file('keep.log', 'kept\n')
  file('drop.log', 'left out\n')
  symlinkSync('src/main.js', join(folder, 'start'))
  store.requests.length = 0
})

/** What the worker does: takes the newest build up, and ends it. */
async function work(state: 'succeeded' | 'failed', facts: Record<string, unknown> = {}): Promise<string> {
  const { db } = api.harness
  let build: { id: string } | null = null
  for (let i = 0; i < 400 && !build; i++) {
    build = await db.build.findFirst({ where: { state: 'queued' }, orderBy: { queuedAt: 'desc' } })
    if (!build) await sleep(25)
  }
  if (!build) throw new Error('no build came')
  const { id } = build
  const step = { buildId: id, stage: '0', line: 1, startedAt: new Date(), finishedAt: new Date(), durationMs: 1200 }
  const names = ['[1/2] FROM scratch', '[2/2] COPY . /']
  await db.buildStep.createMany({
    data: names.map((name, i) => ({
      ...step,
      id: newId('buildStep'),
      position: i + 1,
      vertexId: `v${i}`,
      name,
      instruction: name,
      state: i === 0 ? ('cached' as const) : state === 'failed' ? ('failed' as const) : ('done' as const),
    })),
  })
  await db.buildLogChunk.create({ data: { buildId: id, seq: 1, position: 2, stream: 'stdout', at: new Date(), text: 'copying\n' } })
  await db.build.update({ where: { id }, data: { state, startedAt: new Date(), finishedAt: new Date(), ...facts } })
  api.harness.deps.signals.publish(channels.build(id))
  return id
}
const SOON = { timeout: 30_000 }

describe('what is sent', SOON, () => {
  it('is the context less what is ignored, then only what changed, by an app that was not there', async () => {
    const first = slipway(['build', folder, '--app', 'fresh'])
    const id = await work('succeeded')
    const ran = await first
    expect(`${ran.code} ${ran.err}`).toMatch(/^0 App fresh is new\./)
    expect(ran.err).toContain('#2 [2/2] COPY . /\n')
    expect(ran.err).toMatch(/#2 \d+\.\d{3} copying\n#2 DONE 1\.2s/)
    expect(ran.err).toContain('#1 CACHED')
    const texts = [...store.objects.values()].map(String)
    expect(texts).toContain('console.log(1)\n')
    expect(texts).toContain('kept\n')
    expect(texts).not.toContain('left out\n')
    expect(texts.some((text) => text.includes('l start\0src/main.js\0'))).toBe(true)
    const build = await api.harness.db.build.findUniqueOrThrow({ where: { id }, include: { app: true } })
    expect(build).toMatchObject({ trigger: 'upload', actorLabel: 'Ada', deploys: false, app: { source: 'upload', slug: 'fresh' } })

    store.requests.length = 0
    store.asked = 0
    const again = slipway(['build', folder, '--app', 'fresh'])
    await work('succeeded')
    expect((await again).code).toBe(0)
    expect([store.requests, store.asked], 'nothing changed, so nothing is asked').toEqual([[], 0])

    file('src/lib/a.js', 'b\n')
    const changed = slipway(['build', folder, '--app', 'fresh'])
    await work('succeeded')
    expect((await changed).code).toBe(0)
    const kinds = store.requests.flatMap(({ records }) => records.map((record) => record.split(' ')[0])).sort()
    expect(kinds, 'one file, and the three directories that lead to it').toEqual(['blob', 'tree', 'tree', 'tree'])
    expect(store.asked, 'once for all of them').toBe(1)

    // What was sent before is there no more: the server says so, and gets all of it.
    store.objects.clear()
    const lost = slipway(['build', folder, '--app', 'fresh'])
    await work('succeeded')
    expect((await lost).code).toBe(0)
    expect([...store.objects.values()].map(String)).toEqual(expect.arrayContaining(['console.log(1)\n', 'b\n']))
  })

  it('goes on where a broken upload ended, in pieces when a file is large', async () => {
    const large = Buffer.alloc(20_000_000, 'x').fill('y', 9_000_000)
    file('large.bin', large)
    store.failures = [503, 503]
    const ran = slipway(['build', folder, '--app', 'fresh'])
    await work('succeeded')
    expect((await ran).code).toBe(0)
    const records = store.requests.flatMap((request) => request.records).filter((record) => record.startsWith('part '))
    expect(records.map((record) => record.split(' ').slice(2).map(Number))).toEqual([
      [0, 8_388_608, 20_000_000],
      [8_388_608, 8_388_608, 20_000_000],
      [16_777_216, 3_222_784, 20_000_000],
    ])
    expect([...store.objects.values()].some((content) => content.equals(large))).toBe(true)
  })

  it('is sent again when it was collected before the build began', async () => {
    const first = slipway(['build', folder, '--app', 'fresh'])
    await work('succeeded')
    await first
    // The directory is still there, what it names is not.
    for (const [digest, content] of store.objects) if (!content.toString().startsWith('slipway-tree')) store.objects.delete(digest)
    const ran = slipway(['build', folder, '--app', 'fresh'])
    await work('succeeded')
    expect((await ran).code).toBe(0)
    expect([...store.objects.values()].map(String)).toContain('console.log(1)\n')
  })
})

describe('what a build is told', SOON, () => {
  it('keeps arguments and secrets sealed, and forgets them when it is over', async () => {
    writeFileSync(join(folder, '..', 'npmrc'), 'token=from-a-file')
    writeFileSync(join(folder, '..', 'keystore'), Buffer.from([0xfe, 0xed, 0xfe, 0xed, 0]))
    const keyFile = join(folder, 'id_ed25519')
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', keyFile])
    writeFileSync(join(folder, '.dockerignore'), 'id_ed25519*\n')
    const ran = slipway(
      [
        'build',
        folder,
        '-t',
        'acme/fresh:v2',
        '--push',
        '--no-cache',
        '--target',
        'prod',
        '--platform',
        'linux/amd64,linux/arm64',
        '--build-arg',
        'MODE=dark',
        '--build-arg',
        'GIVEN',
      ].concat(
        ['--secret', 'id=token,env=TOKEN', '--secret', `id=npm,src=${join(folder, '..', 'npmrc')}`],
        ['--secret', `id=keystore,src=${join(folder, '..', 'keystore')}`, '--ssh', `git=${keyFile}`],
      ),
      { env: { TOKEN: 'from-the-environment', GIVEN: 'passed-on' } },
    )
    const { db, deps } = api.harness
    let row = await db.build.findFirst({ where: { state: 'queued' } })
    for (let i = 0; i < 400 && !row; i++) {
      await sleep(25)
      row = await db.build.findFirst({ where: { state: 'queued' } })
    }
    if (!row) throw new Error('no build')
    expect(row).toMatchObject({
      noCache: true,
      upload: { push: true, tag: 'v2', target: 'prod', platforms: ['linux/amd64', 'linux/arm64'], dockerfilePath: 'Dockerfile' },
    })
    // A key of this machine stays here; the server knows that it may be asked for.
    expect(row.upload).toMatchObject({ ssh: { by: expect.any(String), ids: ['git'] } })
    const whole = JSON.stringify(row, (_, value) => (typeof value === 'bigint' ? String(value) : value))
    expect(whole).not.toMatch(/from-the-environment|from-a-file|dark/)
    expect(Buffer.from(row.uploadSecrets ?? []).toString('latin1')).not.toContain('from-')
    const opened = deps.sealer.open(row.uploadSecrets ?? new Uint8Array(), {
      kind: 'upload',
      organizationId: row.organizationId,
      id: row.id,
    })
    expect(JSON.parse(opened)).toEqual({
      buildArgs: { MODE: 'dark', GIVEN: 'passed-on' },
      secrets: { token: 'from-the-environment', npm: 'token=from-a-file', keystore: { base64: '/u3+7QA=' } },
    })
    const jobs = JSON.stringify(await api.harness.queues.build.getJobs())
    expect(jobs).not.toContain('from-')
    await work('succeeded', { uploadSecrets: null })
    const { code, out } = await ran
    expect([code, out]).toEqual([0, 'slipway.local/acme/fresh:v2\n'])
  })

  it('tells a failure by exit code 1, with its line', async () => {
    const ran = slipway(['build', folder, '--app', 'fresh'])
    await work('failed', {
      errorCode: 'EXEC_FAILED',
      errorMessage: 'The step ended with 9.',
      errorDetails: { file: 'Dockerfile', line: 2 },
    })
    const { code, err } = await ran
    expect(code).toBe(EXIT.failed)
    expect(err).toContain('#2 ERROR')
    expect(err).toMatch(/The step ended with 9\.[\s\S]*(?:line 2|:2)/)
  })

  it('says what is wrong with a Dockerfile before anything is sent', async () => {
    file('Dockerfile', 'FROM scratch\nCOPPY . /\n')
    const { code, err } = await slipway(['build', folder, '--app', 'fresh'])
    expect(code).toBe(EXIT.failed)
    expect(err).toMatch(/Dockerfile:2[\s\S]*COPPY/)
    expect(store.requests).toEqual([])
  })

  it('cancels the build on the server when it is interrupted', async () => {
    const interrupted = new AbortController()
    const ran = slipway(['build', folder, '--app', 'fresh'], { signal: interrupted.signal })
    for (let i = 0; i < 400 && (await api.harness.db.build.count({ where: { state: 'queued' } })) === 0; i++) await sleep(25)
    await sleep(200)
    interrupted.abort()
    const { code, err } = await ran
    expect([code, err]).toEqual([EXIT.interrupted, expect.stringMatching(/Build #\d+ is canceled\./)])
    const last = await api.harness.db.build.findFirstOrThrow({ orderBy: { queuedAt: 'desc' } })
    expect([last.state, last.uploadSecrets]).toEqual(['canceled', null])
  })

  it('shows progress as machines and as terminals read it', async () => {
    const raw = slipway(['build', folder, '--app', 'fresh', '--progress', 'rawjson'])
    await work('succeeded')
    const lines = (await raw).err.split('\n').filter((line) => line.startsWith('{'))
    const parsed = lines.map((line) => JSON.parse(line) as { vertexes?: { name: string; cached?: boolean }[]; logs?: { data: string }[] })
    expect(parsed.flatMap(({ vertexes }) => vertexes ?? []).find(({ cached }) => cached)?.name).toBe('[1/2] FROM scratch')
    expect(Buffer.from(parsed.flatMap(({ logs }) => logs ?? [])[0]?.data ?? '', 'base64').toString()).toBe('copying\n')
    const live = slipway(['build', folder, '--app', 'fresh'], { tty: true })
    await work('succeeded')
    const { err } = await live
    expect(err).toContain('[+] Building')
    expect(err).toContain('FINISHED')
    const quiet = slipway(['build', folder, '--app', 'fresh', '--json'])
    await work('succeeded')
    const answer = JSON.parse((await quiet).out) as { app: string; sent: { files: number } }
    expect(answer).toMatchObject({ app: 'fresh', sent: { files: 8 } })
  })
})

it('tells the server how the image is to look', SOON, async () => {
  const ran = slipway([
    'build',
    folder,
    '--app',
    'fresh',
    '-o',
    'type=image,push=true,compression=zstd,compression-level=19,rewrite-timestamp=true',
  ])
  const id = await work('succeeded')
  expect((await ran).code).toBe(0)
  const { upload } = await api.harness.db.build.findUniqueOrThrow({ where: { id } })
  expect(upload).toMatchObject({ push: true, form: { compression: 'zstd', level: 19, reproducible: true } })
})

it('refuses what makes no sense', async () => {
  const code = async (...args: string[]) => (await slipway(['build', ...args])).code
  expect(await code(join(folder, 'absent'))).toBe(EXIT.usage)
  expect(await code(folder, '-t', 'UPPER')).toBe(EXIT.usage)
  expect(await code(folder, '-t', 'other/app')).toBe(EXIT.usage)
  expect(await code(folder, '-f', join(folder, 'absent'))).toBe(EXIT.notFound)
  expect(await code(folder, '--secret', 'id=x,env=NOT_THERE')).toBe(EXIT.usage)
  expect(await code(folder, '--secret', 'hunter2')).toBe(EXIT.usage)
  expect((await slipway(['build', folder, '--secret', 'hunter2'])).err).not.toContain('hunter2')
  expect(await code(folder, '--ssh', 'default=/absent')).toBe(EXIT.usage)
  expect(await code(folder, '--ssh', 'bad id')).toBe(EXIT.usage)
  writeFileSync(join(folder, 'no-key'), 'hunter2')
  const noKey = await slipway(['build', folder, '--ssh', `default=${join(folder, 'no-key')}`])
  expect([noKey.code, noKey.err.includes('hunter2')]).toEqual([EXIT.usage, false])
  expect(noKey.err).toContain('ssh-keygen -t ed25519')
  const home = { HOME: folder, SSH_AUTH_SOCK: '' }
  const noAgent = await slipway(['build', folder, '--ssh', 'default'], { env: home })
  expect([noAgent.code, noAgent.err]).toEqual([EXIT.usage, expect.stringContaining('SSH_AUTH_SOCK names no agent')])
  const locked = join(folder, 'locked')
  execFileSync('ssh-keygen', ['-q', '-t', 'rsa', '-N', 'open sesame', '-f', locked])
  expect((await slipway(['build', folder, '--ssh', `default=${locked}`])).err).toMatch(/has a passphrase[\s\S]*ssh-add/)
  expect(await code(folder, '--build-arg', '=x')).toBe(EXIT.usage)
  expect(await code(folder, '--progress', 'fancy')).toBe(EXIT.usage)
  expect(await code(folder, '-o', 'type=zip')).toBe(EXIT.usage)
  expect(await code(folder, '--platform', 'windows/amd64')).toBe(EXIT.usage)
  expect(await code(folder, '--build-context', `x=${join(folder, 'absent')}`)).toBe(EXIT.usage)
  expect(await code(folder, '--build-context', 'x=target:y')).toBe(EXIT.usage)
  rmSync(join(folder, 'Dockerfile'))
  const empty = await slipway(['build', folder])
  expect([empty.code, empty.err]).toEqual([EXIT.notFound, expect.stringMatching(/There is no Dockerfile[\s\S]*package\.json/)])
})

describe('a folder without a Dockerfile', SOON, () => {
  beforeEach(() => {
    rmSync(join(folder, 'Dockerfile'))
    file('index.html', 'hello')
  })

  it('gets one, says so and where it is seen, and leaves the folder as it is', async () => {
    const ran = slipway(['build', folder, '--app', 'made'])
    const id = await work('succeeded')
    const { code, err } = await ran
    expect(`${code} ${err}`).toMatch(/^0 no Dockerfile: made one for .*static files/)
    expect(err).toMatch(/The Dockerfile that was made is shown at http\S+\/acme\/apps\/made\/builds\/1; /)
    const build = await api.harness.db.build.findUniqueOrThrow({ where: { id } })
    expect(build.dockerfile).toMatch(/^(?:#.*\n)*FROM /m)
    expect(build.upload).toMatchObject({ origin: { kind: 'generated', evidence: [{ file: 'index.html' }] } })
    expect(existsSync(join(folder, 'Dockerfile'))).toBe(false)
  })

  it('shows it on demand, and builds nothing', async () => {
    const before = await api.harness.db.build.count()
    const { code, out } = await slipway(['build', folder, '--print-dockerfile'])
    expect([code, out]).toEqual([0, expect.stringMatching(/^(?:#.*\n)*FROM /m)])
    expect(await api.harness.db.build.count()).toBe(before)
  })
})

describe('what it leaves', SOON, () => {
  const name = (number: number) => `slipway.local/acme/out:build-${number}`
  async function built(args: string[]) {
    const ran = slipway(['build', folder, '--app', 'out', ...args])
    await work('succeeded')
    return ran
  }
  const next = async () =>
    ((await api.harness.db.build.findFirst({ where: { app: { slug: 'out' } }, orderBy: { number: 'desc' } }))?.number ?? 0) + 1
  const tree = async (content: string) => {
    const stream = pack()
    stream.entry({ name: 'srv/page', mtime: new Date(0) }, content)
    stream.finalize()
    return buffer(stream)
  }

  it('is files in a folder, tars and archives, by the names that they are asked for', async () => {
    const number = await next()
    store.images.set(`${name(number)}/files`, await tree('hello'))
    store.images.set(`${name(number)}/archive?format=oci&name=out:latest`, Buffer.from('an archive'))
    store.images.set(`${name(number)}/json`, Buffer.alloc(0))
    const [dest, archive, iid, meta] = ['tree', 'a/image.tar', 'iid', 'meta'].map((path) => join(folder, '..', path)) as [
      string,
      string,
      string,
      string,
    ]
    const ran = built(['-o', dest, '-o', `type=oci,dest=${archive}`, '-o', '-', '--iidfile', iid, '--metadata-file', meta])
    const { code, out, bytes, err } = await ran
    expect(`${code} ${err}`).toMatch(/^0/)
    expect(readFileSync(join(dest, 'srv/page'), 'utf8')).toBe('hello')
    expect(readFileSync(archive, 'utf8')).toBe('an archive')
    expect(bytes).toEqual(await tree('hello'))
    expect(out, 'nothing beside the tar').toBe('')
    expect(readFileSync(iid, 'utf8')).toBe(`sha256:${'ab'.repeat(32)}`)
    expect(JSON.parse(readFileSync(meta, 'utf8'))).toEqual({ 'containerimage.config.digest': `sha256:${'ab'.repeat(32)}` })
  })

  it('is one id, and nothing else, with -q', async () => {
    store.images.set(`${name(await next())}/json`, Buffer.alloc(0))
    const ran = built(['-q'])
    const { code, out } = await ran
    expect([code, out]).toEqual([0, `sha256:${'ab'.repeat(32)}\n`])
  })

  it('says that the image is gone, and leaves no half of a file', async () => {
    const ran = built(['-o', `type=docker,dest=${join(folder, '..', 'gone.tar')}`])
    const { code, err } = await ran
    expect([code, err]).toEqual([EXIT.notFound, expect.stringMatching(/not on the build host any more/)])
    expect(readdirSync(join(folder, '..')).filter((file) => file.startsWith('gone'))).toEqual([])
  })
})

it('uploads named contexts by what changed, and passes images and repositories on', SOON, async () => {
  const shared = join(folder, '..', 'shared')
  mkdirSync(shared, { recursive: true })
  writeFileSync(join(shared, 'lib.js'), 'shared\n')
  writeFileSync(join(shared, 'left-out'), 'left-out\n')
  writeFileSync(join(shared, '.dockerignore'), 'left-out*\n')
  const given = ['--build-context', `shared=${shared}`, '--build-context', 'base=docker-image://slipway.local/base/busybox']
  const ran = slipway(['build', folder, '--app', 'fresh', ...given, '--build-context', 'lib=https://git.example.com/lib.git#main'])
  const id = await work('succeeded')
  const { code, err } = await ran
  expect(`${code} ${err}`).toMatch(/^0/)
  const { upload } = await api.harness.db.build.findUniqueOrThrow({ where: { id } })
  expect(upload).toMatchObject({
    contexts: {
      shared: { tree: expect.stringMatching(/^sha256:[0-9a-f]{64}$/) },
      base: { value: 'docker-image://slipway.local/base/busybox' },
      lib: { value: 'https://git.example.com/lib.git#main' },
    },
  })
  const { contexts } = upload as { contexts: { shared: { tree: string } } }
  const root = String(store.objects.get(contexts.shared.tree.slice(7)))
  expect(root).toContain('lib.js')
  expect([...store.objects.values()].map(String)).not.toContain('left-out\n')
})
