// What the keeper and the test processes agree on: who is alive, who holds the lock, who owns the files.

import { readFileSync } from 'node:fs'
import { chown, open, readFile, rm } from 'node:fs/promises'

/** @param {number} pid */
export function alive(pid) {
  if (!Number.isInteger(pid) || pid <= 0) return false
  try {
    process.kill(pid, 0)
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === 'EPERM'
  }
  try {
    // A zombie answers signal 0, yet it is gone for our purpose.
    return !/^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}

/** PostgreSQL refuses to run as root: then it runs as the system's `postgres` user. Null when we are not root. */
export function postgresUser() {
  if (process.getuid?.() !== 0) return null
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((l) => l.startsWith('postgres:'))
  if (!line) throw new Error('Tests run as root need the system user "postgres" (useradd --system postgres), as PostgreSQL refuses root.')
  const [, , uid, gid] = line.split(':')
  return { uid: Number(uid), gid: Number(gid) }
}

/** @param {string} file */
export async function chownForPostgres(file) {
  const user = postgresUser()
  if (user) await chown(file, user.uid, user.gid)
}

/**
 * Waits for the lock file and returns what releases it. A lock whose holder died is taken over.
 * @param {string} file
 * @returns {Promise<() => Promise<void>>}
 */
export async function takeLock(file, timeoutMs = 60_000) {
  const deadline = Date.now() + timeoutMs
  for (;;) {
    try {
      const handle = await open(file, 'wx', 0o600)
      await handle.writeFile(String(process.pid))
      await handle.close()
      return () => rm(file, { force: true })
    } catch (error) {
      if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EEXIST') throw error
    }
    const holder = Number(await readFile(file, 'utf8').catch(() => ''))
    // Empty means that the holder is just about to write its pid.
    if (holder > 0 && !alive(holder)) await rm(file, { force: true })
    if (Date.now() > deadline) throw new Error(`Another test process (pid ${holder}) holds ${file} for too long.`)
    await new Promise((r) => setTimeout(r, 25))
  }
}
