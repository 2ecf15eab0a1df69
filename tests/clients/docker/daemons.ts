/**
 * Which daemon the tests drive. Ours; or, to see that what they expect is what dockerd does, Debian's dockerd:
 * `SLIPWAY_TEST_DOCKERD=1 unshare --net npx vitest run --project clients tests/clients/docker`.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

const TARGET = resolve(import.meta.dirname, '../../../apps/agent/target')
export const CLEAN_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
/** A dockerd that is killed takes its containers along: what outlives a daemon is not asked of it. */
export const isPeer = process.env.SLIPWAY_TEST_DOCKERD === '1'

interface Place {
  folder: string
  dataRoot: string
  socket: string
}
export interface Daemon {
  argv: string[]
  /** Takes away what it left, once its process has ended. */
  down(): void
}

export const chooseDaemon = (place: Place): Daemon => (isPeer ? dockerd(place) : agentDaemon(place))

/** Our agent, whatever the environment asks for. */
export function agentDaemon({ dataRoot, socket }: Pick<Place, 'dataRoot' | 'socket'>): Daemon {
  const binary = [join(TARGET, 'release/slipway-agent'), join(TARGET, 'debug/slipway-agent')].find((path) => existsSync(path))
  if (!binary) throw new Error('The agent is not built: cargo build --release in apps/agent')
  return {
    argv: [binary, 'daemon', '--data-root', dataRoot, '--socket', socket],
    down: () => void execFileSync(binary, ['down', '--data-root', dataRoot], { stdio: 'ignore' }),
  }
}

function dockerd({ folder, dataRoot, socket }: Place): Daemon {
  if (/^\S+\t00000000\t/m.test(readFileSync('/proc/net/route', 'utf8')))
    throw new Error('dockerd leaves a bridge and rules behind: run the tests in a network namespace that leads nowhere (unshare --net)')
  execFileSync('ip', ['link', 'set', 'lo', 'up'])
  const execRoot = join(folder, 'exec')
  return {
    argv: [
      ...['/usr/sbin/dockerd', '--data-root', dataRoot, '--exec-root', execRoot, '--pidfile', join(folder, 'pid')],
      ...['-H', `unix://${socket}`, '--bip', '10.199.77.1/24', '--live-restore'],
    ],
    down() {
      // It ends its containerd with itself, unless it was killed in between.
      const file = join(execRoot, 'containerd/containerd.pid')
      if (existsSync(file)) execFileSync('kill', ['-9', readFileSync(file, 'utf8')], { stdio: 'ignore' })
      const namespace = join(execRoot, 'netns/default')
      if (existsSync(namespace)) execFileSync('umount', [namespace])
    },
  }
}
