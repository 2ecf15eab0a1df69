import { request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { AppRouter } from '@slipway/api'
import { createTRPCClient, httpLink } from '@trpc/client'
import superjson from 'superjson'

/** The typed client that a script would use, with an API key. */
export const createApi = (webUrl: string, key: string) =>
  createTRPCClient<AppRouter>({
    links: [httpLink({ url: `${webUrl}/api/trpc`, transformer: superjson, headers: { authorization: `Bearer ${key}` } })],
  })
export type Api = ReturnType<typeof createApi>

/** Asks until `read` gives something, or throws what it saw last. */
export async function until<T>(what: string, read: () => Promise<T | undefined | null | false>, timeoutMs = 60_000): Promise<T> {
  const deadline = Date.now() + timeoutMs
  let last: unknown
  for (;;) {
    try {
      const value = await read()
      if (value) return value
      last = value
    } catch (error) {
      last = error
    }
    if (Date.now() > deadline)
      throw new Error(`${what}: not within ${timeoutMs} ms; last: ${last instanceof Error ? last.message : JSON.stringify(last)}`)
    await sleep(50)
  }
}

/** A form that is sent as a browser sends it. */
export type Form = Record<string, string>

/** What an app answers through the router; never throws. Not `fetch`: that sends no Host of one's own. With a form: a POST. */
export function fetchApp(routerPort: number, hostname: string, path = '/', form?: Form): Promise<{ status: number; text: string }> {
  const body = form && new URLSearchParams(form).toString()
  const headers = {
    host: `${hostname}:${routerPort}`,
    ...(body !== undefined && { 'content-type': 'application/x-www-form-urlencoded', 'content-length': Buffer.byteLength(body) }),
  }
  return new Promise((resolve) => {
    const failed = (error: Error) => resolve({ status: 0, text: error.message })
    const call = request(
      { host: '127.0.0.1', port: routerPort, path, method: body === undefined ? 'GET' : 'POST', headers, agent: false, timeout: 10_000 },
      (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => {
          text += chunk
        })
        response.on('error', failed)
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text }))
      },
    )
    call.on('timeout', () => call.destroy(new Error('timeout')))
    call.on('error', failed)
    call.end(body)
  })
}
