/** Ours and BuildKit behind one interface: each build is a process from its start to its exit, as people start one. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { build as bundle } from 'esbuild'
import type { Engine } from '../engine/api'
import { type Cleanup, startAgent, startPeer } from '../engine/hosts'
import { BASE, BASE_MODULES, type baseTars } from './contexts'

export interface Built {
  /** From the client's start to its exit, milliseconds. */
  seen: number
  /** In the agent, from the request's first byte; NaN for BuildKit, which does not tell. */
  inside: number
}

interface BuildOptions {
  noCache?: boolean
}

export interface Builder {
  name: string
  engine: Engine
  build(folder: string, tag: string, options?: BuildOptions): Promise<Built>
  /** The client of a build, which nobody waits for. */
  start(folder: string, tag: string, options?: BuildOptions): ChildProcess
  /** Forgets all that was built; the bases stay. */
  forget(): Promise<void>
}

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
const SLIPWAY = resolve(import.meta.dirname, '../../../apps/cli/bin/slipway.cjs')
/** The CLI of Debian's docker.io, which has BuildKit built in. */
const DOCKER = '/usr/bin/docker'

export type Tars = ReturnType<typeof baseTars>

export async function startBuilders(folder: string, tars: Tars, cleanup: Cleanup): Promise<[Builder, Builder | null]> {
  const client = await makeClient(folder)
  const { engine } = await startAgent(folder, cleanup)
  const socket = join(folder, 'agent.sock')
  const argsOf = (context: string, tag: string, { noCache = false }: BuildOptions = {}) => [
    client,
    socket,
    context,
    `docker.io/library/${tag}:latest`,
    join(folder, 'client-cache'),
    ...(noCache ? ['no-cache'] : []),
  ]
  const ours: Builder = {
    name: 'ours',
    engine,
    start: (...build) => spawn(process.execPath, argsOf(...build), { env: { PATH }, stdio: 'ignore' }),
    async build(...build) {
      const { seen, out } = await timed(process.execPath, argsOf(...build), { PATH })
      return { seen, inside: (JSON.parse(out) as { milliseconds: number }).milliseconds }
    },
    forget: () => forget(engine),
  }
  await importBases(engine, tars)
  return [ours, await startBuildKit(folder, tars, { bridge: true }, cleanup)]
}

/** `client.ts` as one file that is started as the command line is, by its own `bin`: with what V8 compiled of it before. */
async function makeClient(folder: string): Promise<string> {
  const { outputFiles } = await bundle({
    entryPoints: [join(import.meta.dirname, 'client.ts')],
    ...{ write: false, bundle: true, platform: 'node', target: 'node20', format: 'cjs', minify: true, logLevel: 'error' },
  })
  const [bin, dist] = [join(folder, 'client/bin'), join(folder, 'client/dist')]
  for (const made of [bin, dist]) mkdirSync(made, { recursive: true })
  writeFileSync(join(dist, 'main.js'), `({"./main.js"(require,module,exports){${outputFiles?.[0]?.text}}})\n`)
  copyFileSync(SLIPWAY, join(bin, 'slipway.cjs'))
  return join(bin, 'slipway.cjs')
}

/** With a bridge it can RUN, without it reaches the registry on this machine's loopback. Null when it is not installed. */
export async function startBuildKit(
  folder: string,
  tars: Tars,
  { bridge }: { bridge: boolean },
  cleanup: Cleanup,
): Promise<Builder | null> {
  const peer = existsSync(DOCKER) ? await startPeer(folder, bridge, cleanup) : null
  if (!peer) return null
  await importBases(peer.engine, tars)
  const env = { PATH, HOME: folder, DOCKER_BUILDKIT: '1', DOCKER_HOST: `unix://${peer.socketPath}` }
  const argsOf = (context: string, tag: string, { noCache = false }: BuildOptions = {}) => [
    ...['build', '-q', '-t', tag],
    ...(noCache ? ['--no-cache'] : []),
    context,
  ]
  return {
    name: 'BuildKit',
    engine: peer.engine,
    start: (...build) => spawn(DOCKER, argsOf(...build), { env, stdio: 'ignore' }),
    async build(...build) {
      return { seen: (await timed(DOCKER, argsOf(...build), env)).seen, inside: Number.NaN }
    },
    forget: () => forget(peer.engine),
  }
}

async function importBases(engine: Engine, tars: Tars): Promise<void> {
  for (const [name, tar] of [
    [BASE, tars.base],
    [BASE_MODULES, tars.modules],
  ] as const)
    await engine.upload('POST', `/images/create?fromSrc=-&repo=${name}&tag=latest&changes=${encodeURIComponent('ENV PATH=/bin')}`, tar)
}

async function forget(engine: Engine): Promise<void> {
  const images = await engine.call<{ RepoTags: string[] | null; Id: string }[]>('GET', '/images/json')
  for (const { RepoTags, Id } of images) {
    if (RepoTags?.some((tag) => /(^|\/)bench-(base|modules):/.test(tag))) continue
    await engine.call('DELETE', `/images/${Id}?force=1`).catch(() => undefined) // gone with one deleted before
  }
  await engine.call('POST', '/build/prune?all=1')
}

function timed(file: string, args: string[], env: Record<string, string>): Promise<{ seen: number; out: string }> {
  const from = performance.now()
  return new Promise((resolve, reject) => {
    execFile(file, args, { env, timeout: 600_000, maxBuffer: 16 << 20 }, (error, out, err) => {
      if (error) reject(new Error(`${file} ${args.slice(0, 2).join(' ')}: ${err.slice(-1500) || error.message}`))
      else resolve({ seen: performance.now() - from, out })
    })
  })
}
