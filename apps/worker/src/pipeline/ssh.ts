/**
 * Takes: an SSH agent, the host keys an organization knows, and where a Git server is reached over SSH.
 * Gives: what git needs to speak with it, for as long as a piece of work takes; the host keys that were new.
 *
 * A key never gets onto a disk, into an argument or an environment: it is this process that answers for it.
 */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError, knownHostName, type SshAddress } from '@slipway/core'
import { type HostKey, learnHosts, listKnownHosts } from '@slipway/db'
import { keysAgent, readPrivateKey, type SshAgent, serveAgent } from '@slipway/outbound/ssh'
import type { Deps } from '../deps'

/** Who a build is to Git servers over SSH, and which of them it knows. */
export interface SshIdentity {
  /** Null: none, so no way to any server. */
  agent: SshAgent | null
  /** A folder for sockets, whose path is short. */
  runDir: string
  known(): Promise<HostKey[]>
  learn(keys: HostKey[]): Promise<void>
}

const PREFIX = 'ssh-'

export const sshIdentity = ({ db, env }: Deps, organizationId: string, agent: SshAgent | null): SshIdentity => ({
  agent,
  runDir: join(env.SLIPWAY_DATA, 'run'),
  known: () => listKnownHosts(db, organizationId),
  learn: async (keys) => void (await learnHosts(db, organizationId, keys)),
})

/** An agent with one private key that is stored here. */
export function agentOfKey(text: string): SshAgent {
  const read = readPrivateKey(text)
  if ('problem' in read)
    throw new AppError({ kind: 'internal', code: 'GIT_KEY_UNREADABLE', message: 'The stored deploy key cannot be read. Make another one.' })
  return keysAgent([read.key])
}

/** Removes what a killed worker left in `runDir`. No key is among it. */
export async function forgetSshSessions(runDir: string): Promise<void> {
  const names = await readdir(runDir).catch(() => [])
  for (const name of names) if (name.startsWith(PREFIX)) await rm(join(runDir, name), { recursive: true, force: true })
}

/** `pinned`: the address to connect to, whatever the name says; null: as the system resolves it. */
export async function withSsh<T>(
  identity: SshIdentity | null,
  address: SshAddress,
  pinned: string | null,
  work: (ssh: { config: string }) => Promise<T>,
): Promise<T> {
  if (!identity?.agent)
    throw new AppError({
      kind: 'bad-input',
      code: 'GIT_KEY_MISSING',
      message: 'A repository over SSH needs a deploy key. Make one in the app’s settings, and add its public half to the repository.',
    })
  await mkdir(identity.runDir, { recursive: true, mode: 0o700 })
  const directory = await mkdtemp(join(identity.runDir, PREFIX))
  const agent = serveAgent(identity.agent)
  try {
    const host = knownHostName(address)
    const known = (await identity.known()).filter((one) => one.host === host)
    const files = { config: join(directory, 'config'), known: join(directory, 'known_hosts'), agent: join(directory, 'agent') }
    await writeFile(files.known, known.map((one) => `${one.host} ${one.keyType} ${one.key}\n`).join(''))
    await writeFile(files.config, configuration(files, host, known.length > 0, pinned))
    await agent.listen(files.agent)
    try {
      return await work({ config: files.config })
    } finally {
      if (known.length === 0) await identity.learn(hostKeys(await readFile(files.known, 'utf8'), host))
    }
  } finally {
    agent.close()
    await rm(directory, { recursive: true, force: true })
  }
}

/** Nothing of this machine's configuration holds: `-F` with a file leaves the system's out, and each default is said. */
function configuration(files: { known: string; agent: string }, host: string, isKnown: boolean, pinned: string | null): string {
  // Per cent signs begin what ssh fills in.
  const path = (text: string) => `"${text.replaceAll('%', '%%')}"`
  const lines = [
    'Host *',
    'User git',
    ...(pinned === null ? [] : [`HostName ${pinned}`]),
    `HostKeyAlias ${host}`,
    // The first key of a host is taken; from then on no other, of whatever type.
    `StrictHostKeyChecking ${isKnown ? 'yes' : 'accept-new'}`,
    `UserKnownHostsFile ${path(files.known)}`,
    'GlobalKnownHostsFile none',
    'HashKnownHosts no',
    'UpdateHostKeys no',
    'CheckHostIP no',
    'VerifyHostKeyDNS no',
    `IdentityAgent ${path(files.agent)}`,
    'IdentityFile none',
    'BatchMode yes',
    'PreferredAuthentications publickey',
    'ForwardAgent no',
    'ForwardX11 no',
    'ClearAllForwardings yes',
    'PermitLocalCommand no',
    'ProxyCommand none',
    'ControlMaster no',
    'ControlPath none',
    'ConnectTimeout 20',
    'ServerAliveInterval 15',
    'ServerAliveCountMax 3',
    'LogLevel ERROR',
  ]
  return `${lines.join('\n')}\n`
}

function hostKeys(text: string, host: string): HostKey[] {
  const rows = text.split('\n').map((line) => line.trim().split(' '))
  return rows.flatMap(([name, keyType, key]) => (name === host && keyType && key ? [{ host, keyType, key }] : []))
}
