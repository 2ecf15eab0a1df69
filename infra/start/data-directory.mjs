// The data folder and the secrets in it, made once. Only root looks inside; the folder itself may be passed through, because
// Postgres runs as a user of its own.
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { chmodSync, chownSync, closeSync, existsSync, fsyncSync, mkdirSync, openSync, renameSync, statSync, writeSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { StartError } from './errors.mjs'

/** @param {import('./settings.mjs').Settings} settings */
export function prepareDataDirectory({ data, paths }) {
  mkdirSync(data, { recursive: true, mode: 0o711 })
  chmodSync(data, 0o711)
  checkPassage(data)
  for (const folder of [paths.secrets, paths.logs, paths.redis, paths.caddy, paths.agent, paths.registry])
    mkdirSync(folder, { recursive: true, mode: 0o700 })
  mkdirSync(paths.run, { recursive: true, mode: 0o711 })
  chmodSync(paths.secrets, 0o700)
}

/** @param {import('./settings.mjs').Paths} paths */
export function ensureSecrets(paths) {
  const secret = (name, make) => createOnce(join(paths.secrets, name), make)
  secret('master.key', () => randomBytes(32))
  secret('auth.secret', () => randomBytes(32).toString('base64url'))
  secret('postgres.password', () => randomBytes(24).toString('base64url'))
  secret('registry-token.pem', () => generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }))
}

/** A file is whole or not there: a key cut short by a crash would lock its owner out for ever. */
export function createOnce(file, make) {
  if (existsSync(file)) return
  const temporary = `${file}.${process.pid}.new`
  const descriptor = openSync(temporary, 'w', 0o600)
  try {
    writeSync(descriptor, make())
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
  renameSync(temporary, file)
  const folder = openSync(dirname(file), 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}

/** Gives a folder to a user, as Postgres needs. @param {{ uid: number, gid: number }} user */
export function ownedFolder(path, { uid, gid }, mode = 0o700) {
  mkdirSync(path, { recursive: true, mode })
  chownSync(path, uid, gid)
  chmodSync(path, mode)
}

function checkPassage(data) {
  const closed = parentsOf(data).find((folder) => (statSync(folder).mode & 0o001) === 0)
  if (closed) {
    throw new StartError(`Postgres runs as its own user and cannot reach ${data}, because ${closed} is closed to other users.`, {
      hint: `Choose a SLIPWAY_DATA that every user can pass through (the default is /var/lib/slipway), or run: chmod o+x ${closed}`,
    })
  }
}

/** Folders above a path, the root first. */
export function parentsOf(path) {
  const parent = dirname(path)
  return parent === path ? [] : [...parentsOf(parent), parent]
}
