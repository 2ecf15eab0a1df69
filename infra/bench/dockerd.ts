import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import Docker from 'dockerode'

export interface Dockerd {
  socketPath: string
  stop(): Promise<void>
}

/** Debian's dockerd with everything of its own, beside whatever runs here; null when it is not installed. */
export async function startDockerd(): Promise<Dockerd | null> {
  const binary = '/usr/sbin/dockerd'
  if (!existsSync(binary)) return null
  const folder = mkdtempSync(join(tmpdir(), 'sw-dockerd-'))
  const socketPath = join(folder, 'docker.sock')
  const child = spawn(
    binary,
    [
      '--data-root',
      join(folder, 'data'),
      '--exec-root',
      join(folder, 'exec'),
      '--pidfile',
      join(folder, 'pid'),
      '-H',
      `unix://${socketPath}`,
      '--bip',
      '10.199.77.1/24',
    ],
    { stdio: 'ignore', env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' } },
  )
  const docker = new Docker({ socketPath })
  for (let i = 0; i < 150; i++) {
    try {
      await docker.ping()
      break
    } catch {
      await sleep(200)
    }
  }
  return {
    socketPath,
    async stop() {
      const gone = new Promise((resolve) => child.once('close', resolve))
      child.kill('SIGTERM')
      await gone
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
