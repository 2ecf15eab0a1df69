import { readFileSync } from 'node:fs'
import { run } from './run.mjs'

/** Numbers of a system user, from the text of /etc/passwd. */
export function findUser(/** @type {string} */ passwd, /** @type {string} */ name) {
  const fields = passwd
    .split('\n')
    .map((line) => line.split(':'))
    .find((entry) => entry[0] === name)
  return fields && { uid: Number(fields[2]), gid: Number(fields[3]) }
}

/** The user Postgres runs as (it refuses to run as root), made when missing. */
export async function ensurePostgresUser() {
  const find = () => findUser(readFileSync('/etc/passwd', 'utf8'), 'postgres')
  const found = find()
  if (found) return found
  await run(
    ['useradd', '--system', '--user-group', '--no-create-home', '--home-dir', '/nonexistent', '--shell', '/usr/sbin/nologin', 'postgres'],
    {
      deadlineMs: 30_000,
      what: 'Making the system user “postgres”',
    },
  )
  const made = find()
  if (!made) throw new Error('useradd made no user “postgres”')
  return made
}
