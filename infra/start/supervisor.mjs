// Starts parts one after the other, waits until each answers, starts again what crashes, and stops all in reverse order.
import { spawn } from 'node:child_process'
import { closeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { StartError } from './errors.mjs'
import { bound, logFile, openLog, rotate, tail } from './log-files.mjs'
import { recordProcesses } from './orphans.mjs'
import { identify } from './proc.mjs'

/**
 * @typedef {object} Part
 * @property {string} name file name of its log
 * @property {string} title as people call it
 * @property {(again: boolean) => [string, ...string[]]} argv what to run; `again` when it crashed before
 * @property {Record<string, string>} env
 * @property {string} [cwd]
 * @property {{ uid: number, gid: number }} [user]
 * @property {NodeJS.Signals} [stopSignal] default SIGTERM
 * @property {() => Promise<unknown>} [beforeStop] asks the part to put its things away; the signal follows
 * @property {number} [stopDeadlineMs] default 10 seconds, then SIGKILL
 * @property {() => Promise<boolean>} ready whether it answers; an exception means not yet
 * @property {number} [readyDeadlineMs] default 30 seconds
 *
 * @typedef {{ part: Part, child?: import('node:child_process').ChildProcess, ended: Promise<void>, retry: number, upSince: number, spawnError?: Error }} Running
 */

const BACKOFF_MS = [500, 1_000, 2_000, 5_000, 10_000, 30_000]
const STABLE_MS = 60_000

export class Supervisor {
  /** @type {Running[]} in order of start */
  #running = []
  #stopping = false
  #forced = false
  /** @type {Set<string>} what was complained about once */
  #said = new Set()

  /** @param {{ progress: import('./progress.mjs').Progress, paths: import('./settings.mjs').Paths }} context */
  constructor({ progress, paths }) {
    this.progress = progress
    this.paths = paths
    this.bounding = setInterval(() => {
      for (const { part } of this.#running) this.#tolerate('keep its logs short', () => bound(logFile(paths.logs, part.name)))
    }, 30_000)
    this.bounding.unref()
  }

  get stopping() {
    return this.#stopping
  }

  /** Starts a part and returns once it answers. Throws with the last lines of its log when it does not. @param {Part} part */
  async start(part) {
    if (this.#stopping) throw new StartError('Stopped before everything was up.')
    rotate(logFile(this.paths.logs, part.name))
    /** @type {Running} */
    const running = { part, ended: Promise.resolve(), retry: -1, upSince: 0 }
    this.#running.push(running)
    const child = this.#spawn(running, false)
    await this.#untilReady(running)
    running.upSince = Date.now()
    this.#watch(running, child)
  }

  /** Stops everything that was started, last first. Never throws: it says what it could not do. */
  async stopAll() {
    this.#stopping = true
    clearInterval(this.bounding)
    for (const running of [...this.#running].reverse()) {
      if (running.child?.pid === undefined) continue
      await this.progress
        .step(`Stopping ${running.part.title}`, () => this.#stop(running))
        .catch((error) => this.progress.line(`  ${error.message}`))
    }
    this.#tolerate('write down that nothing runs', () => recordProcesses(this.paths.processes, []))
  }

  /** After a second Ctrl-C: ends what is left at once. Containers go on; the next start finds them. */
  force() {
    this.#forced = true
    for (const { child } of this.#running) child?.kill('SIGKILL')
  }

  #spawn(running, again) {
    const { part } = running
    const [program, ...args] = part.argv(again)
    const log = openLog(logFile(this.paths.logs, part.name))
    // A session of its own: Ctrl-C in the terminal reaches only us, and we stop the parts in order.
    const child = spawn(program, args, {
      cwd: part.cwd,
      env: part.env,
      uid: part.user?.uid,
      gid: part.user?.gid,
      detached: true,
      stdio: ['ignore', log, log],
    })
    closeSync(log)
    running.child = child
    running.ended = new Promise((resolve) => {
      child.once('exit', () => {
        running.child = undefined
        resolve()
      })
      child.once('error', (error) => {
        running.spawnError = error
        running.child = undefined
        resolve()
      })
    })
    child.once('exit', () => this.#record())
    this.#record()
    return child
  }

  #watch(running, child) {
    // It may have ended between the last question and now.
    if (running.child === undefined) this.#onExit(running, child)
    else child.once('exit', () => this.#onExit(running, child))
  }

  async #untilReady(running) {
    const { part } = running
    const deadline = Date.now() + (part.readyDeadlineMs ?? 30_000)
    let reason
    while (Date.now() < deadline) {
      if (running.child === undefined)
        throw this.#notUp(part, running.spawnError ? `cannot be started: ${running.spawnError.message}` : 'ended while starting')
      try {
        if (await part.ready()) return
      } catch (error) {
        reason = error
      }
      await Promise.race([running.ended, sleep(25)])
      if (this.#stopping) throw new StartError('Stopped before everything was up.')
    }
    throw this.#notUp(part, `did not answer within ${Math.round((part.readyDeadlineMs ?? 30_000) / 1000)} seconds`, reason)
  }

  #notUp(part, why, cause) {
    const file = logFile(this.paths.logs, part.name)
    return new StartError(`${part.title} ${why}.`, { detail: tail(file), hint: `Its whole log is ${file}.`, cause })
  }

  #onExit(running, child) {
    if (this.#stopping) return
    const { part } = running
    const how = child.signalCode ? `was ended by ${child.signalCode}` : `ended with code ${child.exitCode}`
    running.retry = Date.now() - running.upSince > STABLE_MS ? 0 : running.retry + 1
    const wait = BACKOFF_MS[Math.min(running.retry, BACKOFF_MS.length - 1)]
    this.progress.event(`${part.title} ${how}; starting it again in ${wait / 1000} s. Its log: ${logFile(this.paths.logs, part.name)}`)
    this.#restart(running, wait).catch((error) => {
      if (!this.#stopping) this.progress.event(`${part.title} could not be started again: ${error.message}`)
    })
  }

  async #restart(running, wait) {
    await sleep(wait)
    if (this.#stopping) return
    const child = this.#spawn(running, true)
    try {
      await this.#untilReady(running)
      running.upSince = Date.now()
      this.progress.event(`${running.part.title} is back.`)
    } catch (error) {
      if (this.#stopping) return
      this.progress.event(error.message)
      child.kill('SIGKILL') // one that hangs is as good as ended; ended ones ignore this
    }
    this.#watch(running, child)
  }

  async #stop(running) {
    const { part, child } = running
    if (part.beforeStop && !this.#forced) {
      await Promise.race([part.beforeStop(), running.ended]).catch((error) =>
        this.progress.line(`  ${part.title} did not put everything away: ${error.message}`),
      )
    }
    child.kill(part.stopSignal ?? 'SIGTERM')
    const limit = part.stopDeadlineMs ?? 10_000
    const late = await Promise.race([running.ended.then(() => false), sleep(limit, true, { ref: false })])
    if (!late) return this.#forced ? 'killed' : ''
    child.kill('SIGKILL')
    await running.ended
    return `killed, after ${limit / 1000} s without an end`
  }

  #record() {
    const parts = this.#running.flatMap(({ part, child }) =>
      child?.pid ? [{ name: part.name, title: part.title, stopSignal: part.stopSignal ?? 'SIGTERM', ...identify(child.pid) }] : [],
    )
    this.#tolerate('write down which processes it started', () => recordProcesses(this.paths.processes, parts))
  }

  /** A full disk must not end the one process that keeps the others running. */
  #tolerate(what, work) {
    try {
      work()
    } catch (error) {
      if (this.#said.has(what)) return
      this.#said.add(what)
      this.progress.event(`Slipway cannot ${what}: ${error.message}. Everything goes on without.`)
    }
  }
}
