import type { AppRouter } from '@slipway/api'
import { createTRPCClient, httpBatchLink, splitLink, type TRPCClient } from '@trpc/client'
import superjson from 'superjson'
import { unreachable } from './errors'
import { eventsLink } from './events'
import { type Asked, request } from './http'

export type Client = TRPCClient<AppRouter>

const CALL_MS = 30_000
/** A stream that has no connection for this long is given up; a restart of the server takes less. */
const OFFLINE_MS = 45_000

export function createClient(url: string, apiKey: string): Client {
  const endpoint = `${url}/api/trpc`
  const authorization = `Bearer ${apiKey}`
  return createTRPCClient<AppRouter>({
    links: [
      splitLink({
        condition: (operation) => operation.type === 'subscription',
        true: eventsLink(endpoint, { authorization }),
        false: httpBatchLink({
          url: endpoint,
          transformer: superjson,
          maxItems: 20,
          headers: { authorization },
          fetch: async (input, init) => {
            const deadline = AbortSignal.timeout(CALL_MS)
            const signal = init?.signal ? AbortSignal.any([init.signal, deadline]) : deadline
            return request(String(input), { ...(init as Asked), signal })
          },
        }),
      }),
    ],
  })
}

interface Subscriber<T> {
  onData(value: T): void
  onError(error: unknown): void
  onComplete(): void
  onConnectionStateChange(state: { state: string }): void
}

/**
 * A subscription until it completes, `seen` returns true, or `signal` fires (resolves then too).
 * Rejects with the server's error, or when the connection is away too long.
 */
export function follow<T>(
  url: string,
  subscribe: (subscriber: Subscriber<T>) => { unsubscribe(): void },
  seen: (value: T) => boolean | undefined,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let offline: NodeJS.Timeout | undefined
    const end = (finish: () => void) => {
      clearTimeout(offline)
      signal.removeEventListener('abort', onAbort)
      // Data may come before `subscribe` has returned.
      queueMicrotask(() => subscription.unsubscribe())
      finish()
    }
    const onAbort = () => end(resolve)
    const subscription = subscribe({
      onData(value) {
        try {
          if (seen(value)) end(resolve)
        } catch (error) {
          end(() => reject(error))
        }
      },
      onError: (error) => end(() => reject(error)),
      onComplete: () => end(resolve),
      onConnectionStateChange({ state }) {
        clearTimeout(offline)
        if (state === 'connecting') offline = setTimeout(() => end(() => reject(unreachable(url))), OFFLINE_MS)
      },
    })
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort, { once: true })
  })
}
