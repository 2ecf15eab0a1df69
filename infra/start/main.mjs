// `npm start`: from a fresh clone to a running Slipway, and back on Ctrl-C. Only Node's own modules may be imported here and
// in what this file imports at the top, because it runs before `npm ci`.
import { buildAll } from './builds.mjs'
import { checkHost, checkRust, completePath } from './checks.mjs'
import { installDependencies } from './dependencies.mjs'
import { StartError } from './errors.mjs'
import { setupLink } from './first-run.mjs'
import { takeLock } from './lock.mjs'
import { orphanPids } from './orphans.mjs'
import { checkPorts, wantedPorts } from './ports.mjs'
import { createProgress } from './progress.mjs'
import { endRuns, run } from './run.mjs'
import { readSettings } from './settings.mjs'
import { Supervisor } from './supervisor.mjs'
import { ensurePackages, RUNTIME_PACKAGES } from './system-packages.mjs'
import { bringUp, prepareData } from './up.mjs'

// npm passes Ctrl-C on although the terminal has sent it to us already: two within a second are one.
const SECOND_SIGNAL_AFTER_MS = 1_000

const progress = createProgress()
const begun = Date.now()
/** @type {(() => void) | undefined} */
let releaseLock
let supervisor
let firstSignal = 0

// A terminal that is closed takes its stream along; stopping in order matters more than the lines nobody reads.
process.stdout.on('error', () => undefined)
process.stderr.on('error', () => undefined)

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => onSignal())

// Whatever is wrong with the supervisor, the parts are stopped in order.
process.on('uncaughtException', fail)

try {
  await start()
} catch (error) {
  await fail(error)
}

async function start() {
  checkHost({ version: process.version, uid: process.getuid?.() ?? -1, platform: process.platform })
  completePath(process.env)
  const settings = readSettings(process.env)
  progress.line(`${progress.bold('Slipway')} ${settings.version} · data in ${settings.data}`)
  await progress.step('System packages', (step) => ensurePackages(RUNTIME_PACKAGES, step, settings))
  checkRust()
  prepareData(settings)
  releaseLock = takeLock(settings.paths.lock)
  // Asked again right before they are needed; now, so that nobody waits minutes for a build to hear it.
  await checkPorts(wantedPorts(settings), orphanPids(settings.paths.processes))
  await progress.step('Packages of Slipway', installDependencies)
  await buildAll(progress)
  if (firstSignal) return quit(0)
  supervisor = new Supervisor({ progress, paths: settings.paths })
  await bringUp(settings, { progress, supervisor })
  announce(settings)
  // Under systemd (Type=notify): `systemctl start` returns now.
  if (process.env.NOTIFY_SOCKET) await run(['systemd-notify', '--ready'], { deadlineMs: 10_000, what: 'Telling systemd' })
}

function announce(settings) {
  const link = setupLink(settings.webUrl, settings.paths.setupToken)
  progress.line()
  progress.line(`${progress.bold(`Slipway is up at ${settings.webUrl}`)} (after ${((Date.now() - begun) / 1000).toFixed(1)} s)`)
  if (link) progress.line(`Create the first account with this link, which works once:\n\n  ${link}\n`)
  progress.line('Ctrl-C stops it.')
}

async function onSignal() {
  if (firstSignal && Date.now() - firstSignal > SECOND_SIGNAL_AFTER_MS) {
    progress.line('Ending what is left at once.')
    supervisor?.force()
    return
  }
  if (firstSignal) return
  firstSignal = Date.now()
  if (!supervisor) {
    progress.line('Stopping.')
    await endRuns()
    return quit(130)
  }
  progress.line()
  await endRuns() // a migration, say, when it is not up yet
  await supervisor.stopAll()
  progress.line('Stopped. Nothing of Slipway is running any more.')
  quit(0)
}

async function fail(error) {
  if (firstSignal) return // on its way out already
  firstSignal = Date.now()
  await endRuns()
  if (supervisor) await supervisor.stopAll()
  process.stderr.write(
    `\n${error instanceof StartError ? explain(error) : `Slipway ended by a fault of its own: ${error?.stack ?? error}`}\n`,
  )
  quit(1)
}

function explain({ message, detail, hint, cause }) {
  const why = cause instanceof Error && !message.includes(cause.message) ? ` (${cause.message})` : ''
  return [detail?.replace(/^/gm, '  | '), message + why, hint].filter(Boolean).join('\n')
}

function quit(code) {
  releaseLock?.()
  process.exit(code)
}
