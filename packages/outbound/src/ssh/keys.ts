/** Private keys that sign for SSH: Ed25519, RSA and ECDSA. `ssh2` reads their files, Node's OpenSSL signs. */
import { createPrivateKey, type KeyObject, sign } from 'node:crypto'
import ssh2 from 'ssh2'
import { mpint, string } from './messages'

export interface SshKey {
  /** `ssh-ed25519`, `ssh-rsa`, `ecdsa-sha2-nistp256` … */
  type: string
  comment: string
  /** As servers know it. */
  public: Buffer
  /** Null where the flags leave nothing but SHA-1. */
  sign(data: Buffer, flags: number): Buffer | null
}

/** Why a text is no key that signs here. */
export type KeyProblem = 'unreadable' | 'passphrase' | 'kind' | 'short'

const [RSA_SHA2_256, RSA_SHA2_512] = [2, 4]
const MIN_RSA_BITS = 2048
/** Signing with larger ones takes seconds. */
const MAX_RSA_BITS = 16_384
const CURVES: Record<string, string> = {
  'ecdsa-sha2-nistp256': 'sha256',
  'ecdsa-sha2-nistp384': 'sha384',
  'ecdsa-sha2-nistp521': 'sha512',
}

/** Of a file as `ssh-keygen` writes it, in OpenSSH's format or as PEM. */
export function readPrivateKey(text: string): { key: SshKey } | { problem: KeyProblem } {
  const parsed = ssh2.utils.parseKey(text)
  if (parsed instanceof Error) return { problem: /passphrase|encrypted/i.test(parsed.message) ? 'passphrase' : 'unreadable' }
  // A file with several keys is one of nobody.
  if (Array.isArray(parsed) || !parsed.isPrivateKey()) return { problem: 'unreadable' }
  if (parsed.type !== 'ssh-ed25519' && parsed.type !== 'ssh-rsa' && !(parsed.type in CURVES)) return { problem: 'kind' }
  let key: KeyObject
  try {
    key = createPrivateKey(parsed.getPrivatePEM())
  } catch {
    return { problem: 'unreadable' }
  }
  const bits = key.asymmetricKeyDetails?.modulusLength
  if (bits !== undefined && (bits < MIN_RSA_BITS || bits > MAX_RSA_BITS)) return { problem: 'short' }
  const { type, comment } = parsed
  return { key: { type, comment: comment ?? '', public: parsed.getPublicSSH(), sign: (data, flags) => signature(type, key, data, flags) } }
}

function signature(type: string, key: KeyObject, data: Buffer, flags: number): Buffer | null {
  const made = (algorithm: string, bytes: Buffer) => Buffer.concat([string(algorithm), string(bytes)])
  if (type === 'ssh-ed25519') return made(type, sign(null, data, key))
  if (type === 'ssh-rsa') {
    // RFC 8332. Without a flag it would be SHA-1, in which others can find collisions, and which servers have refused for years.
    if (flags & RSA_SHA2_512) return made('rsa-sha2-512', sign('sha512', data, key))
    return flags & RSA_SHA2_256 ? made('rsa-sha2-256', sign('sha256', data, key)) : null
  }
  // RFC 5656, section 3.1.2: r and s.
  const both = sign(CURVES[type], data, { key, dsaEncoding: 'ieee-p1363' })
  const half = both.length / 2
  return made(type, Buffer.concat([mpint(both.subarray(0, half)), mpint(both.subarray(half))]))
}
