// Runs one validation program against one runtime.
import { spawn } from 'node:child_process'
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { run } from '../../start/run.mjs'
import { INSIDE } from './build.mjs'
import { parseTap } from './tap.mjs'

const DEADLINE_MS = 3 * 60_000

/** The programs call a runtime by one name. */
export function writeWrapper(work, name, argv) {
  const path = join(work, name)
  const quoted = argv.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ')
  writeFileSync(path, `#!/bin/sh\nexec ${quoted} "$@"\n`, { mode: 0o755 })
  return path
}

/**
 * In a mount namespace of its own, as one program and one runtime leave mounts behind.
 * @returns {Promise<{ checks: import('./tap.mjs').Check[], failed: string | undefined }>} `failed`: the program itself did
 */
export async function runProgram({ program, directory, rootfs, runtime, work }) {
  const cwd = join(work, 'run')
  rmSync(cwd, { recursive: true, force: true })
  mkdirSync(cwd)
  // The name that the programs look for.
  copyFileSync(rootfs, join(cwd, basename(rootfs)))
  copyFileSync(join(directory, INSIDE), join(cwd, INSIDE))
  const env = { ...process.env, RUNTIME: runtime, TMPDIR: cwd }
  const argv = ['--mount', '--propagation', 'private', join(directory, program)]
  const outcome = await spawned('unshare', argv, { cwd, env })
  await takeDown(runtime)
  return { checks: parseTap(outcome.stdout), failed: outcome.failed }
}

/** @type {import('node:child_process').ChildProcess | undefined} */
let underWay

/** The whole group of the program that runs right now. */
export function endProgram() {
  const child = underWay
  if (!child?.pid) return
  underWay = undefined
  process.kill(-child.pid, 'SIGKILL')
  // What a container keeps open would be waited for otherwise.
  child.stdout.destroy()
}

function spawned(file, argv, options) {
  return new Promise((resolve) => {
    const child = spawn(file, argv, { ...options, detached: true, stdio: ['ignore', 'pipe', 'ignore'] })
    underWay = child
    let stdout = ''
    let late = false
    child.stdout.setEncoding('utf8').on('data', (chunk) => {
      stdout += chunk
    })
    const timer = setTimeout(() => {
      late = true
      endProgram()
    }, DEADLINE_MS)
    const done = (failed) => {
      clearTimeout(timer)
      underWay = undefined
      resolve({ stdout, failed: late ? `took longer than ${DEADLINE_MS / 1_000} s` : failed })
    }
    child.once('error', (error) => done(error.message))
    child.once('close', (code, signal) => done(code === 0 ? undefined : `ended with ${signal ?? code}`))
  })
}

/** Ends the containers a program has left. */
export async function takeDown(runtime) {
  const options = { deadlineMs: 60_000, what: 'Cleaning up' }
  const ids = (await run([runtime, 'list', '-q'], options)).split('\n').filter(Boolean)
  for (const id of ids) await run([runtime, 'delete', '--force', id], options)
}
