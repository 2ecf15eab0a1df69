'use client'
import type { views } from '@slipway/contracts'
import { useQuery } from '@tanstack/react-query'
import { useTRPC } from '@/lib/trpc'

/** What earlier builds tell about one that is over: `pending` keeps its place on the page. */
export function useInsights(
  org: string,
  app: string,
  build: views.BuildView,
): { insights: views.BuildInsightsView | null; pending: boolean } {
  const trpc = useTRPC()
  const ended = build.state === 'succeeded' || build.state === 'failed'
  const { data, isLoading } = useQuery(
    trpc.builds.insights.queryOptions({ org, app, number: build.number }, { enabled: ended, staleTime: 60_000 }),
  )
  return { insights: data ?? null, pending: isLoading && build.number > 1 && build.steps.length > 0 }
}
