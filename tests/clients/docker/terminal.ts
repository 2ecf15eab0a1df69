/** A person at a terminal: a program on a real pseudo-terminal, what it shows, and keys to press. */
import { spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'

/** Rows, columns, program…: gives the program a terminal of that size and carries it over the standard streams. */
const CARRY = `
import fcntl, os, pty, select, struct, sys, termios
pid, master = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack('HHHH', int(sys.argv[1]), int(sys.argv[2]), 0, 0))
    os.execvp(sys.argv[3], sys.argv[3:])
sources = [0, master]
while True:
    ready = select.select(sources, [], [])[0]
    if 0 in ready:
        keys = os.read(0, 4096)
        if keys:
            os.write(master, keys)
        else:
            sources.remove(0)
    if master in ready:
        try:
            shown = os.read(master, 4096)
        except OSError:  # the last program that had it open is gone
            break
        os.write(1, shown)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`

const PATIENCE_MS = 30_000

export interface Terminal {
  press(keys: string): void
  /** Waits until it shows this, since the last time it was asked. */
  shows(pattern: RegExp): Promise<void>
  /** The exit code, once the program has ended. */
  ended: Promise<number>
}

export function openTerminal(argv: string[], env: Record<string, string>, [rows, columns] = [24, 80]): Terminal {
  const child = spawn('python3', ['-c', CARRY, String(rows), String(columns), ...argv], {
    env: { ...env, TERM: 'xterm' },
    stdio: ['pipe', 'pipe', 'inherit'],
    timeout: 2 * PATIENCE_MS,
    killSignal: 'SIGKILL',
  })
  let shown = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    shown += text
  })
  child.stdin.on('error', () => undefined) // it may end before it reads
  const ended = new Promise<number>((done) => child.once('close', (code) => done(code ?? 128)))
  return {
    press: (keys) => child.stdin.write(keys),
    async shows(pattern) {
      const deadline = Date.now() + PATIENCE_MS
      for (;;) {
        const match = pattern.exec(shown)
        if (match) {
          shown = shown.slice(match.index + match[0].length)
          return
        }
        if (Date.now() > deadline) throw new Error(`the terminal does not show ${pattern}, but ${JSON.stringify(shown)}`)
        await sleep(20)
      }
    },
    ended,
  }
}
