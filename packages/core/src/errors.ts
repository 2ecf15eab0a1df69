/**
 * The one error type that crosses package boundaries. It carries three things (design rule 6):
 * a stable `code` for programs, a `message` for the user that says what to do, and a `cause` for the log only.
 */
export type ErrorKind =
  | 'bad-input'
  | 'unauthenticated'
  | 'forbidden'
  | 'not-found'
  | 'conflict'
  | 'too-large'
  | 'rate-limited'
  | 'unavailable'
  | 'internal'

/** HTTP status of each kind; tRPC and REST edges both read this table. */
export const HTTP_STATUS: Record<ErrorKind, number> = {
  'bad-input': 400,
  unauthenticated: 401,
  forbidden: 403,
  'not-found': 404,
  conflict: 409,
  'too-large': 413,
  'rate-limited': 429,
  unavailable: 503,
  internal: 500,
}

export interface AppErrorInit {
  kind: ErrorKind
  /** SCREAMING_SNAKE, stable: `GIT_HOST_UNKNOWN`, `APP_NAME_TAKEN`. */
  code: string
  /** One sentence for the user: what happened and what to do. Never a secret, never a host path. */
  message: string
  /** Kept for the log, never sent to a client. */
  cause?: unknown
  /** Safe, structured extras for the UI (a line number, a field's name). */
  details?: Record<string, unknown>
}

// A brand instead of `instanceof`: Next bundles this file once for the server's start and once for its routes, and an
// error that crosses from one to the other has the other's class.
const BRAND = Symbol.for('slipway.AppError')

export class AppError extends Error {
  readonly [BRAND] = true
  readonly kind: ErrorKind
  readonly code: string
  readonly details: Record<string, unknown>

  constructor(init: AppErrorInit) {
    super(init.message, { cause: init.cause })
    this.name = 'AppError'
    this.kind = init.kind
    this.code = init.code
    this.details = init.details ?? {}
  }

  get status(): number {
    return HTTP_STATUS[this.kind]
  }
}

export const isAppError = (e: unknown): e is AppError => e instanceof Error && BRAND in e

/** Any thrown value as an AppError; what is not one becomes `INTERNAL` with the original as its cause. */
export function toAppError(e: unknown, fallback = 'Something went wrong on the server. Try again; the log has the cause.'): AppError {
  if (isAppError(e)) return e
  return new AppError({ kind: 'internal', code: 'INTERNAL', message: fallback, cause: e })
}

export const notFound = (what: string, code = 'NOT_FOUND') =>
  new AppError({ kind: 'not-found', code, message: `This ${what} does not exist, or you have no access to it.` })
