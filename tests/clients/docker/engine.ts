/** Our engine by itself, with the image `busybox`, and the docker CLI that people have. */
import { execFile, execFileSync, spawn } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, expect } from 'vitest'
import { CLEAN_PATH, chooseDaemon } from './daemons'

const NAMES = ['sh', 'true', 'false', 'sleep', 'echo', 'cat', 'ls', 'id', 'env', 'head', 'tail', 'wc', 'grep', 'touch', 'mkdir', 'rm', 'mv']
const MORE = [
  'stat',
  'mount',
  'hostname',
  'ip',
  'ps',
  'kill',
  'wget',
  'nc',
  'httpd',
  'nslookup',
  'ping',
  'seq',
  'dd',
  'tr',
  'pwd',
  'printf',
]
const REST = [
  'test',
  'chmod',
  'chown',
  'ln',
  'readlink',
  'sort',
  'date',
  'tty',
  'stty',
  'sysctl',
  'df',
  'whoami',
  'timeout',
  'nproc',
  'md5sum',
  'mknod',
  'tar',
]

export interface Result {
  code: number
  out: string
  err: string
}

export interface Engine {
  folder: string
  /** For what a test gives to and takes from containers; goes with the engine. */
  files: string
  socket: string
  pid: number
  /** For programs that talk to it. */
  env: Record<string, string>
  /** Runs `docker …args`; never throws for a code. */
  docker(args: string[], options?: RunOptions): Promise<Result>
  /** As `docker`, but a code other than 0 fails the test. Gives stdout, trimmed. */
  ok(args: string[], options?: RunOptions): Promise<string>
  /** Kills the daemon with -9 and starts it again on the same data. */
  replace(): Promise<void>
  stop(): Promise<void>
}

export interface RunOptions {
  stdin?: string
  /** Default a minute. */
  timeoutMs?: number
}

/** One engine for all tests of a file; what a test leaves in containers and networks is removed after it. */
export function useEngine(options?: StartOptions): Engine {
  const engine = {} as Engine
  beforeAll(async () => {
    Object.defineProperties(engine, Object.getOwnPropertyDescriptors(await startEngine(options)))
  })
  afterAll(() => engine.stop?.())
  afterEach(async () => {
    const left = await engine.ok(['ps', '-aq'])
    if (left) await engine.ok(['rm', '-f', '-v', ...left.split('\n')])
    await engine.ok(['network', 'prune', '-f'])
  })
  return engine
}

export interface StartOptions {
  /** More flags of the daemon, given the folder of its own. */
  flags?: (folder: string) => string[]
}

export async function startEngine({ flags = () => [] }: StartOptions = {}): Promise<Engine> {
  const folder = mkdtempSync('/var/tmp/sw-cli-')
  const home = mkdtempSync(join(tmpdir(), 'sw-cli-home-'))
  const [dataRoot, socket, files] = [join(folder, 'data'), join(folder, 'agent.sock'), join(folder, 'files')]
  mkdirSync(files)
  const daemon = chooseDaemon({ folder, dataRoot, socket })
  const argv = [...daemon.argv, ...flags(folder)]
  const env = { PATH: process.env.PATH ?? CLEAN_PATH, HOME: home, DOCKER_HOST: `unix://${socket}`, DOCKER_CONFIG: home }
  const run = (file: string, args: string[], { stdin, timeoutMs = 60_000 }: RunOptions = {}) =>
    new Promise<Result>((done) => {
      const child = execFile(file, args, { env, timeout: timeoutMs, maxBuffer: 64 << 20 }, (error, out, err) => {
        const code = error ? (typeof error.code === 'number' ? error.code : error.killed ? 124 : 1) : 0
        done({ code, out, err })
      })
      child.stdin?.on('error', () => undefined) // it may end without reading
      child.stdin?.end(stdin ?? '')
    })
  const start = async () => {
    const child = spawn(argv[0] ?? '', argv.slice(1), {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { PATH: CLEAN_PATH, RUST_LOG: 'warn' },
    })
    let log = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      log = (log + text).slice(-8192)
    })
    const deadline = Date.now() + 60_000
    while ((await run('docker', ['version'])).code !== 0) {
      if (child.exitCode !== null || Date.now() > deadline) {
        child.kill('SIGKILL')
        throw new Error(`the engine did not come up:\n${log}`)
      }
      await sleep(50)
    }
    return child
  }
  let child = await start()
  const end = async (signal: NodeJS.Signals) => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const gone = new Promise((done) => child.once('exit', done))
    child.kill(signal)
    await gone
  }
  const docker = (args: string[], options?: RunOptions) => run('docker', args, options)
  const engine: Engine = {
    folder,
    files,
    socket,
    get pid() {
      return child.pid ?? 0
    },
    env,
    docker,
    async ok(args, options) {
      const { code, out, err } = await docker(args, options)
      expect({ args, code, err: code === 0 ? '' : err }).toEqual({ args, code: 0, err: '' })
      return out.trim()
    },
    async replace() {
      await end('SIGKILL')
      child = await start()
    },
    async stop() {
      await end('SIGINT')
      daemon.down()
      rmSync(folder, { recursive: true, force: true })
      rmSync(home, { recursive: true, force: true })
    },
  }
  try {
    await engine.ok(['import', '--change', 'CMD ["sh"]', '--change', 'ENV PATH=/bin', busybox(folder), 'busybox:latest'])
    return engine
  } catch (error) {
    await engine.stop()
    throw error
  }
}

/** A root file system of one static busybox under the names used here, as a tar. */
function busybox(folder: string): string {
  const root = join(folder, 'busybox')
  for (const name of ['bin', 'etc', 'tmp', 'proc', 'sys', 'dev', 'root', 'home', 'var']) mkdirSync(join(root, name), { recursive: true })
  copyFileSync(execFileSync('which', ['busybox'], { encoding: 'utf8' }).trim(), join(root, 'bin/busybox'))
  for (const name of [...NAMES, ...MORE, ...REST]) symlinkSync('busybox', join(root, 'bin', name))
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001:app:/home:/bin/sh\n')
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\napp:x:1001:\nmore:x:2000:\n')
  execFileSync('tar', ['-C', root, '--owner=0', '--group=0', '-cf', `${root}.tar`, '.'])
  return `${root}.tar`
}
