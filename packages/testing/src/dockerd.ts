import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

export interface TestDockerd {
  socketPath: string
  pid: number
  stop(): Promise<void>
}

const BINARY = '/usr/sbin/dockerd'
export const hasDockerd = () => existsSync(BINARY)

/**
 * Debian's dockerd (package docker.io) with data, sockets and process ids of its own, beside whatever runs here.
 * Without `bridge` it makes no network and no firewall rule: enough for images, pushes and pulls. With `bridge` it lives in
 * a network namespace of its own: dockerd leaves its bridge and rules behind, and they go with the namespace. `parent` is
 * the folder that holds it all.
 */
export async function startDockerd({
  bridge = false,
  parent = tmpdir(),
  args = [],
}: {
  bridge?: boolean
  parent?: string
  /** Added to its command line. */
  args?: string[]
} = {}): Promise<TestDockerd> {
  if (!hasDockerd()) throw new Error('dockerd is not installed: apt-get install docker.io')
  const folder = mkdtempSync(join(parent, 'sw-dockerd-'))
  const socketPath = join(folder, 'docker.sock')
  const network = bridge ? ['--bip', '10.199.77.1/24'] : ['--bridge', 'none', '--iptables=false', '--ip-forward=false']
  const child = spawn(
    bridge ? 'unshare' : BINARY,
    [
      ...(bridge ? ['--net', '--', 'sh', '-c', 'ip link set lo up && exec "$0" "$@"', BINARY] : []),
      '--data-root',
      join(folder, 'data'),
      '--exec-root',
      join(folder, 'exec'),
      '--pidfile',
      join(folder, 'pid'),
      '-H',
      `unix://${socketPath}`,
      ...network,
      ...args,
    ],
    { stdio: ['ignore', 'ignore', 'pipe'], env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' } },
  )
  let log = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log = (log + text).slice(-8192)
  })
  const deadline = Date.now() + 60_000
  while (!(await ping(socketPath))) {
    if (child.exitCode !== null || Date.now() > deadline) throw new Error(`dockerd did not come up:\n${log}`)
    await sleep(100)
  }
  return {
    socketPath,
    pid: child.pid ?? 0,
    async stop() {
      // Ctrl-C in a terminal has reached it too.
      if (child.exitCode === null && child.signalCode === null) {
        const gone = new Promise((resolve) => child.once('close', resolve))
        child.kill('SIGTERM')
        await gone
      }
      endContainerd(join(folder, 'exec/containerd/containerd.pid'))
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function ping(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const call = request({ socketPath, path: '/_ping', timeout: 2000 }, (response) => {
      response.resume()
      resolve(response.statusCode === 200)
    })
    call.once('error', () => resolve(false))
    call.end()
  })
}

/** dockerd ends its containerd with itself; when it could not, the recorded process is ours to end. */
function endContainerd(pidFile: string): void {
  try {
    process.kill(Number(readFileSync(pidFile, 'utf8')), 'SIGKILL')
  } catch {
    // It is gone already.
  }
}
