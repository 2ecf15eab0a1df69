import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
// By file: the package as a whole needs the generated database client.
import { hasDockerd, startDockerd } from '@slipway/testing/dockerd'
import { freePort } from '@slipway/testing/ports'
import { Engine } from './api'

const AGENT = resolve(import.meta.dirname, '../../../apps/agent/target/release/slipway-agent')
const REGISTRY = '/usr/bin/docker-registry'
const CLEAN_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** Takes back, in reverse, all that the bench made: at its end, on an error, and on Ctrl-C. */
export class Cleanup {
  private readonly steps: (() => unknown)[] = []
  private running: Promise<void> | null = null

  add(step: () => unknown): void {
    this.steps.push(step)
  }

  run(): Promise<void> {
    this.running ??= this.all()
    return this.running
  }

  private async all(): Promise<void> {
    for (let step = this.steps.pop(); step; step = this.steps.pop()) {
      try {
        await step()
      } catch (error) {
        process.stderr.write(`clean-up: ${error instanceof Error ? error.message : error}\n`)
      }
    }
  }
}

/** Runs a bench and takes back what it made, also when Ctrl-C ends it. */
export async function cleaning<T>(say: (text: string) => void, bench: (cleanup: Cleanup) => Promise<T>): Promise<T> {
  const cleanup = new Cleanup()
  const interrupted = (signal: NodeJS.Signals) => {
    say('cleaning up …')
    void cleanup.run().then(() => process.exit(signal === 'SIGINT' ? 130 : 143))
  }
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted)
  // Who reads our output may go away; the clean-up must not fail because of it.
  process.stderr.on('error', () => undefined)
  try {
    return await bench(cleanup)
  } finally {
    await cleanup.run()
    process.off('SIGINT', interrupted).off('SIGTERM', interrupted)
  }
}

/** A folder on a real disk: overlayfs and honest writes, whatever /tmp is. */
export function benchFolder(cleanup: Cleanup): string {
  const folder = mkdtempSync('/var/tmp/sw-bench-')
  cleanup.add(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/**
 * The same on an ext4 of its own, with a journal as servers have it. Without one ext4 looks at each inode that was deleted in the
 * last minutes before it gives a new one: what a run threw away would be paid by the next.
 */
export function journaledFolder(cleanup: Cleanup): string {
  const folder = benchFolder(cleanup)
  const [image, mount] = [join(folder, 'disk'), join(folder, 'm')]
  writeFileSync(image, '')
  truncateSync(image, DISK_BYTES)
  execFileSync('mkfs.ext4', ['-q', '-F', '-i', '65536', '-E', 'lazy_itable_init=0,lazy_journal_init=0', image], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  mkdirSync(mount)
  execFileSync('mount', ['-o', 'loop', image, mount])
  cleanup.add(() => execFileSync('umount', [mount]))
  return mount
}

/** Sparse: as much of the disk as is written. */
const DISK_BYTES = 24e9

export async function startAgent(folder: string, cleanup: Cleanup): Promise<{ engine: Engine; pid: number }> {
  if (!existsSync(AGENT)) throw new Error('The agent is not built. `npm start` builds it, or: cargo build --release in apps/agent')
  const [dataRoot, socketPath] = [join(folder, 'agent'), join(folder, 'agent.sock')]
  const child = spawn(AGENT, ['daemon', '--data-root', dataRoot, '--socket', socketPath], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { PATH: CLEAN_PATH, RUST_LOG: 'warn' },
  })
  const log = lastWords(child)
  cleanup.add(async () => {
    // SIGINT: containers and network go with it.
    await stop(child, 'SIGINT', 60_000)
    execFileSync(AGENT, ['down', '--data-root', dataRoot], { stdio: 'ignore' })
  })
  const engine = new Engine('ours', socketPath)
  cleanup.add(() => engine.close())
  await untilUp('the agent', child, log, () => engine.call('GET', '/_ping'))
  return { engine, pid: child.pid ?? 0 }
}

/** Debian's dockerd for the same work; null when it is not installed. */
export async function startPeer(
  folder: string,
  bridge: boolean,
  cleanup: Cleanup,
): Promise<{ engine: Engine; pid: number; socketPath: string } | null> {
  if (!hasDockerd()) return null
  const peer = await startDockerd({ bridge, parent: folder })
  cleanup.add(() => peer.stop())
  const engine = new Engine('dockerd', peer.socketPath)
  cleanup.add(() => engine.close())
  return { engine, pid: peer.pid, socketPath: peer.socketPath }
}

/**
 * An empty registry (Debian's docker-registry) on loopback. Gives `127.0.0.1:port`, where its data lie, and what ends it.
 * `cache`: what it knows of blobs is kept in memory, as in the settings that Debian ships.
 */
export async function startRegistry(
  folder: string,
  cleanup: Cleanup,
  { cache = false } = {},
): Promise<{ host: string; pid: number; data: string; stop(): Promise<void> }> {
  const host = `127.0.0.1:${await freePort()}`
  const root = mkdtempSync(join(folder, 'registry-'))
  const config = join(root, 'config.yml')
  const data = join(root, 'data')
  mkdirSync(data)
  const storage = [
    `filesystem: {rootdirectory: ${data}}`,
    'delete: {enabled: true}',
    ...(cache ? ['cache: {blobdescriptor: inmemory}'] : []),
  ]
  // Its own log would be its largest output.
  const logging = 'log: {level: error, accesslog: {disabled: true}}'
  writeFileSync(config, `version: 0.1\n${logging}\nstorage: {${storage.join(', ')}}\nhttp: {addr: "${host}"}\n`)
  const child = spawn(REGISTRY, ['serve', config], { stdio: ['ignore', 'ignore', 'pipe'], env: { PATH: CLEAN_PATH } })
  const log = lastWords(child)
  const end = async () => {
    await stop(child, 'SIGTERM', 10_000)
    rmSync(root, { recursive: true, force: true })
  }
  cleanup.add(end)
  await untilUp('docker-registry', child, log, async () => {
    if (!(await fetch(`http://${host}/v2/`)).ok) throw new Error('not yet')
  })
  return { host, pid: child.pid ?? 0, data, stop: end }
}

export const hasRegistry = () => existsSync(REGISTRY)

/** Whether something at this address accepts a connection within two seconds. */
export function accepts(host: string, port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect({ host, port, timeout: 2000 })
    const say = (yes: boolean) => {
      socket.destroy()
      done(yes)
    }
    socket.once('connect', () => say(true))
    socket.once('timeout', () => say(false))
    socket.once('error', () => say(false))
  })
}

const TOUCH = `const kept = []; for (let left = Number(process.argv[1]); left > 0; left -= 64) kept.push(Buffer.alloc(64 << 20, 1))`

/**
 * The same machine for whoever is measured next: writes of the run before are on the disk, and so much memory is there to be written
 * to. A virtual machine's free memory is its host's, and the first write to a page of it costs more than the rest of a push; who
 * comes second would have for nothing what the first one paid for.
 */
export function settle(mebibytes = 512): void {
  try {
    execFileSync('sync', { timeout: 3_000 })
  } catch {
    process.stderr.write('the disk is still writing after 3 s; going on\n')
  }
  execFileSync(process.execPath, ['-e', TOUCH, String(mebibytes)], { timeout: 60_000 })
}

function lastWords(child: ChildProcess): () => string {
  let log = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    log = (log + text).slice(-4096)
  })
  return () => log
}

async function untilUp(what: string, child: ChildProcess, log: () => string, ask: () => Promise<unknown>): Promise<void> {
  const deadline = Date.now() + 30_000
  for (;;) {
    try {
      await ask()
      return
    } catch {
      if (child.exitCode !== null || Date.now() > deadline) throw new Error(`${what} did not come up:\n${log()}`)
    }
    await sleep(30)
  }
}

async function stop(child: ChildProcess, signal: NodeJS.Signals, patienceMs: number): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = new Promise((done) => child.once('exit', done))
  child.kill(signal)
  if ((await Promise.race([gone, sleep(patienceMs, 'late')])) === 'late') child.kill('SIGKILL')
  await gone
}
