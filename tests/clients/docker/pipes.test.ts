/** What the CLI carries through its own standard streams: archives, images, inputs, and the sizes of terminals. */
import { execFileSync } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { useEngine } from './engine'
import { openTerminal } from './terminal'

const engine = useEngine()

const ok = (...args: string[]) => engine.ok(args)
const box = (...flags: string[]) => ok('run', '-d', '--name', 'box', ...flags, 'busybox', 'sleep', '1000')
/** `docker …` between two files, byte for byte. */
function pipe(args: string[], { from = '/dev/null', to = '/dev/null' }: { from?: string; to?: string }): void {
  const [stdin, stdout] = [openSync(from, 'r'), openSync(to, 'w')]
  try {
    execFileSync('docker', args, { env: engine.env, stdio: [stdin, stdout, 'pipe'], timeout: 60_000 })
  } finally {
    closeSync(stdin)
    closeSync(stdout)
  }
}
const file = (name: string) => join(engine.files, name)

describe('archives', () => {
  it('go in and out by cp -', async () => {
    await box()
    mkdirSync(file('in'))
    writeFileSync(file('in/one'), 'first')
    execFileSync('tar', ['-C', file('in'), '--owner=1000', '--group=1001', '-cf', file('in.tar'), '.'])
    pipe(['cp', '-a', '-', 'box:/home'], { from: file('in.tar') })
    expect(await ok('exec', 'box', 'sh', '-c', 'cat /home/one; stat -c " %u:%g" /home/one')).toBe('first 1000:1001')
    pipe(['cp', 'box:/home/.', '-'], { to: file('out.tar') })
    expect(execFileSync('tar', ['-xOf', file('out.tar'), './one'], { encoding: 'utf8' })).toBe('first')
  })

  it('of containers and images are piped from one command to the next', async () => {
    await box()
    await ok('exec', 'box', 'sh', '-c', 'echo here > /marker')
    pipe(['export', 'box'], { to: file('whole.tar') })
    pipe(['import', '-', 'brought:1'], { from: file('whole.tar') })
    expect(await ok('run', '--rm', 'brought:1', 'cat', '/marker')).toBe('here')
    await ok('tag', 'busybox', 'other:1')
    pipe(['save', 'brought:1', 'other:1'], { to: file('two.tar') })
    await ok('rmi', 'brought:1', 'other:1')
    pipe(['load', '-q'], { from: file('two.tar') })
    expect(await ok('run', '--rm', 'brought:1', 'cat', '/marker')).toBe('here')
    expect(await ok('images', '-q', 'other:1')).toBe(await ok('images', '-q', 'busybox'))
    await ok('rmi', 'brought:1', 'other:1')
  })

  it('that are none, or end too early, change nothing', async () => {
    writeFileSync(file('rubbish'), 'x'.repeat(5000))
    expect(() => pipe(['load'], { from: file('rubbish') })).toThrow()
    pipe(['save', 'busybox'], { to: file('saved.tar') })
    writeFileSync(file('half.tar'), readFileSync(file('saved.tar')).subarray(0, 300_000))
    await ok('tag', 'busybox', 'kept:1')
    expect(() => pipe(['load'], { from: file('half.tar') })).toThrow()
    expect(await ok('run', '--rm', 'kept:1', 'echo', 'whole')).toBe('whole')
    await ok('rmi', 'kept:1')
  })
})

describe('programs inside', () => {
  it('run on without their client when asked to', async () => {
    await box()
    expect(await ok('exec', '-d', 'box', 'sh', '-c', 'echo done > /tmp/detached')).toBe('')
    await expect.poll(async () => (await engine.docker(['exec', 'box', 'cat', '/tmp/detached'])).out, { timeout: 20_000 }).toBe('done\n')
  })

  it('have more rights only when asked for them', async () => {
    await box()
    const rights = (...flags: string[]) => ok('exec', ...flags, 'box', 'grep', 'CapBnd', '/proc/self/status')
    expect(await rights()).toMatch(/00000000a80425fb$/)
    expect(await rights('--privileged')).not.toMatch(/00000000a80425fb$/)
  })

  it('are told the new size of a terminal', async () => {
    const script = 'trap "stty size; echo changed" WINCH; echo ready; while :; do sleep 0.1; done'
    await ok('run', '-dit', '--name', 'box', 'busybox', 'sh', '-c', script)
    const terminal = openTerminal(['docker', 'attach', '--detach-keys', 'ctrl-q', 'box'], engine.env, [31, 91])
    await terminal.shows(/31 91\r\nchanged/)
    terminal.press('\x11')
    await terminal.ended
    expect(await ok('inspect', '--format', '{{.State.Running}}', 'box')).toBe('true')
  })

  it('get the signal that their client gets', async () => {
    const script = 'trap "echo told; exit 4" TERM; echo ready; while :; do sleep 0.1; done'
    const running = engine.docker(['run', '--name', 'box', 'busybox', 'sh', '-c', script])
    await expect.poll(async () => (await engine.docker(['logs', 'box'])).out, { timeout: 20_000 }).toBe('ready\n')
    const clients = execFileSync('pgrep', ['-f', `^docker run --name box busybox .*told`], { encoding: 'utf8' }).trim().split('\n')
    for (const pid of clients) if (environment(pid).includes(`DOCKER_HOST=${engine.env.DOCKER_HOST}`)) process.kill(Number(pid), 'SIGTERM')
    expect(await running).toMatchObject({ code: 4, out: 'ready\ntold\n' })
  })
})

const environment = (pid: string) => readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0')
