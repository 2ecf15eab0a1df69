import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from './ports'

export interface TestSshServer {
  port: number
  /** What its clients may read; a path in an address is one from the root of this machine. */
  root: string
  /** Public keys (one line each) that may log in as this process's user. */
  allow(keys: string[]): void
  /** Another host key from now on, as after a new installation, or with somebody in between. */
  changeHostKey(): Promise<void>
  /** Lines of its log. */
  log(): string
  stop(): Promise<void>
}

/** OpenSSH's own server on an address of this machine, for Git and nothing else of this machine's configuration. Needs Debian's openssh-server and root. */
export async function startSshServer(address = '127.0.0.1'): Promise<TestSshServer> {
  if (!existsSync('/usr/sbin/sshd')) throw new Error('these tests need openssh-server; npm test installs it')
  const root = mkdtempSync(join(tmpdir(), 'slipway-sshd-'))
  const port = await freePort()
  const file = (name: string) => join(root, name)
  // Where sshd's unprivileged half is locked up; Debian's service makes it at boot.
  mkdirSync('/run/sshd', { recursive: true, mode: 0o755 })
  const hostKey = () => {
    for (const name of ['host', 'host.pub']) rmSync(file(name), { force: true })
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', file('host')])
  }
  hostKey()
  writeFileSync(file('authorized_keys'), '')
  writeFileSync(
    file('config'),
    [
      `Port ${port}`,
      `ListenAddress ${address}`,
      `HostKey ${file('host')}`,
      `AuthorizedKeysFile ${file('authorized_keys')}`,
      `PidFile ${file('pid')}`,
      'AuthenticationMethods publickey',
      'PermitRootLogin yes',
      'UsePAM no',
      'StrictModes no',
      'LogLevel VERBOSE',
      '',
    ].join('\n'),
  )
  let child: ChildProcess
  const start = async () => {
    const command = ['/usr/sbin/sshd', '-D', '-f', file('config'), '-E', file('log')]
    child = spawn('setpriv', ['--pdeathsig=KILL', '--', ...command], { stdio: 'ignore' })
    for (let attempt = 0; !(await answers(address, port)); attempt++) {
      if (attempt > 200) throw new Error(`sshd does not answer: ${existsSync(file('log')) ? readFileSync(file('log'), 'utf8') : ''}`)
      await new Promise((resolve) => setTimeout(resolve, 25))
    }
  }
  const end = () =>
    new Promise<void>((resolve) => {
      if (child.exitCode !== null) return resolve()
      child.once('exit', () => resolve())
      child.kill()
    })
  await start()
  return {
    port,
    root,
    allow(keys) {
      writeFileSync(file('authorized_keys'), keys.map((key) => `${key.trim()}\n`).join(''))
      chmodSync(file('authorized_keys'), 0o600)
    },
    async changeHostKey() {
      await end()
      hostKey()
      await start()
    },
    log: () => readFileSync(file('log'), 'utf8'),
    async stop() {
      await end()
      rmSync(root, { recursive: true, force: true })
    },
  }
}

const answers = (address: string, port: number) =>
  new Promise<boolean>((resolve) => {
    const socket = connect(port, address)
    socket.once('data', () => resolve(true))
    socket.once('error', () => resolve(false))
    socket.once('data', () => socket.destroy())
  })
