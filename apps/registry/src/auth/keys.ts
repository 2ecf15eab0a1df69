import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { readFile } from 'node:fs/promises'

export interface TokenKeys {
  /** PKCS8 text, for signing. */
  pem: string
  publicKey: KeyObject
}

/** The Ed25519 key of this installation. No key, no service: a fallback would sign for strangers. */
export async function loadTokenKeys(file: string): Promise<TokenKeys> {
  let pem: string
  try {
    pem = await readFile(file, 'utf8')
  } catch (cause) {
    const message = `The registry's signing key ${file} cannot be read. Start Slipway with "npm start", which makes it, or set SLIPWAY_SECRETS to the folder that holds it.`
    throw new Error(message, { cause })
  }
  return tokenKeysOf(pem, file)
}

export function tokenKeysOf(pem: string, file = 'the signing key'): TokenKeys {
  let key: KeyObject
  try {
    key = createPrivateKey(pem)
  } catch (cause) {
    throw new Error(`${file} is not a PKCS8 private key in PEM.`, { cause })
  }
  if (key.asymmetricKeyType !== 'ed25519') throw new Error(`${file} holds a key of type ${key.asymmetricKeyType}; Ed25519 is needed.`)
  return { pem, publicKey: createPublicKey(key) }
}
