/**
 * The Ed25519 keys that sign the registry's tokens, as files in the folder of secrets:
 *
 *   registry-token.pem            the one that signs (PKCS 8); whoever signs reads it anew each time
 *   registry-token.retired/
 *     <kid>.pem                   public halves of those before it, until the last token they signed has ended
 *
 * Nobody has to be told of a new key, and no request fails by one: the retired half is there before the new key is, and who
 * verifies reads the folder again before a token is refused. Private halves of retired keys are gone.
 */
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { AppError } from '@slipway/core'

/** The longest that a token lasts (`MAX_TTL_SECONDS`), and some minutes for clocks and for one that was just being signed. */
const RETIRED_FOR_MS = 70 * 60_000
/** A rotation takes milliseconds: a lock this old was left by a crash. */
const LOCK_MS = 60_000

export interface VerifyingKey {
  /** RFC 7638 thumbprint. */
  kid: string
  key: KeyObject
  /** Since when it signs; of a retired one: since when it does not. */
  at: Date
  /** Null: it signs. */
  until: Date | null
}

export interface SigningKeys {
  /** PKCS 8 of the key that signs. */
  pem: string
  /** The one that signs first. */
  verifying: VerifyingKey[]
}

const signingFile = (secretsDir: string) => path.join(secretsDir, 'registry-token.pem')
/** Folder of the public halves that still verify; without one of them, nothing that it signed is good any more. */
export const retiredKeys = (secretsDir: string) => path.join(secretsDir, 'registry-token.retired')

/** PKCS 8 text of the key that signs now. */
export const readSigningKey = (secretsDir: string): Promise<string> => readFile(signingFile(secretsDir), 'utf8')

export function thumbprint(publicKey: KeyObject): string {
  const { crv, kty, x } = publicKey.export({ format: 'jwk' })
  return createHash('sha256').update(JSON.stringify({ crv, kty, x })).digest('base64url')
}

/** Throws when the PEM is no Ed25519 private key. `name`: how to call it in the error. */
export function publicHalf(pem: string, name = 'the signing key'): KeyObject {
  let key: KeyObject
  try {
    key = createPrivateKey(pem)
  } catch (cause) {
    throw new Error(`${name} is not a PKCS8 private key in PEM.`, { cause })
  }
  if (key.asymmetricKeyType !== 'ed25519') throw new Error(`${name} holds a key of type ${key.asymmetricKeyType}; Ed25519 is needed.`)
  return createPublicKey(key)
}

export async function readSigningKeys(secretsDir: string, now = new Date()): Promise<SigningKeys> {
  const file = signingFile(secretsDir)
  // Retired ones first: a key that is retired between the two reads is then missed in neither.
  for (;;) {
    const pem = await readFile(file, 'utf8')
    const { mtime } = await stat(file)
    const retired = await readRetired(secretsDir, now)
    if ((await readFile(file, 'utf8')) !== pem) continue
    const key = publicHalf(pem, file)
    const kid = thumbprint(key)
    return { pem, verifying: [{ kid, key, at: mtime, until: null }, ...retired.filter((other) => other.kid !== kid)] }
  }
}

async function readRetired(secretsDir: string, now: Date): Promise<VerifyingKey[]> {
  const folder = retiredKeys(secretsDir)
  const found: VerifyingKey[] = []
  for (const name of await namesIn(folder)) {
    const file = path.join(folder, name)
    const { mtime } = await stat(file)
    const until = new Date(mtime.getTime() + RETIRED_FOR_MS)
    if (until <= now) continue
    const key = createPublicKey(await readFile(file))
    if (key.asymmetricKeyType === 'ed25519') found.push({ kid: thumbprint(key), key, at: mtime, until })
  }
  return found.sort((a, b) => b.at.getTime() - a.at.getTime())
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).filter((name) => name.endsWith('.pem'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

/** A new key signs from now on; what the old one signed is good until it ends. Keys retired long ago are removed. */
export async function rotateSigningKey(secretsDir: string, now = new Date()): Promise<SigningKeys> {
  const release = await lock(secretsDir)
  try {
    const old = publicHalf(await readSigningKey(secretsDir))
    const folder = retiredKeys(secretsDir)
    await mkdir(folder, { recursive: true, mode: 0o700 })
    await write(path.join(folder, `${thumbprint(old)}.pem`), old.export({ type: 'spki', format: 'pem' }).toString())
    const { privateKey } = generateKeyPairSync('ed25519')
    await write(signingFile(secretsDir), privateKey.export({ type: 'pkcs8', format: 'pem' }).toString())
    for (const name of await namesIn(folder)) {
      const file = path.join(folder, name)
      if ((await stat(file)).mtime.getTime() + RETIRED_FOR_MS <= now.getTime()) await rm(file, { force: true })
    }
    return await readSigningKeys(secretsDir, now)
  } finally {
    await release()
  }
}

/** Whole or not there, whatever happens. */
async function write(file: string, text: string): Promise<void> {
  const temporary = `${file}.${process.pid}.new`
  const handle = await open(temporary, 'w', 0o600)
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(temporary, file)
  const folder = await open(path.dirname(file), 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

async function lock(secretsDir: string): Promise<() => Promise<void>> {
  const file = path.join(secretsDir, 'registry-token.lock')
  const left = await stat(file).catch(() => null)
  if (left && Date.now() - left.mtime.getTime() > LOCK_MS) await rm(file, { force: true })
  try {
    await (await open(file, 'wx', 0o600)).close()
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause
    const message = 'The signing key is being changed right now. Look again in a moment.'
    throw new AppError({ kind: 'conflict', code: 'KEY_ROTATION_BUSY', message, cause })
  }
  return () => rm(file, { force: true })
}
