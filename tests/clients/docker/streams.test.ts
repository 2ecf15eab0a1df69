/** Sitting at a container: terminals, detaching and attaching, signals, and streams that are kept apart. */
import { describe, expect, it } from 'vitest'
import { useEngine } from './engine'
import { openTerminal } from './terminal'

const engine = useEngine()

const ok = (...args: string[]) => engine.ok(args)
const sit = (args: string[], size?: [number, number]) => openTerminal(['docker', ...args], engine.env, size)
const running = (name: string) => ok('inspect', '--format', '{{.State.Running}}', name)
const CTRL = { c: '\x03', p: '\x10', q: '\x11', x: '\x18' }

describe('a terminal', () => {
  it('is as large as the client’s, and gives the code back', async () => {
    const terminal = sit(['run', '--rm', '-it', 'busybox', 'sh'], [33, 101])
    await terminal.shows(/# /)
    terminal.press('tty; stty size; echo $TERM\n')
    await terminal.shows(/\/dev\/pts\/0\r\n33 101\r\nxterm\r\n/)
    terminal.press('exit 5\n')
    expect(await terminal.ended).toBe(5)
  })

  it('is left by keys and found again', async () => {
    const first = sit(['run', '-it', '--name', 'kept', 'busybox', 'sh'])
    await first.shows(/# /)
    first.press('place=he$((1))re\n')
    await first.shows(/# /)
    first.press(CTRL.p + CTRL.q)
    await first.ended
    expect(await running('kept')).toBe('true')
    const again = sit(['attach', 'kept'])
    again.press('echo "[$place]"\n')
    await again.shows(/\[he1re\]/)
    again.press('exit 3\n')
    expect(await again.ended).toBe(3)
  })

  it('is left by keys of one’s own', async () => {
    const terminal = sit(['run', '-it', '--name', 'own', '--detach-keys', 'ctrl-x,x', 'busybox', 'sh'])
    await terminal.shows(/# /)
    terminal.press(CTRL.p + CTRL.q)
    terminal.press('echo st$((1))ill\n')
    await terminal.shows(/st1ill/)
    terminal.press(`${CTRL.x}x`)
    await terminal.ended
    expect(await running('own')).toBe('true')
  })

  it('passes Ctrl-C on to the program', async () => {
    const script = 'trap "echo interrupted; exit 9" INT; echo ready; while :; do sleep 0.1; done'
    const terminal = sit(['run', '--rm', '-it', 'busybox', 'sh', '-c', script])
    await terminal.shows(/ready/)
    terminal.press(CTRL.c)
    await terminal.shows(/interrupted/)
    expect(await terminal.ended).toBe(9)
  })

  it('of an exec is its own', async () => {
    await ok('run', '-d', '--name', 'base', 'busybox', 'sleep', '1000')
    const terminal = sit(['exec', '-it', 'base', 'sh'], [20, 60])
    await terminal.shows(/# /)
    terminal.press('stty size\n')
    await terminal.shows(/20 60/)
    terminal.press('exit 4\n')
    expect(await terminal.ended).toBe(4)
  })
})

describe('streams without a terminal', () => {
  it('are kept apart, and the input ends where the client’s does', async () => {
    await ok(
      'create',
      '-i',
      '--name',
      'echoes',
      'busybox',
      'sh',
      '-c',
      'while read word; do echo "$word!"; echo "$word?" >&2; done; exit 6',
    )
    const { code, out, err } = await engine.docker(['start', '-a', '-i', 'echoes'], { stdin: 'one\ntwo\n' })
    expect({ code, out, err }).toEqual({ code: 6, out: 'one!\ntwo!\n', err: 'one?\ntwo?\n' })
    const logs = await engine.docker(['logs', 'echoes'])
    expect({ out: logs.out, err: logs.err }).toEqual({ out, err })
  })

  it('carry a megabyte through an exec, both ways, byte for byte', async () => {
    await ok('run', '-d', '--name', 'pipe', 'busybox', 'sleep', '1000')
    const text = Array.from({ length: 40_000 }, (_, line) => `line ${line} of many`).join('\n')
    const { code, out } = await engine.docker(['exec', '-i', 'pipe', 'cat'], { stdin: text })
    expect(code).toBe(0)
    expect(out === text).toBe(true)
  })

  it('end for everyone who watches when the container does', async () => {
    await ok(
      'run',
      '-d',
      '--name',
      'watched',
      'busybox',
      'sh',
      '-c',
      'echo begun; while [ ! -e /go ]; do sleep 0.1; done; echo over; exit 8',
    )
    const watchers = [
      engine.docker(['logs', '-f', 'watched']),
      engine.docker(['attach', '--no-stdin', 'watched']),
      engine.docker(['wait', 'watched']),
    ]
    await expect.poll(() => ok('logs', 'watched')).toBe('begun')
    await ok('exec', 'watched', 'touch', '/go')
    const [logs, attached, waited] = await Promise.all(watchers)
    expect(logs?.out).toBe('begun\nover\n')
    expect(attached?.code).toBe(8)
    expect(waited?.out).toBe('8\n')
  })
})
