/** The panel as the other side of an upload: it passes everything on to the build host of the organization. */
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { ContextTarget } from '@slipway/context'
import { CliError, EXIT, unreachable } from './errors'
import { type Answer, request } from './http'
import { plain } from './output'
import type { Session } from './session'

const ATTEMPTS = 4
const REQUEST_MS = 10 * 60_000
const CONFLICT = 409
const pack = async (bytes: Buffer) => promisify((await import('node:zlib')).gzip)(bytes, { level: 1 })

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
  const packed = isNear(url) ? objects : await pack(objects)
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
      const answer = await request(`${url}/api/contexts/${encodeURIComponent(org)}`, {
        method: 'POST',
        headers,
        body,
        signal,
      })
      if (answer.ok) {
        await answer.text()
        return { bytes: attempt * body.length }
      }
      failure = await refusal(answer)
      if (answer.status === CONFLICT) return { bytes: attempt * body.length, conflict: true }
      if (answer.status < 500) throw failure
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

async function refusal(answer: Answer): Promise<CliError> {
  const text = (await answer.text().catch(() => '')).slice(0, 2000)
  let said: { code?: unknown; message?: unknown } = {}
  try {
    said = JSON.parse(text) as typeof said
  } catch {
    // Something between us and the server answered.
  }
  const message = typeof said.message === 'string' ? plain(said.message) : `The server answered ${answer.status} to an upload.`
  const exit = { 401: EXIT.auth, 403: EXIT.auth, 404: EXIT.notFound, 409: EXIT.refused, 413: EXIT.refused }[answer.status]
  return new CliError(exit ?? EXIT.failed, typeof said.code === 'string' ? said.code : `HTTP_${answer.status}`, message)
}
