// What Linux tells about processes under /proc: whether a recorded process is still the same one, and who holds a port.
import { readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs'

/** @typedef {{ pid: number, startTime: string, boot: string }} ProcessId a process that cannot be mistaken for a later one */

const bootId = () => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()

/** Start time in clock ticks since boot (field 22 of proc(5) stat), or undefined when there is no such process. */
export function startTimeOf(/** @type {number} */ pid) {
  try {
    return parseStat(readFileSync(`/proc/${pid}/stat`, 'utf8')).startTime
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'ESRCH') return undefined
    throw error
  }
}

/** The command name may hold spaces and parentheses, so the fields are counted from the last parenthesis. */
export function parseStat(/** @type {string} */ stat) {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return { state: fields[0], parent: Number(fields[1]), startTime: fields[19] }
}

/** @param {number} pid @returns {ProcessId} */
export function identify(pid) {
  return { pid, startTime: startTimeOf(pid) ?? '', boot: bootId() }
}

/** Whether the recorded process still runs (a zombie does not). @param {ProcessId} id */
export function isAlive(id) {
  if (id.boot !== bootId()) return false
  try {
    const stat = parseStat(readFileSync(`/proc/${id.pid}/stat`, 'utf8'))
    return stat.startTime === id.startTime && stat.state !== 'Z'
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'ESRCH') return false
    throw error
  }
}

/** Whether a process has ended without its parent having taken note. */
export function isZombie(/** @type {number} */ pid) {
  try {
    return parseStat(readFileSync(`/proc/${pid}/stat`, 'utf8')).state === 'Z'
  } catch {
    return false // gone altogether
  }
}

/** Numbers of the processes whose working directory is that folder. @param {string} folder */
export function pidsWithin(folder) {
  const real = realpathSync(folder)
  const isWithin = (entry) => {
    try {
      return readlinkSync(`/proc/${entry}/cwd`) === real
    } catch {
      return false // ended while we looked, or a zombie
    }
  }
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry) && isWithin(entry))
    .map(Number)
}

/** Command line of a process for a message, or undefined. */
export function commandOf(/** @type {number} */ pid) {
  try {
    return (
      readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').join(' ').trim().slice(0, 120) ||
      readFileSync(`/proc/${pid}/comm`, 'utf8').trim()
    )
  } catch {
    return undefined // it has just ended: then there is nothing to name
  }
}

/** Inodes of the sockets that listen on a TCP port, from the text of /proc/net/tcp and tcp6. */
export function listeningInodes(/** @type {string} */ table, /** @type {number} */ port) {
  const wanted = port.toString(16).toUpperCase().padStart(4, '0')
  return table
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[1]?.endsWith(`:${wanted}`) && fields[3] === '0A')
    .map((fields) => fields[9])
}

/** Who listens on a TCP port of this machine; pid undefined when the holder cannot be seen. */
export function holderOfPort(/** @type {number} */ port) {
  const inodes = ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((path) => {
    try {
      return listeningInodes(readFileSync(path, 'utf8'), port)
    } catch {
      return [] // no IPv6 in this kernel
    }
  })
  if (inodes.length === 0) return undefined
  const wanted = new Set(inodes.map((inode) => `socket:[${inode}]`))
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    try {
      for (const fd of readdirSync(`/proc/${entry}/fd`)) {
        if (wanted.has(readlinkSync(`/proc/${entry}/fd/${fd}`))) return { pid: Number(entry), command: commandOf(Number(entry)) }
      }
    } catch {
      // ended while we looked, or not ours to look at
    }
  }
  return { pid: undefined, command: undefined }
}
