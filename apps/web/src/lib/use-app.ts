'use client'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useSubscription } from '@trpc/tanstack-react-query'
import { useTRPC } from './trpc'
import { useVisible } from './use-visible'

export function useApp(org: string, app: string) {
  const trpc = useTRPC()
  return useQuery(trpc.apps.get.queryOptions({ org, app }))
}

/** Keeps `useApp`'s answer live while the tab is in sight. */
export function useAppWatch(org: string, app: string) {
  const trpc = useTRPC()
  const client = useQueryClient()
  const visible = useVisible()
  const known = useApp(org, app).data !== undefined
  useSubscription(
    trpc.apps.watch.subscriptionOptions(
      { org, app },
      { enabled: visible && known, onData: (view) => client.setQueryData(trpc.apps.get.queryKey({ org, app }), view) },
    ),
  )
}
