/**
 * Secrets at rest: AES-256-GCM under the installation's master key.
 *
 *   envelope = version (1 byte, 0x01) ‖ nonce (12) ‖ ciphertext ‖ tag (16)
 *   AAD      = "slipway/1\0" kind "\0" organization id "\0" row id
 *
 * The AAD binds a value to its row: one that is copied into another row or another organization does not open.
 * Opening fails closed: a wrong key, a changed byte or an unknown version is an error, never an empty value.
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'
import { AppError } from '@slipway/core'

const VERSION = 1
const NONCE = 12
const TAG = 16

export interface SealedFor {
  kind: 'gitToken' | 'deployKey' | 'variable' | 'webhook' | 'environment' | 'upload' | 'upstream' | 'outgoing' | 'replication'
  organizationId: string
  /** Of the row that holds the value. */
  id: string
}

export interface Sealer {
  seal(value: string, owner: SealedFor): Uint8Array<ArrayBuffer>
  open(envelope: Uint8Array, owner: SealedFor): string
  /** A key for another purpose (session cookies), from which the master key cannot be found. */
  derive(purpose: string): string
}

const aad = ({ kind, organizationId, id }: SealedFor) => Buffer.from(`slipway/1\0${kind}\0${organizationId}\0${id}`)

export function createSealer(masterKey: Uint8Array): Sealer {
  if (masterKey.length !== 32) throw unreadable(new Error(`the master key has ${masterKey.length} bytes, not 32`))
  const key = Buffer.from(masterKey)
  return {
    seal(value, owner) {
      const nonce = randomBytes(NONCE)
      const cipher = createCipheriv('aes-256-gcm', key, nonce)
      cipher.setAAD(aad(owner))
      const sealed = Buffer.concat([cipher.update(value, 'utf8'), cipher.final()])
      return Uint8Array.from(Buffer.concat([Buffer.from([VERSION]), nonce, sealed, cipher.getAuthTag()]))
    },
    open(envelope, owner) {
      const bytes = Buffer.from(envelope)
      if (bytes.length < 1 + NONCE + TAG || bytes[0] !== VERSION) throw unreadable(new Error('not an envelope of a known version'))
      try {
        const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(1, 1 + NONCE), { authTagLength: TAG })
        decipher.setAAD(aad(owner))
        decipher.setAuthTag(bytes.subarray(bytes.length - TAG))
        return Buffer.concat([decipher.update(bytes.subarray(1 + NONCE, bytes.length - TAG)), decipher.final()]).toString('utf8')
      } catch (cause) {
        throw unreadable(cause)
      }
    },
    derive: (purpose) => Buffer.from(hkdfSync('sha256', key, 'slipway', purpose, 32)).toString('base64url'),
  }
}

const unreadable = (cause: unknown) =>
  new AppError({
    kind: 'internal',
    code: 'SECRET_UNREADABLE',
    message: 'A stored secret cannot be decrypted. Restore the master.key that belongs to this database, or enter the secret again.',
    cause,
  })
