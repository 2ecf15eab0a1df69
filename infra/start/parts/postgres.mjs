// Postgres, from the programs that came with the packages. It listens on a socket in the data folder, and on loopback only
// when SLIPWAY_POSTGRES_PORT is set: two installations then never meet.
import { chmodSync, chownSync, cpSync, existsSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ownedFolder, parentsOf } from '../data-directory.mjs'
import { bundledPostgres } from '../dependencies.mjs'
import { StartError } from '../errors.mjs'
import { isZombie, pidsWithin } from '../proc.mjs'
import { run } from '../run.mjs'
import { inherited } from '../settings.mjs'
import { ensurePostgresUser } from '../users.mjs'

const NAME = 'slipway'
const SOCKET_NUMBER = 5432 // without TCP a port only names the socket's file

/**
 * @param {import('../settings.mjs').Settings} settings
 * @returns {Promise<{ part: import('../supervisor.mjs').Part, databaseUrl: string, createDatabase: () => Promise<void> }>}
 */
export async function preparePostgres({ data, paths, ports }) {
  const user = await ensurePostgresUser()
  const programs = reachablePrograms(data)
  ownedFolder(paths.postgresSocketDir, user)
  const password = readFileSync(join(paths.secrets, 'postgres.password'), 'utf8')
  await previousGone(paths.postgres)
  await initialize({ programs, folder: paths.postgres, socketDir: paths.postgresSocketDir, user, password })
  const port = ports.postgres || SOCKET_NUMBER
  const connection = { host: paths.postgresSocketDir, port, user: NAME, password, connectionTimeoutMillis: 5_000 }
  return {
    databaseUrl: databaseUrlOf({ paths, ports }),
    createDatabase: () =>
      withClient({ ...connection, database: 'postgres' }, async (client) => {
        const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [NAME])
        if (rowCount === 0) await client.query(`CREATE DATABASE ${NAME}`)
      }),
    part: {
      name: 'postgres',
      title: 'Postgres',
      argv: () => [
        join(programs, 'bin/postgres'),
        ...['-D', paths.postgres, '-k', paths.postgresSocketDir, '-p', String(port), '-h', ports.postgres ? '127.0.0.1' : ''],
        ...['-c', 'unix_socket_permissions=0700', '-c', 'shared_buffers=64MB', '-c', 'max_connections=100', '-c', 'log_timezone=UTC'],
      ],
      env: inherited(process.env),
      cwd: paths.postgres,
      user,
      // Fast shutdown: open transactions are rolled back, the rest is written. SIGTERM would wait for every client.
      stopSignal: 'SIGINT',
      stopDeadlineMs: 30_000,
      readyDeadlineMs: 120_000, // after a power cut it replays its log first
      ready: () => withClient({ ...connection, database: 'postgres' }, async (client) => (await client.query('SELECT 1')).rowCount === 1),
    },
  }
}

/**
 * Waits until nothing is left of a server that was killed. Its children notice within moments; its own number counts as
 * running, and Postgres refuses to start, until the machine's init has taken note of its end.
 * @param {string} folder
 */
export async function previousGone(folder, deadlineMs = 10_000) {
  const file = join(folder, 'postmaster.pid')
  if (!existsSync(file)) return
  const pid = Number(readFileSync(file, 'utf8').split('\n')[0])
  const deadline = Date.now() + deadlineMs
  while ((isZombie(pid) || pidsWithin(folder).length > 0) && Date.now() < deadline) await sleep(20)
}

/** Address of the installation's own Postgres, over its socket. @param {Pick<import('../settings.mjs').Settings, 'paths' | 'ports'>} settings */
export function databaseUrlOf({ paths, ports }) {
  const password = readFileSync(join(paths.secrets, 'postgres.password'), 'utf8')
  const url = new URL(`postgresql://${NAME}:${encodeURIComponent(password)}@localhost:${ports.postgres || SOCKET_NUMBER}/${NAME}`)
  url.searchParams.set('host', paths.postgresSocketDir)
  return url.toString()
}

/** @param {import('pg').ClientConfig} config @template T @param {(client: import('pg').Client) => Promise<T>} work @returns {Promise<T>} */
export async function withClient(config, work) {
  const { default: pg } = await import('pg')
  const client = new pg.Client(config)
  // A server that goes away while the client idles must not take the supervisor with it; queries report their own errors.
  client.on('error', () => undefined)
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}

/** The programs' folder, copied into the data folder when the checkout lies where other users cannot pass (such as /root). */
function reachablePrograms(data) {
  const bundled = bundledPostgres()
  if (!bundled) {
    throw new StartError(`No Postgres comes along for ${process.platform}-${process.arch}.`, {
      hint: 'Run one of your own (version 14 or newer) and set DATABASE_URL=postgresql://user:password@host:5432/database',
    })
  }
  const native = join(bundled, 'native')
  if ([...parentsOf(native), native].every((folder) => statSync(folder).mode & 0o001)) return native
  const { version } = JSON.parse(readFileSync(join(bundled, 'package.json'), 'utf8'))
  const copy = join(data, `postgres-${version}`)
  if (!existsSync(copy)) {
    rmSync(`${copy}.new`, { recursive: true, force: true })
    cpSync(native, `${copy}.new`, { recursive: true, verbatimSymlinks: true })
    chmodSync(`${copy}.new`, 0o755)
    renameSync(`${copy}.new`, copy)
  }
  return copy
}

/** initdb into a folder beside, moved into place when whole: a start killed in between leaves nothing half made. */
async function initialize({ programs, folder, socketDir, user, password }) {
  if (existsSync(join(folder, 'PG_VERSION'))) {
    checkVersion(programs, folder)
    return
  }
  const fresh = `${folder}.new`
  rmSync(fresh, { recursive: true, force: true })
  ownedFolder(fresh, user)
  const passwordFile = join(socketDir, 'initial-password')
  writeFileSync(passwordFile, password, { mode: 0o600 })
  chownSync(passwordFile, user.uid, user.gid)
  try {
    await run(
      [
        join(programs, 'bin/initdb'),
        ...['-D', fresh, '-U', NAME, '--encoding=UTF8', '--locale=C.UTF-8', '--pwfile', passwordFile],
        ...['--auth-local=scram-sha-256', '--auth-host=scram-sha-256'],
      ],
      { ...user, cwd: fresh, env: inherited(process.env), deadlineMs: 120_000, what: 'Making the database’s folder' },
    )
  } finally {
    rmSync(passwordFile, { force: true })
  }
  if (existsSync(folder)) rmSync(folder, { recursive: true }) // empty: it has no PG_VERSION
  renameSync(fresh, folder)
}

function checkVersion(programs, folder) {
  const there = readFileSync(join(folder, 'PG_VERSION'), 'utf8').trim()
  const { version } = JSON.parse(readFileSync(join(bundledPostgres() ?? dirname(programs), 'package.json'), 'utf8'))
  const ours = version.split('.')[0]
  if (there === ours) return
  throw new StartError(`The data in ${folder} belongs to Postgres ${there}; this Slipway brings Postgres ${ours}.`, {
    hint: `Bring it over with pg_upgrade or a dump, or go on with Postgres ${there} by setting DATABASE_URL.`,
  })
}
