import { spawn } from 'node:child_process'
import { StartError } from './errors.mjs'

const KEPT_LINES = 5_000

/** @type {Map<import('node:child_process').ChildProcess, { closed: Promise<void>, uninterruptible: boolean }>} */
const underWay = new Map()

/** Ends programs that still run when we are told to stop. A package installation is let finish: half of one helps nobody. */
export async function endRuns() {
  await Promise.all(
    [...underWay].map(async ([child, { closed, uninterruptible }]) => {
      if (uninterruptible) return closed
      killGroup(child, 'SIGTERM')
      const timer = setTimeout(killGroup, 5_000, child, 'SIGKILL')
      await closed
      clearTimeout(timer)
    }),
  )
}

/** The whole group: npm and cargo have children of their own. */
function killGroup(child, signal) {
  try {
    if (child.pid) process.kill(-child.pid, signal)
  } catch (error) {
    if (error.code !== 'ESRCH') throw error
  }
}

/**
 * Runs one program to its end. Its output is kept (the last lines are shown when it fails), never printed in between.
 * @param {[string, ...string[]]} argv program and arguments; no shell is involved
 * @param {{ cwd?: string, env?: Record<string, string | undefined>, input?: string | Buffer, uid?: number, gid?: number,
 *   deadlineMs: number, onLine?: (line: string) => void, what: string, hint?: string, shownLines?: number, uninterruptible?: boolean }} options
 *   what: the subject of the sentence told when it fails (“Building the agent”)
 * @returns {Promise<string>} standard output
 */
export function run(argv, { cwd, env, input, uid, gid, deadlineMs, onLine, what, hint, shownLines = 40, uninterruptible = false }) {
  const [program, ...args] = argv
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      detached: true,
      cwd,
      env: env ?? process.env,
      uid,
      gid,
      stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    })
    underWay.set(child, { closed: new Promise((done) => child.once('close', () => done())), uninterruptible })
    child.once('close', () => underWay.delete(child))
    const lines = []
    let stdout = ''
    const take = (stream, keep) => {
      let rest = ''
      stream.setEncoding('utf8')
      stream.on('data', (chunk) => {
        if (keep) stdout += chunk
        rest += chunk
        const parts = rest.split(/\r?\n|\r/)
        rest = parts.pop() ?? ''
        for (const line of parts) {
          if (line.trim() === '') continue
          lines.push(line)
          if (lines.length > KEPT_LINES) lines.shift()
          onLine?.(line)
        }
      })
      stream.on('end', () => rest.trim() !== '' && lines.push(rest))
    }
    take(child.stdout, true)
    take(child.stderr, false)
    let late = false
    const timer = setTimeout(() => {
      late = true
      killGroup(child, 'SIGKILL')
    }, deadlineMs)
    const fail = (why, cause) =>
      reject(new StartError(`${what} failed: ${why}.`, { hint, detail: lines.slice(-shownLines).join('\n'), cause }))
    child.on('error', (error) => {
      clearTimeout(timer)
      underWay.delete(child)
      fail(error.code === 'ENOENT' ? `there is no program “${program}”` : error.message, error)
    })
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      if (code === 0) resolve(stdout)
      else if (late) fail(`no end after ${Math.round(deadlineMs / 1000)} seconds`)
      else fail(signal ? `${program} was ended by ${signal}` : `${program} ended with code ${code}`)
    })
    if (input !== undefined) {
      // A program that ends early closes the pipe; its exit code tells more than EPIPE would.
      child.stdin.on('error', () => child.stdin.destroy())
      child.stdin.end(input)
    }
  })
}
