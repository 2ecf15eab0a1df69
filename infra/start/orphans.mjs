// Parts outlive a supervisor that is killed. Their numbers are kept in the data folder, with start times, and the next start
// ends them before it begins its own. Containers are not parts: the agent's shims keep them running meanwhile.
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { isAlive } from './proc.mjs'

/** @typedef {import('./proc.mjs').ProcessId & { name: string, title: string, stopSignal: NodeJS.Signals }} RecordedPart in order of start */

/** @param {string} file @param {RecordedPart[]} parts */
export function recordProcesses(file, parts) {
  writeFileSync(`${file}.new`, JSON.stringify(parts), { mode: 0o600 })
  renameSync(`${file}.new`, file)
}

/** @returns {RecordedPart[]} */
function recorded(file) {
  if (!existsSync(file)) return []
  try {
    const value = JSON.parse(readFileSync(file, 'utf8'))
    return Array.isArray(value) ? value : []
  } catch {
    return [] // written by rename, so this is a disk gone bad; the ports' check names what still runs
  }
}

/** Numbers of the parts that a killed supervisor left running. */
export const orphanPids = (/** @type {string} */ file) =>
  recorded(file)
    .filter(isAlive)
    .map((part) => part.pid)

/**
 * Ends the parts a killed supervisor left, last started first.
 * @param {string} file @returns {Promise<string[]>} titles of what was ended
 */
export async function endOrphans(file, deadlineMs = 15_000) {
  const ended = []
  for (const part of recorded(file).reverse()) {
    if (!isAlive(part)) continue
    process.kill(part.pid, part.stopSignal)
    const deadline = Date.now() + deadlineMs
    while (isAlive(part) && Date.now() < deadline) await sleep(20)
    if (isAlive(part)) {
      process.kill(part.pid, 'SIGKILL')
      while (isAlive(part)) await sleep(20)
    }
    ended.push(part.title)
  }
  recordProcesses(file, [])
  return ended
}
