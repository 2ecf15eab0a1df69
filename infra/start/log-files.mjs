// One log file per part. Parts write into the file themselves (not through us), so that no line is lost when the supervisor
// dies; a file that grows too large is copied aside and cut, which is safe because it is opened for appending.
import { closeSync, copyFileSync, existsSync, openSync, readSync, renameSync, statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'

const KEPT = 3
const LIMIT_BYTES = 32 * 1024 * 1024

export const logFile = (folder, name) => join(folder, `${name}.log`)

/** Moves name.log to name.log.1 and so on; the oldest is dropped. */
export function rotate(file) {
  for (let index = KEPT; index >= 1; index -= 1) {
    const from = index === 1 ? file : `${file}.${index - 1}`
    if (existsSync(from)) renameSync(from, `${file}.${index}`)
  }
}

export const openLog = (file) => openSync(file, 'a', 0o600)

/** Called now and then: keeps a log that is written to within its bounds. */
export function bound(file, limit = LIMIT_BYTES) {
  if (!existsSync(file) || statSync(file).size <= limit) return
  copyFileSync(file, `${file}.1`)
  truncateSync(file, 0)
}

/** Last lines of a log, for a message. */
export function tail(file, lines = 20) {
  if (!existsSync(file)) return ''
  const length = Math.min(statSync(file).size, 64 * 1024)
  const buffer = Buffer.alloc(length)
  const descriptor = openSync(file, 'r')
  try {
    readSync(descriptor, buffer, 0, length, statSync(file).size - length)
  } finally {
    closeSync(descriptor)
  }
  return buffer.toString('utf8').trimEnd().split('\n').slice(-lines).join('\n')
}
