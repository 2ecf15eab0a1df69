import { TRPCClientError } from '@trpc/client'

export interface ReadError {
  code: string
  /** A sentence that says what happened and what to do. */
  message: string
  /** HTTP status; 0 when the server was not reached. */
  status: number
  /** Beside which inputs of a form it belongs. */
  fields: Record<string, string>
  details: Record<string, unknown>
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null

/** Any thrown value as what a page can show. */
export function readError(error: unknown): ReadError {
  if (error instanceof TRPCClientError) {
    const data: unknown = error.data
    const app = isRecord(data) && isRecord(data.app) ? data.app : null
    if (app) {
      return {
        code: typeof app.code === 'string' ? app.code : 'UNKNOWN',
        message: error.message,
        status: typeof app.status === 'number' ? app.status : 500,
        fields: readFields(app.fields),
        details: isRecord(app.details) ? app.details : {},
      }
    }
    return {
      code: 'SERVER_UNREACHABLE',
      message: 'Slipway does not answer. See whether it still runs on its machine; this page goes on when it does.',
      status: 0,
      fields: {},
      details: {},
    }
  }
  const message = error instanceof Error ? error.message : 'Something unexpected happened in this page.'
  return { code: 'PAGE_ERROR', message, status: 0, fields: {}, details: {} }
}

function readFields(fields: unknown): Record<string, string> {
  if (!isRecord(fields)) return {}
  const out: Record<string, string> = {}
  for (const [name, messages] of Object.entries(fields)) {
    const first: unknown = Array.isArray(messages) ? messages[0] : messages
    if (typeof first === 'string') out[name] = first
  }
  return out
}
