// One Slipway per data folder. The lock is a file that names the process; the start time in it tells a living holder from a
// later process with the same number, so that a lock left by kill −9 or a power cut is simply replaced.
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { StartError } from './errors.mjs'
import { identify, isAlive } from './proc.mjs'

/** @param {string} file @returns {() => void} release */
export function takeLock(file) {
  const mine = JSON.stringify(identify(process.pid))
  const temporary = `${file}.${process.pid}`
  writeFileSync(temporary, mine, { mode: 0o600 })
  try {
    for (let attempt = 0; attempt < 5; attempt += 1) {
      try {
        linkSync(temporary, file) // fails when the lock exists: only one of two starts gets it
        return () => {
          if (read(file) === mine) rmSync(file, { force: true })
        }
      } catch (error) {
        if (error.code !== 'EEXIST') throw error
      }
      removeStale(file)
    }
    throw new StartError(`The lock ${file} keeps changing.`, {
      hint: 'Another Slipway is starting on the same data. Wait for it, then try again.',
    })
  } finally {
    rmSync(temporary, { force: true })
  }
}

function removeStale(file) {
  const content = read(file)
  if (content === undefined) return
  const holder = parse(content)
  if (holder && isAlive(holder)) {
    throw new StartError(`Slipway already runs on this data, as process ${holder.pid}.`, {
      hint: `Stop it first (Ctrl-C there, or: kill ${holder.pid}), or start this one with another SLIPWAY_DATA and other ports.`,
    })
  }
  // Moved aside rather than deleted: if another start replaced it meanwhile, that one's lock is put back.
  const aside = `${file}.stale.${process.pid}`
  try {
    renameSync(file, aside)
  } catch (error) {
    if (error.code === 'ENOENT') return
    throw error
  }
  if (read(aside) !== content) {
    try {
      linkSync(aside, file)
    } catch (error) {
      if (error.code !== 'EEXIST') throw error
    }
  }
  rmSync(aside, { force: true })
}

function read(file) {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (error.code === 'ENOENT') return undefined
    throw error
  }
}

function parse(content) {
  try {
    const value = JSON.parse(content)
    return Number.isInteger(value?.pid) && typeof value.startTime === 'string' && typeof value.boot === 'string' ? value : undefined
  } catch {
    return undefined // cut short by a crash: nobody holds it
  }
}
