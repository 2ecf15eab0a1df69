import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { createDb, type Db } from '@slipway/db'
import pg from 'pg'
import { alive, chownForPostgres, takeLock } from './shared-dir.mjs'

export interface TestDatabase {
  /** A real, empty, migrated database of its own. */
  url: string
  db: Db
  /** Disconnects `db` and removes the database. Not calling it is cleaned up after the process's end. */
  drop(): Promise<void>
}

interface Server {
  keeperPid: number
  url: string
}

const HERE = path.dirname(fileURLToPath(import.meta.url))
const MIGRATIONS = path.resolve(HERE, '../../../prisma/migrations')
const START_DEADLINE_MS = 60_000

/** Every state of the migrations has a server of its own, so a branch switch never meets an old template. */
function sharedDir(durable: boolean): string {
  const hash = createHash('sha256').update(readFileSync(path.join(HERE, 'keeper.mjs')))
  for (const name of readdirSync(MIGRATIONS).sort()) {
    if (!name.endsWith('.toml')) hash.update(name).update(readFileSync(path.join(MIGRATIONS, name, 'migration.sql')))
  }
  return path.join(tmpdir(), `slipway-test-${process.getuid?.() ?? 0}-${hash.digest('hex').slice(0, 12)}${durable ? '-durable' : ''}`)
}

async function readServer(dir: string): Promise<Server | undefined> {
  const text = await readFile(path.join(dir, 'server.json'), 'utf8').catch(() => undefined)
  if (text === undefined) return undefined
  const server = JSON.parse(text) as Server
  return alive(server.keeperPid) ? server : undefined
}

async function startKeeper(dir: string, durable: boolean): Promise<Server> {
  await rm(path.join(dir, 'server.json'), { force: true })
  const log = openSync(path.join(dir, 'keeper.log'), 'w', 0o600)
  // Detached: Ctrl-C on the test run must not end the server that another run uses.
  const argv = [path.join(HERE, 'keeper.mjs'), dir, MIGRATIONS, ...(durable ? ['durable'] : [])]
  const child = spawn(process.execPath, argv, { detached: true, stdio: ['ignore', log, log] })
  closeSync(log)
  child.unref()
  const deadline = Date.now() + START_DEADLINE_MS
  for (;;) {
    const server = await readServer(dir)
    if (server) return server
    if (child.exitCode !== null || Date.now() > deadline) {
      const output = await readFile(path.join(dir, 'keeper.log'), 'utf8').catch(() => '')
      throw new Error(`The test PostgreSQL did not start:\n${output}`)
    }
    await new Promise((r) => setTimeout(r, 50))
  }
}

async function acquireServer(durable: boolean): Promise<Server> {
  const dir = sharedDir(durable)
  await mkdir(path.join(dir, 'users'), { recursive: true, mode: 0o755 })
  await chownForPostgres(dir)
  await writeFile(path.join(dir, 'users', String(process.pid)), '')
  const release = await takeLock(path.join(dir, 'lock'), START_DEADLINE_MS * 2)
  try {
    return (await readServer(dir)) ?? (await startKeeper(dir, durable))
  } finally {
    await release()
  }
}

const servers = new Map<boolean, Promise<Server>>()

/**
 * A database cloned from the migrated template (about 50 ms once the server runs, about 3 s for the first one). `durable`: on a
 * server that syncs what it commits, for measurements.
 */
export async function createTestDatabase({ durable = false } = {}): Promise<TestDatabase> {
  const server = servers.get(durable) ?? acquireServer(durable)
  servers.set(durable, server)
  const { url: base } = await server
  const name = `t_${process.pid}_${randomBytes(5).toString('hex')}`
  await asAdmin(base, `CREATE DATABASE "${name}" TEMPLATE slipway_template`)
  const url = `${base}${name}`
  const db = createDb(url, { poolSize: 8 })
  return {
    url,
    db,
    async drop() {
      await db.$disconnect()
      await asAdmin(base, `DROP DATABASE IF EXISTS "${name}" WITH (FORCE)`)
    },
  }
}

async function asAdmin(base: string, sql: string): Promise<void> {
  const admin = new pg.Client({ connectionString: `${base}postgres`, connectionTimeoutMillis: 10_000 })
  await admin.connect()
  try {
    await admin.query(sql)
  } finally {
    await admin.end()
  }
}
