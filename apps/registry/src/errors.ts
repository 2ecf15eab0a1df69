import { AppError, type ErrorKind } from '@slipway/core'
import { DigestMismatchError, StoreFullError, StoreUnavailableError, UploadTooLargeError } from './store/store'

/** Codes of distribution-spec ("Error Codes"), and DISK_FULL, UNAVAILABLE and UNKNOWN, which it leaves to us. */
const KIND = {
  BLOB_UNKNOWN: 'not-found',
  BLOB_UPLOAD_INVALID: 'bad-input',
  BLOB_UPLOAD_UNKNOWN: 'not-found',
  DIGEST_INVALID: 'bad-input',
  MANIFEST_BLOB_UNKNOWN: 'not-found',
  MANIFEST_INVALID: 'bad-input',
  MANIFEST_UNKNOWN: 'not-found',
  NAME_INVALID: 'bad-input',
  NAME_UNKNOWN: 'not-found',
  SIZE_INVALID: 'bad-input',
  UNAUTHORIZED: 'unauthenticated',
  // Docker's registries answer 401 here too, with the scope that would be needed.
  DENIED: 'unauthenticated',
  UNSUPPORTED: 'bad-input',
  TOOMANYREQUESTS: 'rate-limited',
  DISK_FULL: 'unavailable',
  UNAVAILABLE: 'unavailable',
  UNKNOWN: 'internal',
} as const satisfies Record<string, ErrorKind>
export type RegistryErrorCode = keyof typeof KIND

interface Extras {
  /** When it is not the one of the kind: 405, 413, 416, 507. */
  status?: number
  detail?: unknown
  headers?: Record<string, string>
  cause?: unknown
}

/** An error that clients see as the specification's JSON. `message` is for the person at the client. */
export class RegistryError extends AppError {
  readonly #status: number | undefined
  readonly detail: unknown
  readonly headers: Record<string, string>

  constructor(code: RegistryErrorCode, message: string, { status, detail, headers, cause }: Extras = {}) {
    super({ kind: KIND[code], code, message, cause })
    this.#status = status
    this.detail = detail
    this.headers = headers ?? {}
  }

  override get status(): number {
    return this.#status ?? super.status
  }
}

export const nameUnknown = () => new RegistryError('NAME_UNKNOWN', 'This repository does not exist. Push an image to it first.')
export const blobUnknown = () => new RegistryError('BLOB_UNKNOWN', 'This blob does not exist in the repository. Push it first.')
/** 404, so that a client that pushes sends it again: that is the repair. */
export const blobDamaged = () =>
  new RegistryError(
    'BLOB_UNKNOWN',
    'The registry has lost the bytes of this blob or found them damaged. Push the image again to repair it.',
  )
export const uploadUnknown = () => new RegistryError('BLOB_UPLOAD_UNKNOWN', 'This upload does not exist any more. Start the push again.')
/** An organization's own: others go on. */
export const tooManyUploads = (repository: string, most: number) =>
  new RegistryError(
    'TOOMANYREQUESTS',
    `${repository.split('/')[0]} has ${most} uploads open, and no more are allowed. Wait for pushes to end, or cancel uploads that nobody goes on with; those are removed after a day.`,
    { headers: { 'retry-after': '60' }, detail: { open: most } },
  )

/** Anything that was thrown, as what the client is told. The original goes to the log as the cause. */
export function toRegistryError(error: unknown): RegistryError {
  if (error instanceof RegistryError) return error
  if (error instanceof StoreFullError) {
    const message = 'The disk of the registry is full. Free space or delete images, then push again.'
    return new RegistryError('DISK_FULL', message, { status: 507, cause: error })
  }
  if (error instanceof StoreUnavailableError) {
    const message = 'The registry cannot reach the store of its blobs. Try again in a moment.'
    return new RegistryError('UNAVAILABLE', message, { headers: { 'retry-after': '5' }, cause: error.cause })
  }
  if (error instanceof DigestMismatchError) {
    const message = 'What arrived does not have the digest that was claimed. It was damaged on the way; push again.'
    return new RegistryError('DIGEST_INVALID', message, { detail: { claimed: error.expected, received: error.actual }, cause: error })
  }
  if (error instanceof UploadTooLargeError) {
    return new RegistryError('SIZE_INVALID', `A blob may have at most ${error.maxBytes} bytes.`, { status: 413, cause: error })
  }
  if (error instanceof AppError && (error.code === 'DIGEST_INVALID' || error.code === 'MANIFEST_INVALID')) {
    return new RegistryError(error.code, error.message, { cause: error })
  }
  if (isDatabaseAway(error)) {
    const message = 'The registry cannot reach its database. Try again in a moment.'
    return new RegistryError('UNAVAILABLE', message, { headers: { 'retry-after': '5' }, cause: error })
  }
  return new RegistryError('UNKNOWN', 'The registry failed. Try again; its log has the cause.', { cause: error })
}

const AWAY = new Set([
  'P1001',
  'P1002',
  'P1008',
  'P1017',
  'P2024',
  'P2028',
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  '57P01',
  '57P03',
  '53300',
  '57014',
])

/** What the driver says without a code when the line breaks in the middle of a transaction. */
const BROKEN = /^(?:Connection terminated|Client has encountered a connection error|timeout exceeded when trying to connect)/

function isDatabaseAway(error: unknown, depth = 0): boolean {
  if (typeof error !== 'object' || error === null || depth > 4) return false
  const { code, name, kind, message, cause } = error as Partial<Record<'code' | 'name' | 'kind' | 'message' | 'cause', unknown>>
  if (typeof message === 'string' && BROKEN.test(message)) return true
  if (name === 'PrismaClientInitializationError') return true
  if (kind === 'DatabaseNotReachable' || kind === 'ConnectionClosed' || kind === 'SocketTimeout' || kind === 'TooManyConnections')
    return true
  return (typeof code === 'string' && AWAY.has(code)) || isDatabaseAway(cause, depth + 1)
}
