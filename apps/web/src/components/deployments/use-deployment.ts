'use client'
import { isDeploymentSettled } from '@slipway/core'
import { skipToken, useQuery, useQueryClient } from '@tanstack/react-query'
import { useSubscription } from '@trpc/tanstack-react-query'
import { useTRPC } from '@/lib/trpc'
import { useVisible } from '@/lib/use-visible'

/** One deployment, live until its last hop is over. Without a number: nothing yet. */
export function useDeployment(org: string, app: string, number: number | null) {
  const trpc = useTRPC()
  const client = useQueryClient()
  const visible = useVisible()
  const input = number === null ? null : { org, app, number }
  const query = useQuery(trpc.deployments.get.queryOptions(input ?? skipToken))
  const view = query.data
  const moving = view !== undefined && (!isDeploymentSettled(view.state) || view.hops.some((h) => h.state === 'running'))
  useSubscription(
    trpc.deployments.watch.subscriptionOptions(input ?? skipToken, {
      enabled: visible && moving,
      onData: (next) => {
        if (input) client.setQueryData(trpc.deployments.get.queryKey(input), next)
      },
    }),
  )
  return query
}
