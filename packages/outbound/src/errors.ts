import { AppError } from '@slipway/core'
import type { Reach } from './reach'

/** Why a request was not made or has no answer; `OUTBOUND_*`. The host is named, never the path: that may hold a secret. */
export function refused(host: string, reach: Exclude<Reach, { addresses: string[] }>): AppError {
  const name = host.slice(0, 100)
  if (reach.refused === 'unknown')
    return new AppError({
      kind: 'unavailable',
      code: 'OUTBOUND_HOST_UNKNOWN',
      message: `The name ${name} cannot be resolved. Check the address, and this machine’s name servers.`,
      cause: reach.cause,
    })
  const message =
    reach.refused === 'never'
      ? `${name} is or leads to ${reach.address}, which is never connected to: clouds answer there with a machine’s secrets, or many answer at once. Correct the address.`
      : `${name} is or leads to an address inside this network, ${reach.address}, which is not allowed here. Use a public address, or have private addresses allowed.`
  return new AppError({ kind: 'bad-input', code: 'OUTBOUND_INSIDE', message })
}

export const noAddress = () =>
  new AppError({
    kind: 'bad-input',
    code: 'OUTBOUND_ADDRESS_INVALID',
    message: 'This is no address that can be called. It begins with https:// or http:// and has no user name in it.',
  })

export const unreachable = (host: string, cause: unknown) =>
  new AppError({
    kind: 'unavailable',
    code: 'OUTBOUND_UNREACHABLE',
    message: `${host.slice(0, 100)} does not answer${reason(cause)}.`,
    cause,
  })

export const brokenOff = (host: string, cause: unknown) =>
  new AppError({
    kind: 'unavailable',
    code: 'OUTBOUND_BROKEN_OFF',
    message: `${host.slice(0, 100)} began to answer and then fell silent. Try again.`,
    cause,
  })

export const redirected = (host: string, why: string) =>
  new AppError({
    kind: 'unavailable',
    code: 'OUTBOUND_REDIRECT',
    message: `${host.slice(0, 100)} leads elsewhere, ${why}. Correct the address.`,
  })

export const tooLarge = (host: string, maxBytes: number) =>
  new AppError({
    kind: 'too-large',
    code: 'OUTBOUND_ANSWER_TOO_LARGE',
    message: `${host.slice(0, 100)} answered with more than ${maxBytes} bytes.`,
  })

const KNOWN: Record<string, string> = {
  ECONNREFUSED: 'the connection is refused',
  ECONNRESET: 'the connection was cut off',
  ENETUNREACH: 'there is no way to its network',
  EHOSTUNREACH: 'there is no way to it',
  ETIMEDOUT: 'it is silent',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is signed by itself',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is signed by nobody known',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate is signed by nobody known',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its certificate is signed by nobody known',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name',
}

function reason(cause: unknown): string {
  const { code } = (cause ?? {}) as { code?: unknown }
  if (typeof code === 'string' && KNOWN[code] !== undefined) return ` (${KNOWN[code]})`
  return code === 'OUTBOUND_SILENT' ? ' in time' : ''
}

/** Of a deadline that passed. */
export class Silence extends Error {
  readonly code = 'OUTBOUND_SILENT'
}
