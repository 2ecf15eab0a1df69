/** Keys and agents, to OpenSSH's own eyes. */
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { answerSafely, failure, keysAgent, readPrivateKey, type SshAgent, type SshKey, serveAgent, socketAgent } from './index'
import { Frames, number, string } from './messages'

const run = promisify(execFile)
let folder: string
let made = 0
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'slipway-agent-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

function keygen(args: string[], passphrase = ''): string {
  const file = join(folder, `key-${made++}`)
  execFileSync('ssh-keygen', ['-q', '-N', passphrase, '-C', 'a comment', '-f', file, ...args])
  return file
}
function keyOf(file: string): SshKey {
  const read = readPrivateKey(readFileSync(file, 'utf8'))
  if ('problem' in read) throw new Error(read.problem)
  return read.key
}
async function served(agent: SshAgent): Promise<string> {
  const path = join(folder, `s${made++}`)
  const serving = serveAgent(agent)
  await serving.listen(path)
  onTestFinished(() => serving.close())
  return path
}
const sshAdd = (socket: string, ...args: string[]) =>
  run('ssh-add', args, { env: { ...process.env, SSH_AUTH_SOCK: socket } }).then(
    ({ stdout }) => stdout,
    (error: { code: number }) => `exit ${error.code}`,
  )
/** Signs with the key whose public half is in the file, at the agent, and checks it. */
async function signs(socket: string, file: string): Promise<boolean> {
  const message = join(folder, `m${made++}`)
  writeFileSync(message, 'message')
  await run('ssh-keygen', ['-q', '-Y', 'sign', '-f', `${file}.pub`, '-n', 'test', message], {
    env: { ...process.env, SSH_AUTH_SOCK: socket },
  })
  const checking = run('ssh-keygen', ['-Y', 'check-novalidate', '-n', 'test', '-s', `${message}.sig`])
  checking.child.stdin?.end('message')
  return (await checking).stdout.includes('Good "test" signature')
}

const KINDS = [
  ['ed25519'],
  ['rsa', '-b', '2048'],
  ['rsa', '-b', '3072', '-m', 'PEM'],
  ...['256', '384', '521'].map((bits) => ['ecdsa', '-b', bits]),
  ['ecdsa', '-b', '256', '-m', 'PEM'],
]

describe('an agent of keys', () => {
  it('tells and signs with each kind, over and over', async () => {
    const files = KINDS.map((kind) => keygen(['-t', ...kind]))
    const socket = await served(keysAgent(files.map(keyOf)))
    const listed = (await sshAdd(socket, '-L')).trim().split('\n')
    const halves = (line: string) => line.split(' ').slice(0, 2).join(' ')
    expect(listed.map(halves)).toEqual(files.map((file) => halves(readFileSync(`${file}.pub`, 'utf8'))))
    for (const file of files) {
      // Halves of an ECDSA signature that begin with a zero, or a high bit, come now and then.
      for (let i = 0; i < 4; i++) expect(await signs(socket, file)).toBe(true)
    }
  }, 120_000)

  it('refuses to add, remove and lock, and another key', async () => {
    const [own, other] = [keygen(['-t', 'ed25519']), keygen(['-t', 'ed25519'])]
    const socket = await served(keysAgent([keyOf(own)]))
    for (const args of [['-D'], [other], ['-d', own]]) expect(await sshAdd(socket, ...args)).toBe('exit 1')
    rmSync(other)
    await expect(signs(socket, other)).rejects.toThrow()
    expect(await sshAdd(socket, '-L')).toContain(keyOf(own).public.toString('base64'))
  })

  it('never signs with SHA-1', async () => {
    const key = keyOf(keygen(['-t', 'rsa']))
    const ask = (flags: number) => answerSafely(keysAgent([key]), sign(key, flags))
    const algorithm = async (flags: number) => (await ask(flags)).subarray(9).toString('latin1').slice(0, 12)
    expect([await algorithm(2), await algorithm(4), await algorithm(6)]).toEqual(['rsa-sha2-256', 'rsa-sha2-512', 'rsa-sha2-512'])
    expect([await ask(0), await ask(1)]).toEqual([failure(), failure()])
    let asked = false
    const anything: SshAgent = async () => {
      asked = true
      return Buffer.from([14])
    }
    expect([await answerSafely(anything, sign(key, 0)), asked]).toEqual([failure(), false])
  })

  it('says what is no key it can use', () => {
    const problem = (text: string) => {
      const read = readPrivateKey(text)
      return 'problem' in read ? read.problem : 'none'
    }
    const file = keygen(['-t', 'ed25519'], 'open sesame')
    const text = readFileSync(file, 'utf8')
    expect(problem(text)).toBe('passphrase')
    expect(problem(readFileSync(keygen(['-t', 'rsa', '-m', 'PEM'], 'open sesame'), 'utf8'))).toBe('passphrase')
    expect(problem(readFileSync(keygen(['-t', 'rsa', '-b', '1024']), 'utf8'))).toBe('short')
    const own = keygen(['-t', 'ed25519'])
    for (const bad of [readFileSync(`${own}.pub`, 'utf8'), readFileSync(own, 'utf8').slice(0, 150), '', 'secret words'])
      expect(problem(bad)).toBe('unreadable')
  })
})

const sign = (key: SshKey, flags: number) => Buffer.concat([Buffer.from([13]), string(key.public), string('data'), number(flags)])

describe('an agent at a socket', () => {
  async function openssh(): Promise<{ socket: string; child: ChildProcess }> {
    const socket = join(folder, `a${made++}`)
    const child = spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' })
    onTestFinished(() => void child.kill())
    while (!existsSync(socket)) await sleep(10)
    return { socket, child }
  }

  it('is OpenSSH’s, asked two questions only, until it is gone', async () => {
    const { socket, child } = await openssh()
    const files = KINDS.slice(0, 4).map((kind) => keygen(['-t', ...kind]))
    for (const file of files) await sshAdd(socket, '-q', file)
    const relayed = await served(socketAgent(socket))
    expect(await sshAdd(relayed, '-L')).toBe(await sshAdd(socket, '-L'))
    for (const file of files) expect(await signs(relayed, file)).toBe(true)
    for (const args of [['-D'], [keygen(['-t', 'ed25519'])], ['-d', files[0] ?? '']]) expect(await sshAdd(relayed, ...args)).toBe('exit 1')
    expect((await sshAdd(socket, '-L')).trim().split('\n')).toHaveLength(files.length)
    child.kill()
    await new Promise((resolve) => child.once('exit', resolve))
    expect(await sshAdd(relayed, '-l')).toBe('exit 1')
  })

  it('believes no answer to something else, and survives those who break the protocol', async () => {
    const list = Buffer.from([11])
    for (const answer of [Buffer.from([14, 1]), Buffer.from([6]), Buffer.alloc(0), Buffer.alloc(300 * 1024, 12)])
      expect(await answerSafely(async () => answer, list)).toEqual(failure())
    for (const message of [[], [11, 0], [13], [13, 0, 0, 0, 9, 1], [13, 255, 255, 255, 255], [17, 0], [27, 0]])
      expect(await answerSafely(async () => Buffer.from([message[0] === 11 ? 12 : 14]), Buffer.from(message))).toEqual(failure())
    const path = await served(async () => Buffer.from([12, 0, 0, 0, 0]))
    const ask = (bytes: Buffer) =>
      new Promise<Buffer>((resolve) => {
        const socket = connect(path)
        let got = Buffer.alloc(0)
        socket.on('data', (chunk) => {
          got = Buffer.concat([got, chunk])
          if (got.length >= 18) socket.end()
        })
        socket.on('close', () => resolve(got))
        socket.write(bytes)
      })
    expect(await ask(Buffer.from([0, 0, 0, 0]))).toEqual(Buffer.alloc(0))
    expect(await ask(Buffer.from([0xff, 0xff, 0xff, 0xff]))).toEqual(Buffer.alloc(0))
    const two = await ask(Buffer.concat([string(list), string(list)]))
    expect(new Frames().push(two).map((answer) => answer[0])).toEqual([12, 12])
  })
})
