import { AppError } from '@slipway/core'

/** Algorithms this installation takes (image-spec, descriptor.md "Registered algorithms"), with their hex lengths. */
const HEX_LENGTH = { sha256: 64, sha512: 128 } as const
export type DigestAlgorithm = keyof typeof HEX_LENGTH

export interface ParsedDigest {
  algorithm: DigestAlgorithm
  /** Lower-case. */
  hex: string
}

const SUBTLE_NAME = { sha256: 'SHA-256', sha512: 'SHA-512' } as const

/** `sha256:<64 hex>` taken apart; throws `DIGEST_INVALID` with what is wrong with it. */
export function parseDigest(text: string): ParsedDigest {
  const problem = digestProblem(text)
  if (problem) throw new AppError({ kind: 'bad-input', code: 'DIGEST_INVALID', message: problem })
  const colon = text.indexOf(':')
  return { algorithm: text.slice(0, colon) as DigestAlgorithm, hex: text.slice(colon + 1) }
}

export const isDigest = (text: string): boolean => digestProblem(text) === undefined

function digestProblem(text: string): string | undefined {
  const shown = text.length > 80 ? `${text.slice(0, 80)}…` : text
  const colon = text.indexOf(':')
  if (colon < 1) return `“${shown}” is not a digest: expected algorithm:hex, such as sha256:9f0c….`
  const algorithm = text.slice(0, colon)
  if (!Object.hasOwn(HEX_LENGTH, algorithm)) return `Digest algorithm “${algorithm.slice(0, 32)}” is not supported: use sha256 or sha512.`
  const want = HEX_LENGTH[algorithm as DigestAlgorithm]
  const hex = text.slice(colon + 1)
  if (!/^[0-9a-f]*$/.test(hex)) return `Digest “${shown}” has characters other than 0-9 and a-f after the colon.`
  if (hex.length !== want) return `Digest “${shown}” has ${hex.length} hex digits; ${algorithm} has ${want}.`
  return undefined
}

const toHex = (bytes: Uint8Array) => Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('')

/** Digest of bytes in memory. Works in the browser (secure contexts) and in Node. */
export async function digestOf(bytes: Uint8Array | string, algorithm: DigestAlgorithm = 'sha256'): Promise<string> {
  const data = typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes
  const hash = await crypto.subtle.digest(SUBTLE_NAME[algorithm], data as Uint8Array<ArrayBuffer>)
  return `${algorithm}:${toHex(new Uint8Array(hash))}`
}

/** True when `bytes` hash to `digest`; throws `DIGEST_INVALID` when `digest` itself is malformed. */
export async function verifyDigest(bytes: Uint8Array | string, digest: string): Promise<boolean> {
  return (await digestOf(bytes, parseDigest(digest).algorithm)) === digest
}
