import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { AppError } from '@slipway/core'
import type { HostKey } from '@slipway/db'
import { Places } from '@slipway/outbound'
import { startGitServer, startSshServer, type TestGitServer, type TestSshServer } from '@slipway/testing'
import ssh2 from 'ssh2'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { checkout } from './checkout'
import { gitContext } from './git-context'
import { agentOfKey, forgetSshSessions, type SshIdentity, withSsh } from './ssh'

const never = new AbortController().signal
const quiet = () => undefined
let git: TestGitServer
let sshd: TestSshServer
let scratch: string
let sha: string
let hosts: HostKey[]
const pair = ssh2.utils.generateKeyPairSync('ed25519')
const stranger = ssh2.utils.generateKeyPairSync('ed25519')

beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'slipway-ssh-'))
  git = await startGitServer()
  sha = git.commit('shop', 'First', { 'src/a.txt': 'one' })
  sshd = await startSshServer()
  sshd.allow([pair.public])
})
afterAll(async () => {
  await sshd.stop()
  await git.stop()
  rmSync(scratch, { recursive: true })
})
beforeEach(() => {
  hosts = []
})

const identity = (key: string | null = pair.private): SshIdentity => ({
  agent: key === null ? null : agentOfKey(key),
  runDir: join(scratch, 'run'),
  known: async () => hosts,
  learn: async (keys) => void hosts.push(...keys),
})
const address = (host = '127.0.0.1') => `ssh://root@${host}:${sshd.port}${git.worktree('shop')}`
const get = (ssh: SshIdentity | null, url = address()) =>
  checkout({ url, branch: 'main', token: 'a token is for http', sha: null }, join(scratch, 'out'), never, quiet, ssh)
const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'none',
    (error: AppError) => error.code,
  )

/** The private key's own lines, wherever a process of this machine shows its environment or arguments, and beneath a folder. */
function traces(folder: string): string[] {
  const lines = pair.private
    .split('\n')
    .filter((line) => line.length > 40 && !line.startsWith('-'))
    .slice(-2)
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  const paths = files.map((entry) => join(entry.parentPath, entry.name))
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) paths.push(`/proc/${pid}/environ`, `/proc/${pid}/cmdline`)
  return paths.filter((path) => {
    try {
      const text = readFileSync(path, 'latin1')
      return lines.some((line) => text.includes(line))
    } catch {
      return false
    }
  })
}

describe('a repository over SSH', () => {
  it('is read with the deploy key, and its host is known from then on', async () => {
    const tree = await get(identity())
    expect(tree.commit.sha).toBe(sha)
    expect(readFileSync(join(tree.directory, 'src/a.txt'), 'utf8')).toBe('one')
    expect(hosts).toEqual([{ host: `[127.0.0.1]:${sshd.port}`, keyType: 'ssh-ed25519', key: expect.stringMatching(/^AAAA/) }])
    await get(identity())
    expect(hosts).toHaveLength(1)
    expect(readdirSync(join(scratch, 'run'))).toEqual([])
    expect(readFileSync(join(scratch, 'out/git/config'), 'utf8')).not.toContain('token')
  })

  it('leaves the key nowhere while git works with it', async () => {
    const found = await withSsh(identity(), { user: 'root', host: '127.0.0.1', port: sshd.port }, null, async ({ config }) => {
      expect(readFileSync(config, 'utf8')).toContain('IdentityAgent')
      return traces(scratch)
    })
    expect(found).toEqual([])
    expect(traces(scratch)).toEqual([])
  })

  it('leaves nothing of a worker that was killed', async () => {
    mkdirSync(join(scratch, 'run/ssh-killed'), { recursive: true })
    writeFileSync(join(scratch, 'run/redis.sock'), '')
    await forgetSshSessions(join(scratch, 'run'))
    await forgetSshSessions(join(scratch, 'absent'))
    expect(readdirSync(join(scratch, 'run'))).toEqual(['redis.sock'])
    rmSync(join(scratch, 'run/redis.sock'))
  })

  it('says what is missing: a key, its place on the server, the repository', async () => {
    expect(await codeOf(get(null))).toBe('GIT_KEY_MISSING')
    expect(await codeOf(get(identity(null)))).toBe('GIT_KEY_MISSING')
    expect(await codeOf(get(identity(stranger.private)))).toBe('GIT_KEY_REFUSED')
    expect(await codeOf(get(identity(), `${address()}-absent`))).toBe('GIT_REPOSITORY_NOT_FOUND')
    expect(await codeOf(get(identity(), 'git@no-such-host.invalid:x.git'))).toBe('GIT_HOST_UNKNOWN')
  })

  it('trusts no other host key than the first, until that is forgotten', async () => {
    await get(identity())
    const [first] = hosts
    await sshd.changeHostKey()
    expect(await codeOf(get(identity()))).toBe('GIT_HOST_KEY_CHANGED')
    // Nor one of another type, which would be new rather than changed.
    hosts = [{ host: `[127.0.0.1]:${sshd.port}`, keyType: 'ssh-rsa', key: 'AAAAB3NzaC1yc2EAAAADAQABAAAAgQDZ' }]
    expect(await codeOf(get(identity()))).toBe('GIT_HOST_KEY_CHANGED')
    hosts = []
    await get(identity())
    expect(hosts[0]?.key).not.toBe(first?.key)
  })
})

describe('a repository over SSH that a Dockerfile names', () => {
  const context = (url: string, more: object = {}) => {
    const source = { kind: 'git' as const, url, ref: 'main', subdir: 'src', checksum: null, keepGitDir: false }
    return gitContext(source, join(scratch, 'context'), never, quiet, { inside: new Places([]), ssh: identity(), ...more })
  }

  it('is refused inside this network unless the settings allow it', async () => {
    expect(await codeOf(context(address()))).toBe('GIT_INSIDE')
    expect(await codeOf(context('git@localhost:x.git'))).toBe('GIT_INSIDE')
    const { root, sha: at } = await context(address(), { inside: new Places(['127.0.0.1']) })
    expect([at, readFileSync(join(root, 'a.txt'), 'utf8')]).toEqual([sha, 'one'])
  })

  it('is read from the address that was checked, under the name that was asked for', async () => {
    const inside = new Places(['127.0.0.1', '127.0.0.2'])
    await context(address('rebind.invalid'), { inside, lookup: async () => ['10.0.0.1', '127.0.0.1'] })
    expect(hosts[0]?.host).toBe(`[rebind.invalid]:${sshd.port}`)
    expect(await codeOf(context(address('localhost'), { inside, lookup: async () => ['127.0.0.2'] }))).toBe('GIT_UNREACHABLE')
  })
})
