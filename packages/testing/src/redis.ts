import { spawn } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { freePort } from './ports'
import { alive } from './shared-dir.mjs'

export interface TestRedis {
  url: string
  port: number
  pid: number
  stop(): Promise<void>
}

/**
 * A real redis-server of the test's own, on a free port, in memory only.
 * The kernel ends it with the process that started it (pdeathsig), so a killed test run leaves nothing.
 */
export async function startTestRedis(): Promise<TestRedis> {
  await removeOrphans()
  const dir = await mkdtemp(path.join(tmpdir(), `slipway-redis-${process.pid}-`))
  const port = await freePort()
  const settings = ['--bind', '127.0.0.1', '--port', String(port), '--dir', dir, '--save', '', '--appendonly', 'no', '--daemonize', 'no']
  const child = spawn('setpriv', ['--pdeathsig=KILL', '--', 'redis-server', ...settings], { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  child.stdout.on('data', (c: Buffer) => (output += c.toString()))
  child.stderr.on('data', (c: Buffer) => (output += c.toString()))
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  let failed: Error | undefined
  child.once('error', (error) => (failed = error))
  const deadline = Date.now() + 10_000
  while (!(await answers(port))) {
    if (failed || child.exitCode !== null || Date.now() > deadline) {
      child.kill('SIGKILL')
      throw new Error(`redis-server did not start (is it installed?):\n${output}`, { cause: failed })
    }
    await new Promise((r) => setTimeout(r, 20))
  }
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    pid: child.pid ?? 0,
    async stop() {
      child.kill('SIGTERM')
      await ended
      await rm(dir, { recursive: true, force: true })
    },
  }
}

/** Folders of test processes that were killed. */
async function removeOrphans(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const pid = Number(/^slipway-redis-(\d+)-/.exec(name)?.[1])
    if (pid && !alive(pid)) await rm(path.join(tmpdir(), name), { recursive: true, force: true })
  }
}

const answers = (port: number) =>
  new Promise<boolean>((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'))
    socket.once('data', (data) => {
      socket.destroy()
      resolve(data.toString().startsWith('+PONG'))
    })
    socket.once('error', () => resolve(false))
    socket.setTimeout(1000, () => {
      socket.destroy()
      resolve(false)
    })
  })
