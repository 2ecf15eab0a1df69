import type { AppRouter, ErrorData } from '@slipway/api'
import { type ErrorKind, isAppError } from '@slipway/core'
import type { TRPCClientErrorLike } from '@trpc/client'
import { plain } from './output'

/** What scripts can rely on; the README and `slipway --help` list them. */
export const EXIT = {
  ok: 0,
  /** The build or the deployment failed, or was canceled or superseded. */
  failed: 1,
  usage: 2,
  auth: 3,
  notFound: 4,
  unreachable: 5,
  /** The server refused: a name is taken, nothing to roll back to, … */
  refused: 6,
  timeout: 7,
  internal: 70,
  interrupted: 130,
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** An end of the command that is told to the user in one or two lines. */
export class CliError extends Error {
  readonly exitCode: ExitCode
  readonly code: string
  readonly hint: string | undefined
  constructor(exitCode: ExitCode, code: string, message: string, hint?: string, cause?: unknown) {
    super(message, { cause })
    this.exitCode = exitCode
    this.code = code
    this.hint = hint
  }
}

export const usage = (message: string, hint?: string) => new CliError(EXIT.usage, 'USAGE', message, hint)

const BY_STATUS: Record<number, ExitCode> = {
  400: EXIT.usage,
  401: EXIT.auth,
  403: EXIT.auth,
  404: EXIT.notFound,
  409: EXIT.refused,
  413: EXIT.usage,
  429: EXIT.refused,
  503: EXIT.unreachable,
}

/** Of what is found here, before a server is asked. */
const BY_KIND: Partial<Record<ErrorKind, ExitCode>> = { 'bad-input': EXIT.usage, 'too-large': EXIT.usage }

export const unreachable = (url: string, cause?: unknown) =>
  new CliError(
    EXIT.unreachable,
    'SERVER_UNREACHABLE',
    `No Slipway answers at ${url}.`,
    'Check the address (slipway login --url …) and that the server runs.',
    cause,
  )

const isErrorData = (data: unknown): data is { app: ErrorData } =>
  typeof data === 'object' && data !== null && 'app' in data && typeof data.app === 'object' && data.app !== null && 'status' in data.app

/** What a call of the client throws. By its name: the class comes with the client, which many commands never load. */
export const isCallError = (error: unknown): error is Error & TRPCClientErrorLike<AppRouter> =>
  error instanceof Error && error.name === 'TRPCClientError'

/** Any thrown value as a CliError. `url`: where the server should be. */
export function toCliError(error: unknown, url: string): CliError {
  if (error instanceof CliError) return error
  if (isAppError(error)) return new CliError(BY_KIND[error.kind] ?? EXIT.failed, error.code, plain(error.message), undefined, error)
  if (!isCallError(error)) {
    if (error instanceof Error && error.name === 'AbortError')
      return new CliError(EXIT.interrupted, 'INTERRUPTED', 'Interrupted.', undefined, error)
    return new CliError(EXIT.internal, 'INTERNAL', error instanceof Error ? error.message : String(error), undefined, error)
  }
  const data: unknown = error.data
  if (isErrorData(data)) {
    const { status, code, message, fields } = data.app
    const exitCode = BY_STATUS[status] ?? EXIT.internal
    const named = Object.entries(fields ?? {}).filter(([field]) => field !== '')
    if (named.length > 0)
      return new CliError(exitCode, code, named.map(([field, texts]) => `${field}: ${texts.join(' ')}`).join('\n'), undefined, error)
    return new CliError(exitCode, code, message, status === 401 ? 'Run slipway login, or set SLIPWAY_API_KEY.' : undefined, error)
  }
  // No answer of ours: nothing listens there, it is no Slipway, or it took too long.
  return unreachable(url, error.cause ?? error)
}
