import { AppError, type ErrorKind, isAppError } from '@slipway/core'

const KIND: Record<number, ErrorKind> = {
  400: 'bad-input',
  401: 'unauthenticated',
  403: 'forbidden',
  404: 'not-found',
  409: 'conflict',
  413: 'too-large',
  503: 'unavailable',
  507: 'unavailable',
}

/** The status, which an answer or a line of a progress stream carries, of a disk that is full: the host's, or the registry's. */
const DISK_FULL = 507
export const engineCode = (status: number | undefined, otherwise: string) => (status === DISK_FULL ? 'DISK_FULL' : otherwise)

/** What dockerode throws: an Error with the status and Docker's `{"message"}`. */
interface EngineFailure extends Error {
  statusCode?: number
  json?: { message?: string }
  code?: string
}

/** The engine's status of a failed call, or undefined when it was no answer of the engine. */
export const engineStatus = (error: unknown): number | undefined => (error as EngineFailure | undefined)?.statusCode

/** Any failure of a call to the agent as an AppError; the engine's own sentence is kept, it is written for people. */
export function agentError(error: unknown, doing: string): AppError {
  if (isAppError(error)) return error
  const failure = error as EngineFailure
  const status = failure?.statusCode
  if (status !== undefined) {
    // Of a stream that failed, dockerode has only its own words around the engine's.
    const message = failure.json?.message ?? failure.message.replace(/^\(HTTP code \d+\) [^-]*- /, '')
    return new AppError({
      kind: KIND[status] ?? 'internal',
      code: engineCode(status, `ENGINE_${status}`),
      message: `The host could not ${doing}: ${message}`,
      cause: error,
    })
  }
  return new AppError({
    kind: 'unavailable',
    code: 'AGENT_UNREACHABLE',
    message: `The container engine did not answer while it should ${doing}. It is restarted by itself; try again in a moment.`,
    cause: error,
  })
}
