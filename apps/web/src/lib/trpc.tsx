'use client'
import type { AppRouter } from '@slipway/api'
import { toast } from '@slipway/ui'
import { MutationCache, QueryCache, QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { createTRPCClient, httpBatchStreamLink, httpLink, httpSubscriptionLink, splitLink, TRPCClientError } from '@trpc/client'
import { createTRPCContext } from '@trpc/tanstack-react-query'
import { type ReactNode, useState } from 'react'
import superjson from 'superjson'
import { readError } from './errors'

const context = createTRPCContext<AppRouter>()
export const useTRPC = context.useTRPC
export const useTRPCClient = context.useTRPCClient

declare module '@tanstack/react-query' {
  interface Register {
    /** `quiet`: the caller shows the error itself. */
    mutationMeta: { quiet?: boolean }
  }
}

/** Sends those whose session is over to the sign-in, and back here afterwards. */
function leaveIfSignedOut(error: unknown): boolean {
  if (!(error instanceof TRPCClientError) || readError(error).status !== 401) return false
  const here = window.location.pathname + window.location.search
  if (window.location.pathname !== '/login') window.location.assign(`/login?next=${encodeURIComponent(here)}`)
  return true
}

function createQueryClient(): QueryClient {
  return new QueryClient({
    queryCache: new QueryCache({ onError: leaveIfSignedOut }),
    mutationCache: new MutationCache({
      onError: (error, _variables, _context, mutation) => {
        if (leaveIfSignedOut(error) || mutation.meta?.quiet) return
        const { message, code } = readError(error)
        toast.error(message, { description: code, duration: Number.POSITIVE_INFINITY, closeButton: true })
      },
    }),
    defaultOptions: {
      queries: {
        staleTime: 5_000,
        // What the server has understood and refused will be refused again; the rest is worth another try.
        retry: (failures, error) => failures < 2 && readError(error).status >= 500,
      },
    },
  })
}

export function DataProvider({ children }: { children: ReactNode }) {
  const [queryClient] = useState(createQueryClient)
  const [client] = useState(() =>
    createTRPCClient<AppRouter>({
      links: [
        splitLink({
          condition: (op) => op.type === 'subscription',
          true: httpSubscriptionLink({ url: '/api/trpc', transformer: superjson }),
          false: splitLink({
            condition: (op) => op.type === 'mutation',
            // Alone: a mutation may set cookies, which a stream whose head has been sent cannot.
            true: httpLink({ url: '/api/trpc', transformer: superjson }),
            // Streamed: the slowest answer of a batch holds no other one up.
            false: httpBatchStreamLink({ url: '/api/trpc', transformer: superjson, maxURLLength: 4000 }),
          }),
        }),
      ],
    }),
  )
  return (
    <QueryClientProvider client={queryClient}>
      <context.TRPCProvider trpcClient={client} queryClient={queryClient}>
        {children}
      </context.TRPCProvider>
    </QueryClientProvider>
  )
}
