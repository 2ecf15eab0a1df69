/** The panel as the other side of an upload: it passes everything on to the build host of the organization. */
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { ContextTarget } from '@slipway/context'
import { CliError, EXIT, unreachable } from './errors'
import { plain } from './output'
import type { Session } from './session'

const ATTEMPTS = 4
const REQUEST_MS = 10 * 60_000
const CONFLICT = 409
const pack = promisify(gzip)

export function contextTarget(session: Session, org: string, signal: AbortSignal): ContextTarget {
  return {
    async missing(asked) {
      const client = await session.client()
      return client.contexts.missing.mutate({ org, ...asked }, { signal })
    },
    send: (objects) => send(session, org, objects, signal),
  }
}

async function send(session: Session, org: string, objects: Buffer, stop: AbortSignal): Promise<{ bytes: number; conflict?: boolean }> {
  const { url, apiKey } = await session.connect()
  const packed = isNear(url) ? objects : await pack(objects, { level: 1 })
  const small = packed.length < objects.length * 0.95
  const body = small ? packed : objects
  const headers = {
    authorization: `Bearer ${apiKey}`,
    'content-type': 'application/octet-stream',
    ...(small && { 'content-encoding': 'gzip' }),
  }
  for (let attempt = 1; ; attempt++) {
    const signal = AbortSignal.any([stop, AbortSignal.timeout(REQUEST_MS)])
    let failure: unknown
    try {
      const response = await fetch(`${url}/api/contexts/${encodeURIComponent(org)}`, {
        method: 'POST',
        headers,
        body: body as BodyInit,
        signal,
      })
      if (response.ok) {
        await response.arrayBuffer()
        return { bytes: attempt * body.length }
      }
      failure = await refusal(response)
      if (response.status === CONFLICT) return { bytes: attempt * body.length, conflict: true }
      if (response.status < 500) throw failure
    } catch (error) {
      if (stop.aborted || error instanceof CliError) throw error
      failure = unreachable(url, error)
    }
    if (attempt >= ATTEMPTS) throw failure
    await sleep(300 * 4 ** (attempt - 1), undefined, { signal: stop })
  }
}

/** Packing costs more than the way to one's own machine. */
function isNear(url: string): boolean {
  const { hostname } = new URL(url)
  return hostname === 'localhost' || hostname === '[::1]' || /^127\./.test(hostname)
}

async function refusal(response: Response): Promise<CliError> {
  const text = (await response.text().catch(() => '')).slice(0, 2000)
  let answer: { code?: unknown; message?: unknown } = {}
  try {
    answer = JSON.parse(text) as typeof answer
  } catch {
    // Something between us and the server answered.
  }
  const message = typeof answer.message === 'string' ? plain(answer.message) : `The server answered ${response.status} to an upload.`
  const exit = { 401: EXIT.auth, 403: EXIT.auth, 404: EXIT.notFound, 409: EXIT.refused, 413: EXIT.refused }[response.status]
  return new CliError(exit ?? EXIT.failed, typeof answer.code === 'string' ? answer.code : `HTTP_${response.status}`, message)
}
