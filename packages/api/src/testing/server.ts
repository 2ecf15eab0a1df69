/** For tests of clients: the whole API over HTTP, as the web app serves it, on the harness of the services. */
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { createHarness, type Harness } from '@slipway/services/testing'
import { fetchRequestHandler } from '@trpc/server/adapters/fetch'
import { createContext } from '../context'
import { contextUpload } from '../contexts'
import { buildOutput } from '../downloads'
import { appRouter } from '../root'

export interface TestApi {
  /** `http://127.0.0.1:<port>`; tRPC is at /api/trpc. */
  url: string
  harness: Harness
  close(): Promise<void>
}

export async function startTestApi(overrides: Parameters<typeof createHarness>[0] = {}): Promise<TestApi> {
  const harness = await createHarness(overrides)
  let url = ''
  const server = createServer(async (incoming, outgoing) => {
    const gone = new AbortController()
    outgoing.on('close', () => gone.abort())
    const request = toRequest(incoming, url, gone.signal)
    const init = { services: harness.services, headers: request.headers, webUrl: url, log: { error: () => undefined } }
    const upload = /^\/api\/contexts\/([^/?]+)$/.exec(incoming.url ?? '')?.[1]
    const answer = async () => {
      if (upload) return contextUpload(request, upload, { ...init, responseHeaders: null })
      if (incoming.url?.startsWith('/api/builds/output?'))
        return buildOutput(request, await createContext({ ...init, responseHeaders: null }))
      return fetchRequestHandler({
        endpoint: '/api/trpc',
        req: request,
        router: appRouter,
        createContext: ({ resHeaders }) => createContext({ ...init, responseHeaders: resHeaders }),
      })
    }
    const response = await answer()
    outgoing.writeHead(response.status, Object.fromEntries(response.headers))
    if (!response.body) return outgoing.end()
    const body = Readable.fromWeb(response.body as Parameters<typeof Readable.fromWeb>[0])
    body.on('error', () => outgoing.destroy())
    body.pipe(outgoing)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url,
    harness,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await harness.close()
    },
  }
}

function toRequest(incoming: IncomingMessage, url: string, signal: AbortSignal): Request {
  const headers = new Headers()
  for (const [name, value] of Object.entries(incoming.headers)) if (typeof value === 'string') headers.set(name, value)
  const body = incoming.method === 'POST' ? (Readable.toWeb(incoming) as ReadableStream) : undefined
  return new Request(`${url}${incoming.url}`, { method: incoming.method, headers, body, duplex: 'half', signal } as RequestInit)
}
